/**
 * Follows the actions of a product: applies what is new, in order, and answers each.
 *
 *     baseline()                         follow()
 *        │ newest action before we         │ watch of actions' names
 *        │ were registered                 ▼
 *        └────────────► last ──────► every newer name, oldest first
 *                                          │ not for us ───────────────► next
 *                                          ▼
 *                                       apply ──────► in force ──► answer ──► next
 *                                                            └ while another process takes over from this one,
 *                                                              or this one from it: in force there, too
 *                                          │
 *                                          └─ store unreachable ──► wait, try the same one again
 *
 * The answer goes out only when no request to an old owner is in flight any more: it is on this that
 * the dashboard relies.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { ClosedError, CoordinatorError } from "../../coordinator/errors.ts";
import type { Watch } from "../../coordinator/watch.ts";
import type { ActionOf, ActionRecord, ActionType } from "../../model/action.ts";
import { isSameLife, type ProxyLife, type ProxyRecord } from "../../model/proxy.ts";
import {
  answerAction,
  loadAction,
  loadActionNames,
  watchActionNames,
} from "../../store/actions.ts";
import { loadActionsBefore } from "../../store/moves.ts";
import { compareSequence, sortSequence } from "../../store/sequence.ts";
import type { Store } from "../../store/store.ts";
import type { OtherProcess } from "../upgrade/other_process.ts";
import type { ReplicaLoader } from "./replica_loader.ts";
import type { RuleLoader } from "./rule_loader.ts";
import type { SlotLoader } from "./slot_loader.ts";
import type { StoredUsers } from "./stored_users.ts";

/** What the follower needs of its proxy. */
export interface FollowerOptions {
  readonly slots: SlotLoader;
  readonly rules: RuleLoader;
  /** Users in the store; undefined: this proxy has its own. */
  readonly users?: StoredUsers | undefined;
  readonly replicas: ReplicaLoader;
  /** Another process that serves for the same proxy, at times. */
  readonly other: OtherProcess;
  /** The proxy as it is registered now. */
  record(): ProxyRecord;
  /** The action of this number is done with, for us or not, and so are all before it. */
  finished(number: number): void;
}

type Loaders = Pick<FollowerOptions, "slots" | "rules" | "users" | "replicas">;

type Appliers = {
  readonly [T in ActionType]: (loaders: Loaders, target: ActionOf<T>["target"]) => Promise<void>;
};

/**
 * What each type of action does to the slots, and to users. The copy inside an action names what changed; what it
 * changed to is read from the store.
 */
const APPLIERS: Appliers = {
  slot_changed: ({ slots }, slot) => slots.loadRange(slot.id, slot.id),
  slot_premigrate: ({ slots }, slot) => slots.loadRange(slot.id, slot.id),
  slot_migrate: ({ slots }, slot) => slots.loadRange(slot.id, slot.id),
  multi_slot_changed: ({ slots }, range) =>
    range.status === "offline"
      ? slots.resetRange(range.from, range.to)
      : slots.loadRange(range.from, range.to),
  group_changed: async ({ slots, replicas }, group) => {
    await slots.loadGroup(group.id);
    await replicas.load();
  },
  // No slot may have the group, or it could not have been removed.
  group_remove: () => Promise.resolve(),
  slot_rules: ({ rules }) => rules.load(),
  redis_users: async ({ users }) => await users?.reload(),
};

/** Waits between two tries to reach the store. */
const RETRY = { firstMs: 50, maxMs: 3_000 };

const log = logger("proxy");

/** See the header. */
export class ActionFollower {
  readonly #store: Store;
  readonly #options: FollowerOptions;
  readonly #timers: Timers;
  /** The newest action that is done with; nothing before the first, whose number is 0. */
  #last: string | undefined;
  /** The action at hand, or the last one. */
  #inHand = "";
  /** How far actions were numbered before the product came to this store. */
  #before = 0;
  /** In which of the coordinator's stores actions are counted. */
  #moves: number | undefined;
  #waiters: { readonly name: string; readonly resolve: () => void }[] = [];
  #watch: Watch<readonly string[]> | undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();

  /** Follows nothing yet. */
  constructor(store: Store, options: FollowerOptions, timers: Timers = SYSTEM_TIMERS) {
    this.#store = store;
    this.#options = options;
    this.#timers = timers;
  }

  /** The newest action that is done with; `""` before the first. */
  get last(): string {
    return this.#last ?? "";
  }

  /** The newest action that is done with, or about to be answered; `""` before the first. */
  get inHand(): string {
    return this.#inHand === "" ? this.last : this.#inHand;
  }

  /** Waits until an action, and all before it, are done with; for ever when that is never so. */
  untilDone(name: string): Promise<void> {
    if (name === "" || this.#isPast(name)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ name, resolve }));
  }

  #isPast(name: string): boolean {
    return this.#last !== undefined && compareSequence(name, this.#last) <= 0;
  }

  /**
   * Takes every action that is there as done with. To be called before the proxy registers: none of
   * them can be for it, and all of them are in what it will load.
   *
   * @throws {CoordinatorError} When the store cannot be read.
   */
  async baseline(): Promise<void> {
    const { moves } = this.#store.coordinator;
    const before = await loadActionsBefore(this.#store);
    const last = (await loadActionNames(this.#store)).at(-1);
    this.#moves = moves;
    this.#inHand = "";
    this.#before = before;
    this.#last = last;
  }

  /**
   * The same again when the product has gone to another store: actions are others there.
   *
   * @throws {CoordinatorError} When the store cannot be read.
   */
  async countAnew(): Promise<void> {
    if (this.#store.coordinator.moves !== this.#moves) await this.baseline();
  }

  /** The number of an action, which grows from one to the next, also from one store to another. */
  numberOf(name: string): number {
    return this.#before + Number(name);
  }

  /**
   * Begins to follow.
   *
   * @throws {ClosedError} When the coordinator is closed.
   */
  start(): void {
    this.#watch = watchActionNames(this.#store);
    this.#running = this.#follow(this.#watch);
  }

  /** Ends following; resolves when the action at hand, if any, is done with. */
  async stop(): Promise<void> {
    this.#watch?.close();
    this.#watch = undefined;
    this.#stopping.abort();
    await this.#running;
  }

  async #follow(watch: Watch<readonly string[]>): Promise<void> {
    for await (const names of watch) {
      const moves = this.#moves;
      for (const name of sortSequence(names)) {
        if (this.#watch !== watch) return;
        if (this.#moves !== moves) break;
        if (this.#isPast(name)) continue;
        this.#inHand = name;
        await this.#finish(name);
      }
    }
  }

  /** Does one action, however often it takes. */
  async #finish(name: string): Promise<void> {
    const backoff = new Backoff(RETRY);
    const moves = this.#moves;
    while (this.#watch !== undefined) {
      try {
        await this.#doOnce(name);
        if (this.#moves !== moves) return;
        this.#options.other.haveApplied(name);
        this.#isDone(name);
        return this.#options.finished(this.numberOf(name));
      } catch (error) {
        if (error instanceof ClosedError || this.#moves !== moves) return;
        if (!(error instanceof CoordinatorError)) {
          // Neither applied nor answered: the dashboard will notice, and the next action follows.
          log.error("action {name} failed: {error}", { name, error });
          return this.#isDone(name);
        }
        log.warn("action {name} not applied yet, trying again: {error}", { name, error });
        await sleep(backoff.nextMs(), this.#stopping.signal, this.#timers);
      }
    }
  }

  #isDone(name: string): void {
    this.#last = name;
    const done = this.#waiters.filter((waiter) => this.#isPast(waiter.name));
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
  }

  async #doOnce(name: string): Promise<void> {
    const { moves } = this.#store.coordinator;
    const action = await loadAction(this.#store, name);
    const own = this.#options.record();
    if (!isReceiver(action.receivers, own)) {
      log.debug("action {name} is not for us", { name });
      return;
    }
    const { other } = this.#options;
    const began = performance.now();
    // Also when it was answered: another process of this proxy may have done so, alone.
    await applyAction(this.#options, action);
    other.haveApplied(name);
    await other.untilApplied(name, this.#stopping.signal);
    // In another store, an action of this name is another one.
    if (this.#store.coordinator.moves !== moves) return;
    await answerAction(this.#store, name, this.#options.record());
    const took = Math.round(performance.now() - began);
    log.info("action {name} ({type}) applied in {took} ms", { name, type: action.type, took });
  }
}

async function applyAction(loaders: Loaders, action: ActionRecord): Promise<void> {
  const apply = APPLIERS[action.type] as Appliers[typeof action.type];
  await apply(loaders, action.target as never);
}

/**
 * Whether a proxy is among an action's receivers, by Codis 2.0's rule: each is a proxy record in JSON
 * of which id, pid and start_at count; one that is not JSON is an id, and unless it is ours the
 * receivers behind it do not count.
 */
export function isReceiver(receivers: readonly string[] | null, own: ProxyLife): boolean {
  for (const receiver of receivers ?? []) {
    const life = parseLife(receiver);
    if (life === undefined) return receiver === own.id;
    if (isSameLife(life, own)) return true;
  }
  return false;
}

function parseLife(text: string): ProxyLife | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
