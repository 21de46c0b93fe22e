/**
 * The life of a proxy with the coordinator: registered, set online, and there again after a loss.
 *
 *     idle ── start ──► registering ──► waiting ──► online ── fenced, then onOnline: (re)load the table
 *                            ▲             │  ▲        │
 *                            │             │  └────────┤ somebody wrote "offline"
 *                            └── lost ◄────┴───────────┘ own entry is gone: expired, deleted
 *     any of them ── stop ──► stopping: fence, then own entry removed ──► stopped
 *     own entry says "mark_offline" ──► onMarkOffline: the process ends itself in order
 *
 * Where Codis 2.0 ends the process (session expired, own entry deleted, coordinator away), we keep
 * serving the last table: the fence stays, and while it stands without an online proxy behind it the
 * dashboard changes nothing. Only when the fence itself is found removed, or this process was paused,
 * may the table be old: then requests are held until it was read again. Past a bound they are answered
 * with errors if it is known that somebody could change slots, and served if nobody can be asked.
 *
 * A fence that is removed while we serve, as Codis 2.0's tools do when we were set offline, is made again at
 * once, and the table is read again behind it: whoever removed it may have changed slots.
 *
 * A proxy that has never been online has no table, serves nobody and needs no fence: it holds up nobody.
 * The fence is made when it is set online, and only then, still online behind it, reads its first table.
 *
 * An earlier process of the same id is waited for until its session ends, or until it is surely gone
 * (`base/process_life.ts`): then its entry, and a fence that it left at our address, are removed at once.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { forgetLife, isSurelyGone } from "../../base/process_life.ts";
import { changeState, type StateMoves } from "../../base/state.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import { ClosedError, NodeExistsError } from "../../coordinator/errors.ts";
import type { Watch } from "../../coordinator/watch.ts";
import { decodeProxy, isSameLife, type ProxyRecord } from "../../model/proxy.ts";
import { createFence, deleteFence, deleteFenceOf, loadFences } from "../../store/fences.ts";
import {
  createProxy,
  deleteProxy,
  deleteProxyOfGone,
  loadProxy,
  watchProxy,
} from "../../store/proxies.ts";
import { type Store, StoreError } from "../../store/store.ts";

/** Where a proxy stands; see the drawing above. */
export type RegistrationState =
  | "idle"
  | "registering"
  | "waiting"
  | "online"
  | "stopping"
  | "stopped";

/** What happens to the process on the way. */
export interface RegistrationEvents {
  /** Asks to be set online: writes it, or tells the dashboard; tried again until it resolves. */
  askOnline(): Promise<void>;
  /**
   * The proxy is online, for the first time or again: loads every slot, then serves. Called again
   * when it rejects, until it resolves.
   */
  onOnline(): Promise<void>;
  /** An operator wants the process to end in order. */
  onMarkOffline(): void;
  /** The table may be old: requests wait from now on. */
  holdRequests(): void;
  /** The table is known to be old, and could not be read within the bound: requests get errors. */
  refuseRequests(): void;
  /** The table is new, or the bound is reached and nobody can be asked: requests go on. */
  resumeRequests(): void;
}

/** Times of a registration, in milliseconds. */
export interface RegistrationTimes {
  /** How long an entry of the same id may take to end at the start: its process may have died. */
  readonly takeoverMs: number;
  /** Between two tries to be set online. @default 3000 */
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

const ASK_MS = 3_000;
const HOLD_MS = 10_000;
/** How often it is looked whether an earlier process of ours is gone, in milliseconds. */
const GONE_LOOK_MS = 100;
/** How often a reason for not being online is logged while it stays the same, in milliseconds. */
const REASON_MS = 60_000;

/** Waits between two tries of anything that needs the coordinator. */
const RETRY = { firstMs: 100, maxMs: 5_000 };

const log = logger("proxy");

/** See the header. */
export class Registration {
  readonly #store: Store;
  readonly #events: RegistrationEvents;
  readonly #times: RegistrationTimes;
  readonly #stopping = new AbortController();
  #state: RegistrationState = "idle";
  #record: ProxyRecord;
  #watch: Watch<Entry | undefined> | undefined;
  #following: Promise<void> = Promise.resolve();
  #fenceWatch: Watch<Entry | undefined> | undefined;
  #keepingFence: Promise<void> = Promise.resolve();
  #awaySinceMs = 0;
  #registrations = 0;
  #isAsking = false;
  #isLoading = false;
  #isMarkedOffline = false;
  #mustLoad = false;
  /** Whether requests are, or were, served: there is a table that can be old. */
  #hasTable = false;
  /** Whether we have fenced our address, or tried to. */
  #hasFence = false;
  /** Whether somebody could change slots since the table was read. */
  #isOld = false;
  #holdTimer: ReturnType<typeof setTimeout> | undefined;
  #gapTimer: ReturnType<typeof setInterval> | undefined;
  #seenMs = performance.now();
  /** Lives of earlier processes that are surely gone. */
  readonly #gone = new Set<string>();
  /** Pauses of this process that were noticed. */
  #gaps = 0;

  /** Registers nothing yet; `record` is the proxy's own, `offline`. */
  constructor(
    store: Store,
    record: ProxyRecord,
    events: RegistrationEvents,
    times: RegistrationTimes,
  ) {
    this.#store = store;
    this.#record = record;
    this.#events = events;
    this.#times = times;
  }

  /** Where the proxy stands. */
  get state(): RegistrationState {
    return this.#state;
  }

  /** The proxy as it is registered. */
  get record(): ProxyRecord {
    return this.#record;
  }

  /** How often the proxy has registered; more than 1 after a loss. */
  get registrations(): number {
    return this.#registrations;
  }

  /** How long the table has been without somebody to change it, in milliseconds; 0 when online. */
  get staleMs(): number {
    return this.#state === "online" ? 0 : performance.now() - this.#awaySinceMs;
  }

  /**
   * Registers the proxy and begins to follow its own entry.
   *
   * @throws {StoreError} When another proxy has the id, and keeps it for `takeoverMs`.
   * @throws {CoordinatorError} When the coordinator cannot be reached.
   */
  async start(): Promise<void> {
    this.#move("registering");
    this.#awaySinceMs = performance.now();
    const starting = this.#takeId();
    this.#following = starting.catch(() => {});
    await starting;
    if (this.#stopping.signal.aborted) return;
    this.#watch = watchProxy(this.#store, this.#record.id);
    this.#following = this.#follow(this.#watch);
    const tickMs = Math.max(10, this.#times.gapMs / 4);
    this.#gapTimer = setInterval(() => this.checkGap(), tickMs);
  }

  /**
   * Ends the registration: removes the fence, then the own entry. For when no request is served any
   * more; what the coordinator does not take now, ends with the session or stays as a fence.
   */
  async stop(): Promise<void> {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#move("stopping");
    this.#stopping.abort();
    clearInterval(this.#gapTimer);
    this.#watch?.close();
    await this.#following;
    this.#fenceWatch?.close();
    await this.#keepingFence;
    this.#resume();
    try {
      // One that somebody else has left, who may be serving, is not ours to remove.
      if (this.#hasFence) await deleteFence(this.#store, this.#record.addr);
      const entry = await loadProxy(this.#store, this.#record.id);
      if (entry !== undefined && isSameLife(entry, this.#record)) {
        await deleteProxy(this.#store, this.#record.id);
      }
    } catch (error) {
      log.error("registration not ended in order: {error}", { error });
    }
    this.#move("stopped");
  }

  /**
   * Notices that this process was paused, and holds requests until the table is known to be new.
   * Called by a timer; whoever serves requests may call it first, before it serves one.
   */
  checkGap(): void {
    const now = performance.now();
    const gapMs = now - this.#seenMs;
    this.#seenMs = now;
    if (gapMs < this.#times.gapMs || !this.#hasTable) return;
    this.#holdAfterGap(gapMs);
  }

  /**
   * Somebody else has noticed that this process was paused, and lets requests wait: holds all requests
   * until the table is known to be new, also if it would not have been noticed here.
   */
  notePause(): void {
    const now = performance.now();
    const gapMs = now - this.#seenMs;
    this.#seenMs = now;
    if (this.#hasTable && !this.#stopping.signal.aborted) this.#holdAfterGap(gapMs);
    else this.#events.resumeRequests();
  }

  // -- registering --

  /** Registers for the first time; waits for the entry of an earlier process of ours to end. */
  async #takeId(): Promise<void> {
    const { id } = this.#record;
    const watch = this.#watch = watchProxy(this.#store, id);
    const timer = setTimeout(() => watch.close(), this.#times.takeoverMs);
    let holder: Entry | undefined;
    let looking = new AbortController();
    try {
      for await (holder of watch) {
        looking.abort();
        if (holder === undefined) return await this.#takePlace();
        looking = new AbortController();
        log.info("wait for the earlier {id} to end: {data}", { id, data: holder.data });
        this.#endGone(holder, looking.signal);
      }
    } finally {
      looking.abort();
      clearTimeout(timer);
      watch.close();
    }
    if (this.#stopping.signal.aborted) return;
    throw new StoreError(`proxy_id "${id}" is taken: ${holder?.data}`);
  }

  /** Ends the registration of an earlier process of ours as soon as that is surely gone. */
  async #endGone(holder: Entry, signal: AbortSignal): Promise<void> {
    const life = lifeIn(holder.data);
    while (!signal.aborted && !this.#stopping.signal.aborted) {
      try {
        if (isSurelyGone(life)) {
          log.info("the earlier {id} is gone: its place is taken", { id: this.#record.id });
          this.#gone.add(life);
          return await deleteProxyOfGone(this.#store, this.#record.id, holder);
        }
      } catch (error) {
        log.debug("the earlier {id} stays: {error}", { id: this.#record.id, error });
      }
      await this.#pause(GONE_LOOK_MS);
    }
  }

  /** Registers for the first time. A fence at our address may be of a process that is gone. */
  async #takePlace(): Promise<void> {
    const { addr } = this.#record;
    const isGone = (life: string) => isSurelyGone(life) && this.#gone.add(life).size > 0;
    if (await deleteFenceOf(this.#store, addr, isGone)) {
      log.info("the fence of {addr} is removed: its process is gone", { addr });
    }
    await this.#register();
    for (const life of this.#gone) forgetLife(life);
  }

  /** Creates the entry; and the fence, if requests are served. */
  async #register(): Promise<void> {
    const record = { ...this.#record, state: "offline" } as const;
    try {
      await createProxy(this.#store, record);
    } catch (error) {
      // An earlier try of ours may have gone through unheard.
      const entry = error instanceof NodeExistsError ? await this.#loadOwn() : undefined;
      if (entry === undefined) throw error;
    }
    if (this.#hasFence && !await this.#isFenced()) {
      log.warn("our fence was removed while we were away: requests wait for a new table");
      this.#isOld = true;
      this.#hold();
    }
    if (this.#hasFence) await this.#fence();
    this.#record = record;
    this.#registrations++;
    // Who stops us waits for us, and then removes what we have just made.
    if (this.#stopping.signal.aborted) return;
    this.#move("waiting");
    log.info("{id} is registered at {addr}", { id: record.id, addr: record.addr });
    // Behind the fence nothing changes until we are online: what is read now holds.
    if (this.#isOld) this.#load();
    this.#ask();
  }

  async #registerAgain(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    log.warn("our entry is gone: serving the last table, registering again");
    if (this.#state === "online") this.#awaySinceMs = performance.now();
    if (this.#state !== "registering") this.#move("registering");
    const backoff = new Backoff(RETRY);
    while (!this.#stopping.signal.aborted) {
      try {
        return await this.#register();
      } catch (error) {
        if (error instanceof ClosedError) return;
        log.warn("not registered: {error}", { error });
        await this.#pause(backoff.nextMs());
      }
    }
  }

  /** The own entry, if it is of this life. */
  async #loadOwn(): Promise<ProxyRecord | undefined> {
    const entry = await loadProxy(this.#store, this.#record.id);
    return entry !== undefined && isSameLife(entry, this.#record) ? entry : undefined;
  }

  /** @returns Whether our address was not fenced before. */
  #fence(): Promise<boolean> {
    const { addr, description } = this.#record;
    this.#hasFence = true;
    return createFence(this.#store, addr, description);
  }

  async #isFenced(): Promise<boolean> {
    return (await loadFences(this.#store)).includes(this.#record.addr);
  }

  // -- following the own entry --

  async #follow(watch: Watch<Entry | undefined>): Promise<void> {
    for await (const entry of watch) {
      const own = entry === undefined ? undefined : this.#parseOwn(entry.data);
      if (own === undefined) await this.#registerAgain();
      else this.#see(own);
    }
  }

  /** What an entry says of us; `undefined` when it is of another life. */
  #parseOwn(json: string): ProxyRecord | undefined {
    try {
      const entry = decodeProxy(json);
      return isSameLife(entry, this.#record) ? entry : undefined;
    } catch (error) {
      log.error("our entry cannot be read, it stays as it was: {error}", { error });
      return this.#record;
    }
  }

  #see(own: ProxyRecord): void {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#record = own;
    switch (own.state) {
      case "mark_offline":
        if (this.#isMarkedOffline) return;
        this.#isMarkedOffline = true;
        log.info("marked offline");
        return this.#events.onMarkOffline();
      case "online":
        if (this.#state === "online") return;
        this.#move("online");
        log.info("{id} is online", { id: own.id });
        this.#load();
        return;
      case "offline":
        if (this.#state !== "online") return;
        this.#awaySinceMs = performance.now();
        this.#move("waiting");
        log.warn("set offline by somebody: serving the last table, waiting to be online");
    }
  }

  /** Asks to be set online until that was heard, or is no longer needed. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    let [told, toldMs] = ["", 0];
    try {
      while (this.#state === "waiting") {
        try {
          return await this.#events.askOnline();
        } catch (error) {
          const { id } = this.#record;
          if (`${error}` !== told || performance.now() - toldMs > REASON_MS) {
            log.warn("wait to be online: {id}: {error}", { id, error });
            [told, toldMs] = [`${error}`, performance.now()];
          }
          await this.#pause(this.#times.askMs ?? ASK_MS);
        }
      }
    } finally {
      this.#isAsking = false;
    }
  }

  /** Has the table loaded until that worked once after it was last asked for. */
  async #load(): Promise<void> {
    this.#mustLoad = true;
    if (this.#isLoading) return;
    this.#isLoading = true;
    const backoff = new Backoff(RETRY);
    while (this.#mustLoad && !this.#stopping.signal.aborted) {
      this.#mustLoad = false;
      try {
        // What sets us online anew begins it anew.
        if (!this.#hasTable && !await this.#fenceFirst()) continue;
        await this.#events.onOnline();
        this.#hasTable = true;
        this.#keepFence();
      } catch (error) {
        this.#mustLoad = true;
        if (error instanceof ClosedError) break;
        log.error("slots not loaded: {error}", { error });
        await this.#pause(backoff.nextMs());
      }
    }
    this.#isLoading = false;
    if (this.#mustLoad) return; // stopped on the way
    this.#isOld = false;
    this.#resume();
  }

  /**
   * Makes the fence before the first table is read. Whoever changed something before it was made, and did
   * not see it, has written that before we see ourselves online behind it: it is in what we read then.
   *
   * @returns Whether we are online; if not, there is no fence, as nothing is served.
   */
  async #fenceFirst(): Promise<boolean> {
    const { addr, description } = this.#record;
    const isMade = await this.#fence();
    if ((await this.#loadOwn())?.state === "online") return true;
    // One that was there before is somebody else's, unless its making was not heard of.
    const isOurs = (life: string) => isMade || (life !== "" && life === description);
    await deleteFenceOf(this.#store, addr, isOurs);
    this.#hasFence = false;
    // The entry's watch may tell nothing of it: it only knows the newest.
    if (this.#state === "online") throw new StoreError("not online any more");
    return false;
  }

  /** From the first table on: notices that our fence is removed. */
  #keepFence(): void {
    if (this.#fenceWatch !== undefined || this.#stopping.signal.aborted) return;
    const { coordinator, paths } = this.#store;
    const watch = this.#fenceWatch = coordinator.watchData(paths.fence(this.#record.addr));
    this.#keepingFence = this.#fenceAgain(watch);
  }

  async #fenceAgain(watch: Watch<Entry | undefined>): Promise<void> {
    const backoff = new Backoff(RETRY);
    for await (const fence of watch) {
      if (fence !== undefined) continue;
      log.warn("our fence was removed while we serve: requests wait for a new table");
      this.#isOld = true;
      this.#hold();
      let isFenced = false;
      while (!isFenced && !this.#stopping.signal.aborted) {
        try {
          await this.#fence();
          isFenced = true;
        } catch (error) {
          if (error instanceof ClosedError) return;
          log.warn("not fenced again: {error}", { error });
          await this.#pause(backoff.nextMs());
        }
      }
      backoff.reset();
      this.#load();
    }
  }

  // -- holding requests --

  #holdAfterGap(gapMs: number): void {
    if (this.#holdTimer === undefined) {
      log.warn("this process was paused for {gapMs} ms: requests wait", {
        gapMs: Math.round(gapMs),
      });
    }
    this.#hold();
    this.#checkAfterGap();
  }

  #hold(): void {
    if (this.#holdTimer !== undefined) return;
    const late = () => {
      if (this.#isOld) {
        log.error("the table is old and cannot be read: requests are answered with errors");
        return this.#events.refuseRequests();
      }
      log.error("requests go on with a table that may be old: nobody can be asked");
      this.#resume();
    };
    this.#holdTimer = setTimeout(late, this.#times.holdMs ?? HOLD_MS);
    this.#events.holdRequests();
  }

  #resume(): void {
    if (this.#holdTimer === undefined) return;
    clearTimeout(this.#holdTimer);
    this.#holdTimer = undefined;
    this.#events.resumeRequests();
  }

  /**
   * Nobody changed anything behind our back if we were online and fenced all the time. The pause may
   * have cost us the connection: then it is asked again, as long as requests are held for it.
   */
  async #checkAfterGap(): Promise<void> {
    const gap = ++this.#gaps;
    const backoff = new Backoff(RETRY);
    while (gap === this.#gaps && this.#holdTimer !== undefined) {
      try {
        return await this.#checkPlace(gap);
      } catch (error) {
        if (error instanceof ClosedError) return;
        log.warn("cannot tell what happened during the pause: {error}", { error });
        await this.#pause(backoff.nextMs());
      }
    }
  }

  async #checkPlace(gap: number): Promise<void> {
    const own = await this.#loadOwn();
    const isInPlace = own?.state === "online" && await this.#isFenced();
    // What was read may be from before another pause; that one is being looked into.
    if (gap !== this.#gaps) return;
    if (isInPlace) {
      // What is being loaded, because it was old before or since, resumes by itself.
      if (!this.#isOld && !this.#isLoading) this.#resume();
      return;
    }
    this.#isOld = true;
    // Without an entry we are about to register again, and that ends in a new table.
    if (own === undefined) return;
    await this.#fence();
    await this.#load();
  }

  // -- waiting --

  #move(next: RegistrationState): void {
    this.#state = changeState(MOVES, this.#state, next, "registration");
  }

  /** Waits, but not once {@linkcode Registration.stop} was called. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end);
    });
  }
}

/** The life of which an entry tells; empty when it tells of none. */
function lifeIn(json: string): string {
  try {
    return decodeProxy(json).description;
  } catch {
    return "";
  }
}
