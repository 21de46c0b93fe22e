/**
 * The users of a proxy with `acl = store`: those in the store, the same at all proxies.
 *
 *      ACL SETUSER ─► dashboard ─► store ─► an action ─► every proxy reads the store ─► confirmed ─► answered
 *                        │                      ▲
 *                        └─ away: refused       └─ a watch, too: for a proxy that the action does not reach
 *
 * What cannot be read leaves the users as they are. There are none before the first reading: until then the
 * proxy accepts no client.
 *
 * @module
 */

import type { ReadUsers } from "../../acl/acl_file.ts";
import { hashedRules, recordsOfTexts } from "../../acl/stored_users.ts";
import { DEFAULT_USER, type UserRecord } from "../../acl/user.ts";
import type { ChangedUsers, UsersAnswer, UsersSource } from "../../acl/users_owner.ts";
import { bytesOfText, textOfBytes } from "../../acl/users.ts";
import { DashboardClient } from "../../api/dashboard_client.ts";
import { DashboardUnreachableError } from "../../api/dashboard_errors.ts";
import type { DashboardAccess } from "../../api/dashboard_requests.ts";
import { type Address, reachableHere } from "../../base/address.ts";
import { logger } from "../../base/log.ts";
import { SYSTEM_TIMERS } from "../../base/timers.ts";
import { Turns } from "../../base/turns.ts";
import type { Config } from "../../config/config.ts";
import { loadRedisUsers, watchRedisUsers } from "../../store/redis_users.ts";
import type { Store } from "../../store/store.ts";
import type { UserTake } from "../../router/limits/limit_cells.ts";
import type { DataPlane } from "../workers/data_plane.ts";
import { retry } from "./retry.ts";
import type { UserReads } from "../../router/options.ts";

const log = logger("proxy");

/** What stored users need of the proxy. */
export interface StoredUsersOptions {
  readonly store: Store;
  readonly plane: Pick<DataPlane, "users" | "limitUsers" | "setUserReads">;
  /** The dashboard that makes changes. */
  dashboard(): DashboardAccess;
}

/** What was read of the store. */
interface Read {
  readonly records: readonly UserRecord[];
  readonly limits: readonly UserTake[];
  readonly reads: readonly UserReads[];
}

/** See the header. */
export class StoredUsers implements UsersSource {
  readonly #options: StoredUsersOptions;
  readonly #stopping = new AbortController();
  /** The client that has asked for a change; 0 for none. */
  #by = 0;
  #isDefaultStored = false;
  /** The limits that are in force, as JSON. */
  #limits = "[]";
  /** Where clients of users read from, as JSON. */
  #reads = "[]";
  readonly #turns = new Turns(1);

  /** Reads nothing yet. */
  constructor(options: StoredUsersOptions) {
    this.#options = options;
  }

  /**
   * Puts the users that are stored now in force.
   *
   * @throws {CoordinatorError | SyntaxError} When they cannot be read; they stay as they were.
   * @throws {Error} When a worker does not take them.
   */
  reload(): Promise<void> {
    const { plane } = this.#options;
    return this.#turns.take(async () => {
      const { records, limits, reads } = await this.#read();
      await plane.users.replaceAll(records, this.#by);
      await this.#limit(limits);
      await this.#readFrom(reads);
    });
  }

  /**
   * Puts the users that are stored in force, and follows them until {@linkcode StoredUsers.stop}.
   *
   * @throws As {@linkcode StoredUsers.reload}.
   */
  async start(): Promise<void> {
    await this.reload();
    this.#options.plane.users.source = this;
    this.#follow();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    const watch = watchRedisUsers(this.#options.store);
    signal.addEventListener("abort", () => watch.close());
    for await (const _ of watch) {
      await retry(
        () => this.reload().catch(refuseText),
        (error) => log.warn("Redis users stay as they were, trying again: {error}", { error }),
        { signal, timers: SYSTEM_TIMERS },
      );
    }
  }

  /** Follows them no more. */
  stop(): void {
    this.#stopping.abort();
  }

  async #limit(limits: readonly UserTake[]): Promise<void> {
    const text = JSON.stringify(limits);
    if (text === this.#limits) return;
    await this.#options.plane.limitUsers(limits);
    this.#limits = text;
  }

  async #readFrom(reads: readonly UserReads[]): Promise<void> {
    const text = JSON.stringify(reads);
    if (text === this.#reads) return;
    await this.#options.plane.setUserReads(reads);
    this.#reads = text;
  }

  async #read(): Promise<Read> {
    const users = await loadRedisUsers(this.#options.store);
    const records = recordsOfTexts(users);
    this.#isDefaultStored = users.some(({ name }) => name === DEFAULT_USER);
    const limits = users.flatMap(({ name, limits }) =>
      limits === undefined ? [] : [{
        name: bytesOfText(name),
        requests: limits.requests_per_second,
        bytes: limits.bytes_per_second,
        connections: limits.connections,
      }]
    );
    const reads = users.flatMap(({ name, read_from }) =>
      read_from === undefined ? [] : [{ name: bytesOfText(name), readFrom: read_from }]
    );
    return { records, limits, reads };
  }

  // -- what clients ask -----------------------------------------------------------------------

  async load(): Promise<ReadUsers> {
    return { users: (await this.#read()).records, errors: [] };
  }

  /** They are always saved. */
  save(): Promise<string> {
    return Promise.resolve("");
  }

  /** Never called: {@linkcode StoredUsers.make} is. */
  keep(): Promise<string> {
    return Promise.resolve("");
  }

  async make(change: ChangedUsers, by: number): Promise<UsersAnswer> {
    const client = new DashboardClient(this.#options.dashboard());
    this.#by = by;
    try {
      if (change.kind === "set") {
        await client.setRedisUser(textOf(change.name), this.#rulesOf(change).map(textOf));
        return { error: "", deleted: 0 };
      }
      const { users } = this.#options.plane.users;
      const names = [...new Set(change.names)].filter((name) => users.get(name) !== undefined);
      if (names.length > 0) await client.deleteRedisUsers(names.map(textOf));
      return { error: "", deleted: names.length };
    } catch (error) {
      return { error: `ERR ${reasonOf(error)}`, deleted: 0 };
    } finally {
      this.#by = 0;
    }
  }

  /** The default user has the password of this proxy's config.ini, until it is stored. */
  #rulesOf({ name, rules }: Extract<ChangedUsers, { kind: "set" }>): string[] {
    const hashed = hashedRules(rules);
    if (name !== DEFAULT_USER || this.#isDefaultStored) return hashed;
    return ["reset", ...this.#options.plane.users.users.default.describe().split(" "), ...hashed];
  }
}

/**
 * The dashboard that makes changes.
 *
 * @param http The proxy's own HTTP address, where the process is a whole system.
 */
export function changerOf(
  { dashboardAddr, dashboardToken: token }: Config,
  http: Address,
): DashboardAccess {
  return { address: dashboardAddr ?? reachableHere(http), token, sender: "proxy" };
}

/** What is stored is not for this version: it stays so until it is changed. */
function refuseText(error: unknown): void {
  if (!(error instanceof SyntaxError)) throw error;
  log.error("Redis users stay as they were: {error}", { error });
}

function textOf(bytes: string): string {
  const text = textOfBytes(bytes);
  if (bytesOfText(text) === bytes) return text;
  throw new SyntaxError("names and rules of users in the store must be UTF-8");
}

function reasonOf(error: unknown): string {
  const { message } = error as Error;
  // On one line: it is a Redis error.
  const line = message.replace(/[\r\n]+/g, " ");
  if (!(error instanceof DashboardUnreachableError)) return line;
  const end = error.reason === "unreachable" ? "; nothing was changed" : "";
  return `users are in the store (acl = store), which the dashboard changes: ${line}${end}`;
}
