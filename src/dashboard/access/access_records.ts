/**
 * The dashboard's users and API tokens, as the store has them: followed, and kept while the store is away.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import { tokenHash } from "../../control/api_tokens.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import type { Watch } from "../../coordinator/watch.ts";
import { type ApiToken, decodeApiTokens, isTokenAlive } from "../../model/api_token.ts";
import { type DashboardUser, decodeDashboardUsers } from "../../model/dashboard_user.ts";
import { loadApiTokens } from "../../store/api_tokens.ts";
import { loadDashboardUsers } from "../../store/dashboard_users.ts";
import type { Store } from "../../store/store.ts";

/** How long a request waits for the first look at the store, in milliseconds. */
const FIRST_LOOK_MS = 5_000;

const log = logger("dashboard");

/** See the header. */
export class AccessRecords {
  readonly #store: Store;
  readonly #watches: Watch<Entry | undefined>[] = [];
  readonly #known = Promise.withResolvers<void>();
  #refreshing: Promise<void> = Promise.resolve();
  #users: readonly DashboardUser[] | undefined;
  #tokens: readonly ApiToken[] | undefined;

  /** Reads nothing yet. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** Starts to follow the store. */
  start(): void {
    const { paths } = this.#store;
    this.#follow(paths.dashboardUsers, "users of the dashboard", (json) => {
      this.#users = json === undefined ? [] : decodeDashboardUsers(json);
    });
    this.#follow(paths.apiTokens, "API tokens", (json) => {
      this.#tokens = json === undefined ? [] : decodeApiTokens(json);
    });
  }

  /** Ends that. */
  stop(): void {
    for (const watch of this.#watches) watch.close();
  }

  /** Waits until users and tokens have been read once; false when that takes too long. */
  async areKnown(): Promise<boolean> {
    if (this.#isKnown) return true;
    const late = new AbortController();
    await Promise.race([this.#known.promise, sleep(FIRST_LOOK_MS, late.signal)]);
    late.abort();
    return this.#isKnown;
  }

  /** Reads them now, so that what was just changed is in force when it is answered. */
  refresh(): Promise<void> {
    // One behind the other: an answer that is late must not bring back what was withdrawn since.
    return this.#refreshing = this.#refreshing.catch(() => {}).then(async () => {
      this.#users = await loadDashboardUsers(this.#store);
      this.#tokens = await loadApiTokens(this.#store);
    });
  }

  /** Whether there is a user or a token: then nobody does anything without one. */
  get areThere(): boolean {
    return this.#users !== undefined && this.#users.length > 0 ||
      this.#tokens !== undefined && this.#tokens.length > 0;
  }

  /** Whether anybody can log in with a name and a password. */
  get hasUsers(): boolean {
    return this.#users !== undefined && this.#users.length > 0;
  }

  /** The user of a name. */
  user(name: string): DashboardUser | undefined {
    return this.#users?.find((user) => user.name === name);
  }

  /** The record of a token that has not expired. */
  async token(given: string): Promise<ApiToken | undefined> {
    if (this.#tokens === undefined || this.#tokens.length === 0) return undefined;
    const hash = await tokenHash(given);
    return this.#tokens.find((token) => token.hash === hash && isTokenAlive(token, Date.now()));
  }

  get #isKnown(): boolean {
    return this.#users !== undefined && this.#tokens !== undefined;
  }

  async #follow(
    path: string,
    what: string,
    take: (json: string | undefined) => void,
  ): Promise<void> {
    const watch = this.#store.coordinator.watchData(path);
    this.#watches.push(watch);
    for await (const entry of watch) {
      try {
        take(entry?.data);
      } catch (error) {
        // Before the first look nobody but dashboard_token gets in.
        log.error("{what} stay as they were, {path} cannot be read: {error}", {
          what,
          path,
          error,
        });
      }
      if (this.#isKnown) this.#known.resolve();
    }
  }
}
