/**
 * The slot table that a proxy serves by: loaded while it is online, fenced from the first one on, and
 * requests are held whenever it may be out of date.
 *
 *     online ──► fence ──► load the table ──► serving
 *                             ▲                  │ fence removed, or this process was paused
 *                             │                  ▼
 *                             └────────────── held ── holdMs ──┬─► refused: slots may have changed
 *                                                              └─► serving: the coordinator cannot be asked
 *
 * While the fence stands without an online proxy behind it, the dashboard changes nothing: then the last
 * table holds, whatever happens to our entry. A table without a slot, of a store that has lost its data, needs no
 * fence while we are not online: it is given up, and the store can be set up again.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import type { Timers } from "../../base/timers.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import { ClosedError } from "../../coordinator/errors.ts";
import type { Watch } from "../../coordinator/watch.ts";
import type { Serving } from "../../router/serving.ts";
import { checkIsHere } from "../../store/moves.ts";
import { StoreError } from "../../store/store.ts";
import type { OwnEntry } from "./own_entry.ts";
import { RETRY, retry } from "./retry.ts";

/** Longest time that requests are held unless told otherwise, in milliseconds. */
const HOLD_MS = 10_000;

const log = logger("proxy");

/** What a served table needs of the proxy. */
export interface ServedTableOptions {
  /** A pause of this process from which on its table is doubted, in milliseconds. */
  readonly gapMs: number;
  /** Longest time that requests are held, in milliseconds. @default 10000 */
  readonly holdMs?: number | undefined;
  readonly timers: Timers;
  /** Ends all waiting: the proxy stops. */
  readonly signal: AbortSignal;
  /** Whether the registration is online. */
  isOnline(): boolean;
  /**
   * Asks whether the table may have been changed although we are online and fenced: by a failover, or since the store
   * was set back to an older copy.
   *
   * @throws {CoordinatorError} When that cannot be asked.
   */
  isOvertaken(): Promise<boolean>;
  /** Loads every slot; called again when it rejects. */
  load(): Promise<void>;
  /** Whether no slot is served. */
  isEmpty(): boolean;
  /** Says whether requests are served from now on. */
  setServing(serving: Serving): void;
}

/** See the header. */
export class ServedTable {
  readonly #own: OwnEntry;
  readonly #options: ServedTableOptions;
  /** Whether there is a table, so that requests are or were served by it. */
  #hasTable = false;
  /** Whether slots could be changed since the table was read. */
  #isOld = false;
  #loading: Promise<void> | undefined;
  #mustLoad = false;
  /** Cancels the bound; requests are held, or refused, as long as it is set. */
  #endHold: (() => void) | undefined;
  #fenceWatch: Watch<Entry | undefined> | undefined;
  #keepingFence: Promise<void> = Promise.resolve();
  #seenMs: number;
  /** Pauses of this process that were noticed. */
  #gaps = 0;
  #cancelTick = () => {};

  /** Loads nothing yet. */
  constructor(own: OwnEntry, options: ServedTableOptions) {
    this.#own = own;
    this.#options = options;
    this.#seenMs = options.timers.nowMs();
  }

  /** Begins to watch for pauses of this process. */
  start(): void {
    const { timers, gapMs, signal } = this.#options;
    const tick = () => {
      if (signal.aborted) return;
      this.checkGap();
      this.#cancelTick = timers.after(Math.max(10, gapMs / 4), tick);
    };
    this.#cancelTick = timers.after(Math.max(10, gapMs / 4), tick);
  }

  /** Ends everything after the signal was aborted. Requests that are held go on. */
  async stop(): Promise<void> {
    this.#cancelTick();
    this.#fenceWatch?.close();
    await this.#keepingFence;
    this.#resume();
  }

  // -- loading --

  /** Whether the table is being loaded, or must be. */
  get isLoading(): boolean {
    return this.#loading !== undefined || this.#mustLoad || this.#isOld;
  }

  /** Loads the table until that has worked once after it was last asked for; resolves then, or at the end. */
  load(): Promise<void> {
    this.#mustLoad = true;
    return this.#loading ??= this.#loadNow();
  }

  async #loadNow(): Promise<void> {
    const { timers, signal } = this.#options;
    const backoff = new Backoff(RETRY);
    while (this.#mustLoad && !signal.aborted) {
      this.#mustLoad = false;
      try {
        // When we are set online again, this is called again.
        if (!this.#hasTable && !await this.#fenceFirst()) continue;
        await this.#options.load();
        this.#hasTable = true;
        if (this.#options.isEmpty() && !this.#options.isOnline()) await this.#giveUp();
        else this.#watchFence();
      } catch (error) {
        this.#mustLoad = true;
        if (error instanceof ClosedError) break;
        log.error("slots not loaded, trying again: {error}", { error });
        await sleep(backoff.nextMs(), signal, timers);
      }
    }
    this.#loading = undefined;
    if (this.#mustLoad) return; // stopped on the way
    this.#isOld = false;
    this.#resume();
  }

  // -- the fence --

  /**
   * Makes the fence before the first table is read. Who changed something before it was made, and did
   * not see it, has written that before we see ourselves online behind it: it is in what we read then.
   *
   * @returns Whether we are online; if not, there is no fence, as nothing is served.
   */
  async #fenceFirst(): Promise<boolean> {
    // It may be ours since a table that we have given up.
    const isOurs = this.#own.hasFence;
    const isMade = await this.#own.fence() || isOurs;
    if ((await this.#own.load())?.state === "online") {
      // Who moves the product to another store has seen the fence, or we see that here.
      await checkIsHere(this.#own.store);
      return true;
    }
    await this.#own.removeNewFence(isMade);
    // The entry's watch may report nothing of it: it only knows the newest value.
    if (this.#options.isOnline()) throw new StoreError("not online any more");
    return false;
  }

  /**
   * Makes the fence again after the entry was lost and created again. If it was removed meanwhile,
   * requests are held until {@linkcode ServedTable.loadIfOld} has a new table.
   */
  async fenceAgain(): Promise<void> {
    if (!this.#own.hasFence) return;
    if (!await this.#own.isFenced()) {
      log.warn(
        "our fence was removed while we were away: holding requests until slots are reloaded",
      );
      this.#isOld = true;
      this.#hold();
    }
    await this.#own.fence();
  }

  /**
   * We are not online: loads the table if it is out of date, behind the fence nothing changes until we are; or if it
   * has no slot, and may be given up.
   */
  loadIfOld(): void {
    if (this.#isOld || (this.#hasTable && this.#options.isEmpty())) this.load();
  }

  /** From the first table on: notices that our fence is removed. */
  #watchFence(): void {
    if (this.#fenceWatch !== undefined || this.#options.signal.aborted) return;
    this.#fenceWatch = this.#own.watchFence();
    this.#keepingFence = this.#keepFence(this.#fenceWatch);
  }

  /** There is nothing to serve, and nobody has set us online: as before the first table. */
  async #giveUp(): Promise<void> {
    this.#fenceWatch?.close();
    this.#fenceWatch = undefined;
    await this.#keepingFence;
    this.#hasTable = !await this.#own.removeIdleFence();
    if (this.#hasTable) this.#watchFence();
  }

  async #keepFence(watch: Watch<Entry | undefined>): Promise<void> {
    for await (const fence of watch) {
      if (fence !== undefined) continue;
      log.warn("our fence was removed while we serve: holding requests until slots are reloaded");
      await this.#fenceAnew();
      this.load();
    }
  }

  /** Our fence may be gone: makes sure of it, and loads the table behind it. */
  async renew(): Promise<void> {
    await this.#fenceAnew();
    await this.load();
  }

  async #fenceAnew(): Promise<void> {
    this.#isOld = true;
    this.#hold();
    await retry(
      () => this.#own.fence(),
      (error) => log.warn("fence not made, trying again: {error}", { error }),
      this.#options,
    );
  }

  // -- pauses of this process --

  /**
   * Notices that this process was paused, and holds requests until the table is known to be current.
   * Called by a timer; who serves requests may call it first, before it serves one.
   */
  checkGap(): void {
    const gapMs = this.#passed();
    if (gapMs >= this.#options.gapMs && this.#hasTable) this.#holdAfterGap(gapMs);
  }

  /**
   * A worker has noticed that this process was paused, and holds its requests: holds all requests until
   * the table is known to be current, also if the pause would not have been noticed here.
   */
  notePause(): void {
    const gapMs = this.#passed();
    if (this.#hasTable && !this.#options.signal.aborted) this.#holdAfterGap(gapMs);
    else this.#options.setServing("serving");
  }

  #passed(): number {
    const nowMs = this.#options.timers.nowMs();
    const passedMs = nowMs - this.#seenMs;
    this.#seenMs = nowMs;
    return passedMs;
  }

  #holdAfterGap(gapMs: number): void {
    if (this.#endHold === undefined) {
      log.warn("this process was paused for {gapMs} ms: holding requests until slots are checked", {
        gapMs: Math.round(gapMs),
      });
    }
    this.#hold();
    // The pause may have cost us the connection: asked again, as long as requests are held for it.
    const gap = ++this.#gaps;
    retry(
      () => this.#checkPlace(gap),
      (error) => log.warn("unknown what happened during the pause: {error}", { error }),
      { ...this.#options, isWanted: () => gap === this.#gaps && this.#endHold !== undefined },
    );
  }

  /** Nothing was changed behind our back if we were online and fenced all the time. */
  async #checkPlace(gap: number): Promise<void> {
    const own = await this.#own.load();
    const isInPlace = own?.state === "online" && await this.#own.isFenced() &&
      !await this.#options.isOvertaken();
    // What was read may be from before another pause; that one is being checked.
    if (gap !== this.#gaps) return;
    if (isInPlace) {
      // A table that is being loaded, because it was old before or since, resumes by itself.
      if (!this.#isOld && this.#loading === undefined) this.#resume();
      return;
    }
    this.#isOld = true;
    // Without an entry we are about to register again, and that ends in a new table.
    if (own === undefined) return;
    await this.#own.fence();
    await this.load();
  }

  // -- holding requests --

  #hold(): void {
    if (this.#endHold !== undefined) return;
    const { timers, holdMs = HOLD_MS } = this.#options;
    this.#endHold = timers.after(holdMs, () => this.#holdTooLong(holdMs));
    this.#options.setServing("held");
  }

  #holdTooLong(holdMs: number): void {
    const seconds = holdMs / 1000;
    if (this.#isOld) {
      log.error(
        "slots not reloaded within {seconds} s, others may have changed them: " +
          "refusing requests until they are",
        { seconds },
      );
      return this.#options.setServing("refused");
    }
    log.error("coordinator unreachable for {seconds} s, serving a slot table that may be stale", {
      seconds,
    });
    this.#resume();
  }

  #resume(): void {
    if (this.#endHold === undefined) return;
    this.#endHold();
    this.#endHold = undefined;
    this.#options.setServing("serving");
  }
}
