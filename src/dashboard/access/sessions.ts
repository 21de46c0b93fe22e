/**
 * Who has logged in on the page: sessions, in the memory of this process. They end with it.
 *
 *     log in ─► cookie with a random id; we keep its hash
 *     request ─► hash known ─► not too old, not idle for too long ─► user still as he was ─► his role
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import type { DashboardUser } from "../../model/dashboard_user.ts";

/** How long a session lasts at most, and without a request, in milliseconds. */
const SESSION_MS_MAX = 12 * 3_600_000;
const IDLE_MS_MAX = 30 * 60_000;
/** Most sessions, and most of one user; past it, the oldest one ends. */
const SESSIONS_MAX = 1_000;
const SESSIONS_OF_USER_MAX = 20;

/** One session. */
interface Session {
  readonly user: string;
  /** What the user was at the login: when that has changed, the session ends. */
  readonly stamp: string;
  readonly beganMs: number;
  usedMs: number;
}

/** See the header. */
export class Sessions {
  /** By the hash of their id, oldest first. */
  readonly #sessions = new Map<string, Session>();
  readonly #now: () => number;

  /** Has none yet. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Starts one; returns the id for the cookie. */
  begin(user: DashboardUser): string {
    const own = [...this.#sessions].filter(([, session]) => session.user === user.name);
    if (own.length >= SESSIONS_OF_USER_MAX) this.#sessions.delete(own[0]![0]);
    if (this.#sessions.size >= SESSIONS_MAX) {
      this.#sessions.delete(this.#sessions.keys().next().value!);
    }
    const id = randomBytes(32).toString("base64url");
    const now = this.#now();
    const session = { user: user.name, stamp: stampOf(user), beganMs: now, usedMs: now };
    this.#sessions.set(hashOf(id), session);
    return id;
  }

  /** The user of a session; `undefined` when there is none, or it has ended. */
  userOf(
    id: string,
    find: (name: string) => DashboardUser | undefined,
  ): DashboardUser | undefined {
    const hash = hashOf(id);
    const session = this.#sessions.get(hash);
    if (session === undefined) return undefined;
    const now = this.#now();
    const user = find(session.user);
    const isOver = now - session.beganMs > SESSION_MS_MAX || now - session.usedMs > IDLE_MS_MAX;
    if (isOver || user === undefined || stampOf(user) !== session.stamp) {
      this.#sessions.delete(hash);
      return undefined;
    }
    session.usedMs = now;
    return user;
  }

  /** Ends a session. */
  end(id: string): void {
    this.#sessions.delete(hashOf(id));
  }
}

function stampOf({ role, password, created_at, changed_at }: DashboardUser): string {
  return [role, password, created_at, changed_at].join(" ");
}

function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("base64");
}

// -- the cookie ---------------------------------------------------------------------------------

/** The session's id in a request; `""`: none. */
export function sessionIdIn(request: Request): string {
  const name = cookieName(request);
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, value = ""] = pair.trim().split("=", 2);
    if (key === name) return value;
  }
  return "";
}

/** The header that sets the cookie; an id of `""` removes it. */
export function sessionCookie(request: Request, id: string): string {
  const secure = isSecure(request) ? "; Secure" : "";
  const age = id === "" ? 0 : SESSION_MS_MAX / 1000;
  return `${cookieName(request)}=${id}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}${secure}`;
}

/** Browsers send cookies to every port of a host, so each dashboard there has a name of its own. */
function cookieName(request: Request): string {
  const { port } = new URL(request.url);
  return `${isSecure(request) ? "__Host-" : ""}codis_session${port === "" ? "" : `_${port}`}`;
}

/** Whether the browser speaks TLS, to us or to a server in front of us. */
function isSecure(request: Request): boolean {
  return new URL(request.url).protocol === "https:" ||
    request.headers.get("x-forwarded-proto") === "https";
}
