/**
 * The part of the dashboard's client that is about who may do what, and who did it.
 *
 * @module
 */

import type { Role } from "../model/dashboard_user.ts";
import type { ReadPolicy, UserLimits } from "../model/redis_user.ts";
import {
  ANSWER_SHAPES,
  type AuditAnswer,
  type AuditFilter,
  type DoneAnswer,
  type ImportedUsersAnswer,
  type NewTokenAnswer,
  type RedisUsersAnswer,
  type TokenAnswer,
  type TokenBody,
  type UserAnswer,
} from "./answers.ts";
import {
  type DashboardAccess,
  DashboardRequests,
  queryOf,
  segmentOf,
} from "./dashboard_requests.ts";

/** See the header; for the rest, `DashboardClient`. */
export class UsersClient {
  /** What all methods ask with. */
  protected readonly requests: DashboardRequests;

  /** Connects nothing yet. */
  constructor(access: DashboardAccess) {
    this.requests = new DashboardRequests(access);
  }

  // -- users and tokens of the dashboard --

  /** The users of the dashboard. */
  users(): Promise<readonly UserAnswer[] | null> {
    return this.requests.read("/api/users", ANSWER_SHAPES.users);
  }

  /** Makes a user. */
  addUser(name: string, role: Role, password: string): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/users", { name, role, password });
  }

  /** Changes a user's role, password or both. */
  setUser(
    name: string,
    change: { readonly role?: Role; readonly password?: string },
  ): Promise<DoneAnswer> {
    return this.requests.change("PUT", `/api/users/${encodeURIComponent(name)}`, change);
  }

  /** Removes a user. */
  removeUser(name: string): Promise<DoneAnswer> {
    return this.requests.change("DELETE", `/api/users/${encodeURIComponent(name)}`);
  }

  /** The API tokens. */
  tokens(): Promise<readonly TokenAnswer[] | null> {
    return this.requests.read("/api/tokens", ANSWER_SHAPES.tokens);
  }

  /** Makes an API token. */
  addToken(body: TokenBody): Promise<NewTokenAnswer> {
    return this.requests.post("/api/tokens", body, ANSWER_SHAPES.newToken, true);
  }

  /** Withdraws an API token. */
  removeToken(name: string): Promise<DoneAnswer> {
    return this.requests.change("DELETE", `/api/tokens/${encodeURIComponent(name)}`);
  }

  /** Who did what, newest first. */
  audit(filter: AuditFilter): Promise<AuditAnswer> {
    return this.requests.read(`/api/audit?${queryOf({ ...filter })}`, ANSWER_SHAPES.audit);
  }

  /** Finds out whether the token is the right one; changes nothing. */
  login(): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/login");
  }

  // -- users of Redis clients --

  /** The users in the store that Redis clients log in as. */
  redisUsers(): Promise<RedisUsersAnswer> {
    return this.requests.read("/api/redis_users", ANSWER_SHAPES.redisUsers);
  }

  /** Makes such a user, or adds rules to it. */
  setRedisUser(name: string, rules: readonly string[]): Promise<DoneAnswer> {
    return this.requests.change("PUT", `/api/redis_users/${segmentOf(name)}`, { rules });
  }

  /** Limits what such a user may use at each proxy. */
  limitRedisUser(name: string, limits: UserLimits): Promise<DoneAnswer> {
    return this.requests.change("PUT", `/api/redis_users/${segmentOf(name)}/limits`, limits);
  }

  /** Says where the clients of a user read from; undefined: as each proxy's configuration says. */
  setReadsOfRedisUser(name: string, policy: ReadPolicy | undefined): Promise<DoneAnswer> {
    const path = `/api/redis_users/${segmentOf(name)}/read_from`;
    return this.requests.change("PUT", path, { read_from: policy ?? "" });
  }

  /** Deletes such users. */
  deleteRedisUsers(names: readonly string[]): Promise<DoneAnswer> {
    return this.requests.change("POST", "/api/redis_users/delete", { names });
  }

  /** Takes such users over from the text of an ACL file. */
  importRedisUsers(text: string, file: string): Promise<ImportedUsersAnswer> {
    const shape = ANSWER_SHAPES.importedUsers;
    return this.requests.post("/api/redis_users/import", { text, file }, shape, true);
  }
}
