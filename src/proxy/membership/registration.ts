/**
 * Where a proxy stands with the coordinator: registered, set online, and there again after a loss.
 *
 *     idle ── start ──► registering ──► waiting ──► online ── the table is loaded (served_table.ts)
 *                            ▲             │  ▲        │
 *                            │             │  └────────┤ "offline" was written
 *                            └── lost ◄────┴───────────┘ own entry is gone: expired, deleted
 *     any of them ── stop ──► stopping: fence, then own entry removed ──► stopped
 *     own entry says "mark_offline" ──► onMarkOffline: the process ends itself in order
 *     the store was set back (action_follower.ts) ──► entry made ours, the table is loaded behind our fence
 *
 * Where Codis 2.0 ends the process (session expired, own entry deleted, coordinator away), we keep
 * serving the last table: the fence stays, and while it stands without an online proxy behind it the
 * dashboard changes nothing.
 *
 * A fence that is removed while we serve, as Codis 2.0's tools do when we were set offline, is made again at
 * once, and the table is read again behind it: who removed it may have changed slots.
 *
 * A proxy that has never been online has no table, serves nobody and needs no fence: it blocks nobody.
 * The fence is made when it is set online, and only then, still online behind it, reads its first table.
 *
 * An earlier process of the same id is waited for until its session ends, or until it is surely gone
 * (`base/process_life.ts`): then its entry, and a fence that it left at our address, are removed at once.
 *
 * While a new process takes over from an old one (`upgrade/`), both follow the same entry, which the old one has
 * created, and both are online when it says so. Before the old one ends, the new one makes the entry its own.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import { changeState, type StateMoves } from "../../base/state.ts";
import { SYSTEM_TIMERS, type Timers } from "../../base/timers.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import type { Watch } from "../../coordinator/watch.ts";
import type { ProxyRecord } from "../../model/proxy.ts";
import type { Serving } from "../../router/serving.ts";
import type { Store } from "../../store/store.ts";
import { OtherProcess } from "../upgrade/other_process.ts";
import { OwnEntry } from "./own_entry.ts";
import { retry } from "./retry.ts";
import { ServedTable } from "./served_table.ts";
import { takeOver } from "./takeover.ts";

/** Where a proxy stands; see the drawing above. */
export type RegistrationState =
  | "idle"
  | "registering"
  | "waiting"
  | "online"
  | "stopping"
  | "stopped";

/** What the registration asks of the process. */
export interface RegistrationEvents {
  /** Asks to be set online: writes it, or asks the dashboard; tried again until it resolves. */
  askOnline(): Promise<void>;
  /** Called before the entry is created. */
  beforeEntry?(): Promise<void>;
  /**
   * The proxy is online, for the first time or again: loads every slot, then serves. Called again
   * when it rejects, until it resolves.
   */
  onOnline(): Promise<void>;
  /** Whether no slot is served by the table that was loaded. @default some are */
  isEmpty?(): boolean;
  /** Somebody has set the proxy offline. @default nothing is done */
  onOffline?(): void;
  /** An operator, or a dashboard, wants the process to end in order. */
  onMarkOffline(): void;
  /** Requests are served, held or refused from now on. */
  setServing(serving: Serving): void;
  /** Asks whether the table may have been changed although we are online and fenced. @default no */
  isOvertaken?(): Promise<boolean>;
}

/** Times of a registration, in milliseconds. */
export interface RegistrationTimes {
  /** How long an entry of the same id may take to end at the start: its process may have died. */
  readonly takeoverMs: number;
  /** Longest wait between two tries to be set online; the first ones follow sooner. @default 3000 */
  readonly askMs?: number;
  /** A pause of this process from which on its table is doubted. */
  readonly gapMs: number;
  /** Longest time that requests are held. @default 10000 */
  readonly holdMs?: number;
}

const MOVES: StateMoves<RegistrationState> = {
  idle: ["registering", "stopping"],
  registering: ["waiting", "stopping"],
  waiting: ["online", "registering", "stopping"],
  online: ["waiting", "registering", "stopping"],
  stopping: ["stopped"],
  stopped: [],
};

/** Waits between two tries to be set online: a dashboard that starts as well leads in a moment. */
const ASK = { firstMs: 200, maxMs: 3_000, jitter: 0 };

/** How often a reason for not being online is logged while it stays the same, in milliseconds. */
const REASON_MS = 60_000;

const log = logger("proxy");

/** See the header. */
export class Registration {
  /** The slot table that requests are served by. */
  readonly table: ServedTable;
  readonly #own: OwnEntry;
  readonly #other: OtherProcess;
  readonly #events: RegistrationEvents;
  readonly #times: RegistrationTimes;
  readonly #timers: Timers;
  readonly #stopping = new AbortController();
  #state: RegistrationState = "idle";
  #watch: Watch<Entry | undefined> | undefined;
  #following: Promise<void> = Promise.resolve();
  #awaySinceMs = 0;
  #registrations = 0;
  #isAsking = false;
  #isMarkedOffline = false;
  #isRemoved = false;

  /** Registers nothing yet; `record` is the proxy's own, `offline`. */
  constructor(
    store: Store,
    record: ProxyRecord,
    events: RegistrationEvents,
    times: RegistrationTimes,
    timers: Timers = SYSTEM_TIMERS,
    other = new OtherProcess(timers),
  ) {
    this.#own = new OwnEntry(store, record, other);
    this.#other = other;
    this.#events = events;
    this.#times = times;
    this.#timers = timers;
    this.table = new ServedTable(this.#own, {
      gapMs: times.gapMs,
      holdMs: times.holdMs,
      timers,
      signal: this.#stopping.signal,
      isOnline: () => this.#state === "online",
      load: () => events.onOnline(),
      isEmpty: () => events.isEmpty?.() ?? false,
      isOvertaken: async () => await events.isOvertaken?.() ?? false,
      setServing: (serving) => events.setServing(serving),
    });
  }

  /** Where the proxy stands. */
  get state(): RegistrationState {
    return this.#state;
  }

  /** The proxy as it is registered. */
  get record(): ProxyRecord {
    return this.#own.record;
  }

  /** Reads at the coordinator whether we are online. */
  async isOnlineThere(): Promise<boolean> {
    return (await this.#own.load())?.state === "online";
  }

  /** Notes in our fence that we follow the rule of failovers. */
  noteRule(): Promise<void> {
    return this.#own.noteRule();
  }

  /** Says whose end proves the proxy's; `""`: nobody's alone. */
  setLife(life: string): Promise<void> {
    return this.#own.setLife(life);
  }

  /**
   * The store is not what it was: makes the entry that is there ours, if it was of an earlier session, and loads
   * the table behind our fence; resolves when it is loaded, or at the end.
   */
  async readAnew(): Promise<void> {
    await this.#own.adopt();
    await this.table.renew();
  }

  /** How often the proxy has registered; more than 1 after a loss. */
  get registrations(): number {
    return this.#registrations;
  }

  /** For how long it is known that no dashboard could change the table, in milliseconds; 0 when online. */
  get staleMs(): number {
    return this.#state === "online" ? 0 : this.#timers.nowMs() - this.#awaySinceMs;
  }

  /**
   * Registers the proxy and begins to follow its own entry; does nothing when it was stopped before.
   *
   * @throws {StoreError} When another proxy has the id, and keeps it for `takeoverMs`.
   * @throws {CoordinatorError} When the coordinator cannot be reached.
   */
  async start(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#move("registering");
    this.#awaySinceMs = this.#timers.nowMs();
    const starting = this.#other.isThere ? this.#registerBeside() : takeOver(this.#own, {
      takeoverMs: this.#times.takeoverMs,
      signal: this.#stopping.signal,
      timers: this.#timers,
      register: () => this.#registerNew(),
    });
    this.#following = starting.catch(() => {});
    await starting;
    if (this.#stopping.signal.aborted) return;
    this.#watch = this.#own.watch();
    this.#following = this.#follow(this.#watch);
    this.table.start();
  }

  /**
   * Ends the registration: removes the fence, then the own entry. For when no request is served any
   * more; what the coordinator does not take now, ends with the session or stays as a fence.
   */
  async stop(): Promise<void> {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#move("stopping");
    this.#stopping.abort();
    this.#watch?.close();
    await this.#following;
    await this.table.stop();
    await this.removeLeft();
    this.#move("stopped");
  }

  /** Removes entry and fence, unless another process of this proxy is there, which does. */
  async removeLeft(): Promise<void> {
    this.#isRemoved = false;
    try {
      await this.#own.remove();
      this.#isRemoved = true;
    } catch (error) {
      log.error("own entry and fence not removed: {error}", { error });
    }
  }

  /** Whether the coordinator has taken, at the end, that nothing of ours stays; else our fence may stay. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  // -- registering --

  /** Creates the entry; and the fence, if requests are served. */
  async #register(): Promise<void> {
    await this.#events.beforeEntry?.();
    const record = await this.#own.create();
    await this.table.fenceAgain();
    this.#own.record = record;
    this.#registrations++;
    // Who stops us waits for us, and then removes what we have just made.
    if (this.#stopping.signal.aborted) return;
    this.#move("waiting");
    log.info("{id} is registered at {addr}", { id: record.id, addr: record.addr });
    this.table.loadIfOld();
  }

  /** The old process's entry is ours as well, unless it went with that one, and had to be made anew. */
  async #registerBeside(): Promise<void> {
    await this.#register();
    const isOffline = (await this.#own.load())?.state === "offline";
    if (isOffline && !this.#stopping.signal.aborted) this.#ask();
  }

  async #registerNew(): Promise<void> {
    await this.#register();
    if (!this.#stopping.signal.aborted) this.#ask();
  }

  async #registerAgain(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    log.warn("own entry is gone: serving the last slot table, registering again");
    if (this.#state === "online") this.#awaySinceMs = this.#timers.nowMs();
    if (this.#state !== "registering") this.#move("registering");
    await retry(
      () => this.#registerNew(),
      (error) => log.warn("not registered, trying again: {error}", { error }),
      { signal: this.#stopping.signal, timers: this.#timers },
    );
  }

  // -- following the own entry --

  async #follow(watch: Watch<Entry | undefined>): Promise<void> {
    for await (const entry of watch) {
      const own = this.#own.parse(entry);
      if (own === undefined) await this.#registerAgain();
      else this.#see(own);
    }
  }

  #see(own: ProxyRecord): void {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#own.record = own;
    switch (own.state) {
      case "mark_offline":
        if (this.#isMarkedOffline) return;
        this.#isMarkedOffline = true;
        log.info(
          "{id} is marked offline: by an operator, or by a dashboard that waited too long for it to confirm a " +
            "change, which says so in its log",
          { id: own.id },
        );
        return this.#events.onMarkOffline();
      case "online":
        if (this.#state === "online") return;
        this.#move("online");
        log.info("{id} is online", { id: own.id });
        this.table.load();
        return;
      case "offline":
        if (this.#state !== "online") return;
        this.#awaySinceMs = this.#timers.nowMs();
        this.#move("waiting");
        log.warn("{id} was set offline: serving the last slot table until it is online again", {
          id: own.id,
        });
        this.table.loadIfOld();
        return this.#events.onOffline?.();
    }
  }

  /** Asks to be set online until that was heard, or is no longer needed. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    let [logged, loggedMs] = ["", 0];
    const backoff = new Backoff({ ...ASK, maxMs: this.#times.askMs ?? ASK.maxMs });
    try {
      while (this.#state === "waiting") {
        try {
          return await this.#events.askOnline();
        } catch (error) {
          const { id } = this.#own.record;
          if (`${error}` !== logged || this.#timers.nowMs() - loggedMs > REASON_MS) {
            log.warn("{id} waits to be set online: {error}", { id, error });
            [logged, loggedMs] = [`${error}`, this.#timers.nowMs()];
          }
          await sleep(backoff.nextMs(), this.#stopping.signal, this.#timers);
        }
      }
    } finally {
      this.#isAsking = false;
    }
  }

  #move(next: RegistrationState): void {
    this.#state = changeState(MOVES, this.#state, next, "registration");
  }
}
