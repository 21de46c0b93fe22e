/**
 * A control plane of the tests' own: it writes what a change says, tells the proxies, waits for all of
 * them, and opens connections to Redis.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { parseAddress } from "../../src/base/address.ts";
import { Secret } from "../../src/base/secret.ts";
import { OPERATIONS_MAX } from "../../src/coordinator/coordinator.ts";
import type { ClusterChange, Control, EntryWrite } from "../../src/control/control.ts";
import { NotLeaderError, UnconfirmedError } from "../../src/control/errors.ts";
import type { OutageReport } from "../../src/control/outages.ts";
import type { ActionRecord } from "../../src/model/action.ts";
import { encodeProxy } from "../../src/model/proxy.ts";
import { RedisConnection } from "../../src/redis/connection.ts";
import { createAction, loadAnswers } from "../../src/store/actions.ts";
import { checkFences, loadFences } from "../../src/store/fences.ts";
import { loadProxies } from "../../src/store/proxies.ts";
import { readIfThere, type Store } from "../../src/store/store.ts";

/** How often answers are looked for, in milliseconds. */
const LOOK_MS = 2;

/** How it deviates from the rule. */
export interface ScriptedControlOptions {
  /** Longest time that proxies may take to confirm, in milliseconds; by default 30 s. */
  readonly confirmMs?: number;
  readonly user?: string;
  readonly password?: string;
}

/** See the header. */
export class ScriptedControl implements Control {
  readonly store: Store;
  /** What was told, one line each. */
  readonly events: string[] = [];
  /** The summaries of the changes made, in order. */
  readonly changes: string[] = [];
  /** Whether all proxies follow moves in chunks. */
  chunks: "yes" | "no" | "unknown" = "yes";
  /** Called before each change; throws to keep it from being made. */
  beforeChange: (change: ClusterChange) => void | Promise<void> = () => {};
  /** Whether another dashboard has taken over. */
  isReplaced = false;
  readonly #options: ScriptedControlOptions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(store: Store, options: ScriptedControlOptions = {}) {
    this.store = store;
    this.#options = options;
  }

  proveLead(): Promise<void> {
    return this.isReplaced ? Promise.reject(new NotLeaderError("other:1")) : Promise.resolve();
  }

  change(change: ClusterChange): Promise<void> {
    const done = this.#turn.then(() => this.#change(change));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #change(change: ClusterChange): Promise<void> {
    await this.beforeChange(change);
    if (change.announcements.length > 0 && change.mayMiss !== true) {
      checkFences(await loadFences(this.store), await loadProxies(this.store));
    }
    this.changes.push(change.summary);
    await this.#write(change.writes);
    const silent = await Promise.all(change.announcements.map((each) => this.#announce(each)));
    if (silent.flat().length > 0) throw new UnconfirmedError(`no answer from ${silent.flat()}`);
  }

  /** Writes entries, as many at once as a coordinator takes. */
  async #write(writes: readonly EntryWrite[]): Promise<void> {
    if (writes.length > OPERATIONS_MAX) {
      await this.#write(writes.slice(0, OPERATIONS_MAX));
      return await this.#write(writes.slice(OPERATIONS_MAX));
    }
    const operations = await Promise.all(writes.map(async ({ path, data }) => {
      const isThere = await readIfThere(this.store, path) !== undefined;
      if (data === null) return isThere ? [{ delete: path }] : [];
      return [isThere ? { write: path, data } : { create: path, data, isLeaf: true }];
    }));
    await this.store.coordinator.transact(operations.flat());
  }

  /** @returns The ids of the proxies that did not confirm. */
  async #announce({ type, target, mustConfirm }: ClusterChange["announcements"][number]) {
    const online = (await loadProxies(this.store)).filter(({ state }) => state === "online");
    const name = await createAction(this.store, {
      type,
      desc: "",
      target,
      ts: `${Math.floor(Date.now() / 1000)}`,
      receivers: online.length === 0 ? null : online.map(encodeProxy),
    } as ActionRecord);
    const endMs = performance.now() + (this.#options.confirmMs ?? 30_000);
    for (;;) {
      const answers = await loadAnswers(this.store, name);
      const silent = online.filter(({ id }) => !answers.includes(id)).map(({ id }) => id);
      if (silent.length === 0 || !mustConfirm) return [];
      if (performance.now() > endMs) return silent;
      await delay(LOOK_MS);
    }
  }

  redis(addr: string, replyMs = 5_000): Promise<RedisConnection> {
    const { user = "", password = "" } = this.#options;
    const options = { user, password: new Secret(password), dialMs: 1_000, replyMs };
    return RedisConnection.open(parseAddress(addr), options);
  }

  proxiesFollow(): Promise<"yes" | "no" | "unknown"> {
    return Promise.resolve(this.chunks);
  }

  report(level: "info" | "warning" | "error", text: string): void {
    this.events.push(`${level}: ${text}`);
  }

  outage({ phase, kind, text }: OutageReport): void {
    this.events.push(`${phase} ${kind}: ${text}`);
  }
}
