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
 * A store in which the newest action that we know is not there, or is another one, was set back to an older copy,
 * or its actions were removed by hand. New actions may have lower numbers there, and what we have read may not
 * hold. So all of it is read anew, and then what is for us and not answered is done as ever.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import { ClosedError, CoordinatorError } from "../../coordinator/errors.ts";
import type { Watch } from "../../coordinator/watch.ts";
import { isSameLife, type ProxyLife, type ProxyRecord } from "../../model/proxy.ts";
import {
  type ActionOf,
  type ActionRecord,
  type ActionType,
  decodeAction,
} from "../../model/action.ts";
import {
  answerAction,
  findUnanswered,
  loadActionNames,
  loadActionText,
  watchActionNames,
} from "../../store/actions.ts";
import { loadActionsBefore, raiseActionsBefore } from "../../store/moves.ts";
import { compareSequence, sortSequence } from "../../store/sequence.ts";
import { logFailure, type Store, StoreError } from "../../store/store.ts";
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
  /** The store is not what it was: reads the whole table, as at the start; resolves when it is in force. */
  readAnew(): Promise<void>;
}

/** The actions in the store, oldest first, and what the newest says. */
interface ActionsThere {
  readonly names: readonly string[];
  readonly newest: string | undefined;
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

/** Newest actions of a store that was set back among which are those to answer: more than are under way at once. */
const OPEN_MAX = 64;

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
  /** What that one says, by which the store is known again; nothing: that is not known. */
  #lastText: string | undefined;
  /** The action at hand, or the last one. */
  #inHand = "";
  /** Actions of a store that was set back which are for us, and not answered yet. */
  #open = new Set<string>();
  /** Whether such a store must be read anew. */
  #mustReadAnew = false;
  /** How far actions were numbered before the product came to this store. */
  #before = 0;
  /** In which of the coordinator's stores actions are counted. */
  #moves: number | undefined;
  #waiters: { readonly name: string; readonly resolve: () => void }[] = [];
  #watch: Watch<readonly string[]> | undefined;
  #unlisten = () => {};
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
    const there = await this.#actionsThere();
    this.#moves = moves;
    this.#before = before;
    this.#open.clear();
    this.#mustReadAnew = false;
    this.#beginBehind(there);
  }

  #beginBehind({ names, newest }: ActionsThere): void {
    this.#inHand = "";
    this.#last = names.at(-1);
    this.#lastText = newest;
  }

  async #actionsThere(): Promise<ActionsThere> {
    for (;;) {
      const names = await loadActionNames(this.#store);
      if (names.length === 0) return { names, newest: undefined };
      const newest = await loadActionText(this.#store, names.at(-1)!);
      // Else it was removed since.
      if (newest !== undefined) return { names, newest };
    }
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
    this.#unlisten = this.#store.coordinator.onState((state) => {
      if (state === "connected") this.#followAnew();
    });
  }

  /** Ends following; resolves when the action at hand, if any, is done with. */
  async stop(): Promise<void> {
    this.#unlisten();
    this.#watch?.close();
    this.#watch = undefined;
    this.#stopping.abort();
    await this.#running;
  }

  /** The servers were away, and may have come back with an older copy: looks at all actions again. */
  #followAnew(): void {
    if (this.#watch === undefined) return;
    this.#watch.close();
    const watch = this.#watch = watchActionNames(this.#store);
    this.#running = this.#running.then(() => this.#follow(watch));
  }

  async #follow(watch: Watch<readonly string[]>): Promise<void> {
    let isFirst = true;
    for await (const names of watch) {
      const moves = this.#moves;
      const open = await this.#namesToDo(names, isFirst);
      isFirst = false;
      for (const name of open) {
        if (this.#watch !== watch) return;
        if (this.#moves !== moves) break;
        this.#inHand = name;
        await this.#finish(name);
        this.#open.delete(name);
      }
    }
  }

  /** Which actions of the store are to be done, oldest first; a store that was set back is read anew before. */
  async #namesToDo(names: readonly string[], isFirst: boolean): Promise<readonly string[]> {
    const backoff = new Backoff(RETRY);
    const newer = sortSequence(names).filter((name) => !this.#isPast(name));
    const isKnown = this.#last === undefined || names.includes(this.#last);
    const mayBeOther = isFirst || !isKnown || newer.length === 0 || this.#mustReadAnew;
    while (mayBeOther && this.#watch !== undefined) {
      if (this.#store.coordinator.moves !== this.#moves) return newer;
      try {
        this.#mustReadAnew ||= await this.isSetBack();
        if (!this.#mustReadAnew) break;
        await this.#readAnew();
        this.#mustReadAnew = false;
        return [...this.#open];
      } catch (error) {
        if (error instanceof ClosedError) return [];
        logFailure(this.#store, log, "actions not looked at yet, trying again", error);
        await sleep(backoff.nextMs(), this.#stopping.signal, this.#timers);
      }
    }
    return [...this.#open, ...newer];
  }

  // -- a store that was set back --

  /**
   * Whether the newest action that we know is not in the store any more, or is another one; or what was read before
   * that was noticed is still in force.
   *
   * @throws {CoordinatorError} When the store cannot be read.
   */
  async isSetBack(): Promise<boolean> {
    if (this.#mustReadAnew) return true;
    // In another store, actions are others.
    if (this.#last === undefined || this.#store.coordinator.moves !== this.#moves) return false;
    const text = await loadActionText(this.#store, this.#last);
    return text === undefined || (this.#lastText !== undefined && text !== this.#lastText);
  }

  /** Takes the store as it is, and goes on numbering where we were. */
  async #readAnew(): Promise<void> {
    const [known, number] = [this.last, this.numberOf(this.last)];
    const there = await this.#actionsThere();
    log.warn(
      "action {known}, which is in force here, is not in the coordinator any more: it was set back to an older " +
        "copy, or actions were removed by hand; holding requests until slots are read from it",
      { known },
    );
    const own = this.#options.record();
    const open = await findUnanswered(
      this.#store,
      there.names.slice(-OPEN_MAX),
      own.id,
      ({ receivers }) => isReceiver(receivers, own),
    );
    await raiseActionsBefore(this.#store, number - Number(there.names.at(-1) ?? 0));
    this.#before = await loadActionsBefore(this.#store);
    this.#beginBehind(there);
    this.#open = new Set(open);
    await Promise.race([this.#options.readAnew(), aborted(this.#stopping.signal)]);
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  /** Does one action, however often it takes. */
  async #finish(name: string): Promise<void> {
    const backoff = new Backoff(RETRY);
    const moves = this.#moves;
    while (this.#watch !== undefined) {
      try {
        const text = await this.#doOnce(name);
        if (this.#moves !== moves) return;
        this.#options.other.haveApplied(name);
        this.#isDone(name, text);
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

  #isDone(name: string, text?: string): void {
    if (!this.#isPast(name)) [this.#last, this.#lastText] = [name, text];
    const done = this.#waiters.filter((waiter) => this.#isPast(waiter.name));
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
  }

  /** Returns what the action says. */
  async #doOnce(name: string): Promise<string> {
    const { moves } = this.#store.coordinator;
    const text = await loadActionText(this.#store, name);
    if (text === undefined) throw new StoreError(`action ${name} is not found`);
    const action = decodeAction(text);
    const own = this.#options.record();
    if (!isReceiver(action.receivers, own)) {
      log.debug("action {name} is not for us", { name });
      return text;
    }
    const { other } = this.#options;
    const began = performance.now();
    // Also when it was answered: another process of this proxy may have done so, alone.
    await applyAction(this.#options, action);
    other.haveApplied(name);
    await other.untilApplied(name, this.#stopping.signal);
    // In another store, an action of this name is another one.
    if (this.#store.coordinator.moves !== moves) return text;
    await answerAction(this.#store, name, this.#options.record());
    const took = Math.round(performance.now() - began);
    log.info("action {name} ({type}) applied in {took} ms", { name, type: action.type, took });
    return text;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
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
