/**
 * The one place that decides who may send which request to the dashboard.
 *
 *     request ─► changes something? then from a page of ours, or from no browser
 *            ─► who: token ─or─ session ─or─ nobody, where neither users nor tokens were made
 *            ─► his role is enough for the route
 *
 * While there are no users and no API tokens, `api/auth.ts` decides by machine and `dashboard_token`.
 *
 * @module
 */

import {
  type AccessPolicy,
  authorize,
  bearerIn,
  foreignPage,
  type IncomingRequest,
  isBrowser,
  isToken,
  lastForwarded,
  unnamedPage,
} from "../../api/auth.ts";
import { isPassword, NO_PASSWORD, TooManyPasswordsError } from "../../base/password_hash.ts";
import {
  type DashboardUser,
  isRoleEnough,
  NO_USER,
  type Role,
} from "../../model/dashboard_user.ts";
import type { Store } from "../../store/store.ts";
import { AccessRecords } from "./access_records.ts";
import type { Identity, Refusal } from "./identity.ts";
import { LoginThrottle, networkOf } from "./login_throttle.ts";
import { sessionIdIn, Sessions } from "./sessions.ts";

/** What a route asks for. */
export interface RouteNeeds {
  readonly method: string;
  readonly changes: boolean;
  /** The least role; `anyone`: no login is needed. */
  readonly role: Role | "anyone";
}

/** Of a name that is remembered as tried, in characters. */
const NAME_CHARACTERS_MAX = 64;

/** Nobody, at a route that is for everybody. */
const NOBODY: Identity = { name: "nobody", role: "viewer", kind: "place" };

/** See the header. */
export class AccessGate {
  readonly records: AccessRecords;
  readonly sessions: Sessions = new Sessions();
  readonly #throttle = new LoginThrottle();

  /** Follows nothing yet. */
  constructor(store: Store) {
    this.records = new AccessRecords(store);
  }

  /** Who sends a request, or why it is refused. */
  async admit(
    policy: AccessPolicy,
    incoming: IncomingRequest,
    needs: RouteNeeds,
  ): Promise<Identity | Refusal> {
    const foreign = needs.changes || needs.role !== "viewer"
      ? foreignPage(policy, incoming) ?? browserForm(incoming.request, needs)
      : undefined;
    if (foreign !== undefined) return foreign;
    if (needs.role === "anyone") return NOBODY;
    const who = await this.#who(policy, incoming, needs);
    if ("status" in who || isRoleEnough(who.role, needs.role)) return who;
    const error = `this needs the role ${needs.role}; ${who.name} is ${who.role}`;
    return { status: 403, error, who };
  }

  /** The user whose session a request belongs to. */
  sessionUser(request: Request): DashboardUser | undefined {
    const id = sessionIdIn(request);
    return id === "" ? undefined : this.sessions.userOf(id, (name) => this.records.user(name));
  }

  /** Checks a name and a password, slowly for whoever has been wrong often. */
  async logIn(
    incoming: IncomingRequest,
    name: string,
    password: string,
  ): Promise<DashboardUser | Refusal> {
    if (!await this.records.areKnown()) return NOT_READ;
    const address = networkOf(addressOf(incoming));
    const refusedMs = this.#throttle.refusedMs(address);
    if (refusedMs > 0) return tooMany(refusedMs);
    return await this.#throttle.whileChecking(address, () => this.#check(address, name, password));
  }

  async #check(
    address: string,
    name: string,
    password: string,
  ): Promise<DashboardUser | Refusal> {
    const user = this.records.user(name);
    // By what was typed: how long it takes must not tell who there is.
    const typed = name.slice(0, NAME_CHARACTERS_MAX);
    if (!await this.#throttle.beforeCheck(typed)) return tooMany(1000);
    try {
      // The same work for users that do not exist.
      const isRight = await isPassword(password, user?.password ?? NO_PASSWORD);
      if (isRight && user !== undefined) {
        this.#throttle.rightPassword(address, typed);
        return user;
      }
    } catch (error) {
      if (error instanceof TooManyPasswordsError) return tooMany(1000);
      throw error;
    }
    this.#throttle.wrongPassword(address, typed);
    return { status: 401, error: "the user or the password is wrong" };
  }

  async #who(
    policy: AccessPolicy,
    incoming: IncomingRequest,
    { changes, role }: RouteNeeds,
  ): Promise<Identity | Refusal> {
    const { request } = incoming;
    const bearer = bearerIn(request);
    if (bearer !== undefined && policy.token.isSet && isToken(policy.token, request)) {
      return { name: NO_USER.configToken, role: "admin", kind: "token" };
    }
    if (!await this.records.areKnown()) return NOT_READ;
    const { areThere } = this.records;
    if (bearer !== undefined && (areThere || policy.token.isSet)) {
      return await this.#ofToken(incoming, bearer);
    }
    const user = this.sessionUser(request);
    if (user !== undefined) {
      const unnamed = changes && isBrowser(request) ? unnamedPage(request) : undefined;
      return unnamed ?? { name: user.name, role: user.role, kind: "user" };
    }
    if (areThere) {
      return { status: 401, error: sessionIdIn(request) === "" ? LOG_IN : SESSION_ENDED };
    }
    const access = changes || role !== "viewer" ? "change" : "read";
    const denied = authorize(policy, incoming, access);
    if (denied !== undefined) return denied;
    const name = policy.isOpenToAll ? NO_USER.anybody : "this machine";
    return { name, role: policy.token.isSet ? "viewer" : "admin", kind: "place" };
  }

  async #ofToken(incoming: IncomingRequest, bearer: string): Promise<Identity | Refusal> {
    const token = await this.records.token(bearer);
    if (token !== undefined) {
      return { name: `token ${token.name}`, role: token.role, kind: "token" };
    }
    const mayAnswer = await this.#throttle.wrongToken(networkOf(addressOf(incoming)));
    return mayAnswer ? { status: 401, error: WRONG_TOKEN } : tooMany(2000);
  }
}

const LOG_IN = "log in on the page /admin, or send Authorization: Bearer <token>";
const SESSION_ENDED = "the session has ended: log in again";
const WRONG_TOKEN = "the token is missing or wrong: send Authorization: Bearer <token>";
const NOT_READ: Refusal = {
  status: 503,
  error: "users and tokens could not be read from the coordinator yet: try again",
};

function tooMany(ms: number): Refusal {
  const retryAfter = Math.ceil(ms / 1000);
  return { status: 429, error: `too many wrong tries: wait ${retryAfter} s`, retryAfter };
}

/** The address that a request came from, also through another dashboard, or a server on this machine in front of us. */
export function addressOf(incoming: IncomingRequest): string {
  return incoming.client ?? lastForwarded(incoming) ?? incoming.remote;
}

/** What a page of another site could make a browser send: a GET, or the body of a form. */
function browserForm(request: Request, needs: RouteNeeds): Refusal | undefined {
  if (!isBrowser(request)) return undefined;
  if (needs.changes && needs.method === "GET") {
    return { status: 403, error: "a browser changes nothing by GET: use POST" };
  }
  const type = request.headers.get("content-type");
  if (request.body === null || type === null || /^application\/json\b/i.test(type)) {
    return undefined;
  }
  return { status: 415, error: `a browser must send application/json, not ${type}` };
}
