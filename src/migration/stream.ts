/**
 * Moves slots from one group to another, many at a time: one stream for each pair of groups.
 *
 *      take jobs ─► open slots, a few per change ─► one round over the source's keys ─┬─► finish clean slots
 *        ▲                 (beside the round)  ▲    (all slots in `migrate`)          │   (beside the next round)
 *        │                                     └──────────────────────────────────────┤
 *        └─────────────── when all are open ◄─────────────────────────────────────────┘
 *
 * While clients use the servers, no round starts before all slots are open: it would not move their keys.
 *
 * A failure of one slot makes its job leave the stream. A failure of the servers ends the stream; its
 * slots are where the store says.
 *
 * @module
 */

import { chunk } from "@std/collections/chunk";
import type { Timers } from "../base/timers.ts";
import { slotsText } from "../model/slot_ranges.js";
import { loadGroup, masterOf } from "../store/groups.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import type { StreamRoute } from "./cycle.ts";
import type { JobStream, MigrationJob } from "./job.ts";
import type { MoveLock } from "./mover/move_lock.ts";
import {
  type MoveContext,
  MoveError,
  type MoveOptions,
  type MovePair,
  type RoundResult,
  type SlotMover,
} from "./mover/mover.ts";
import { openMover } from "./mover/open_mover.ts";
import { SlotOpener, TOGETHER } from "./slot_opener.ts";
import type { StepWriter } from "./step_writer.ts";
import { StreamSlots } from "./stream_slots.ts";
import { finishPart } from "./task.ts";
import { type ProxyLatency, Throttle, type ThrottleLimits } from "./throttle.ts";

/** Sizes of a stream. */
export interface StreamLimits extends Omit<ThrottleLimits, "delayMs"> {
  /** Most slots of one source that are in `migrate` at once. */
  readonly slotsAtOnce: number;
  /** Slots that are blocked together. */
  readonly slotsPerChange: number;
}

/** What a stream works for. */
export interface StreamHost {
  readonly writer: StepWriter;
  readonly limits: StreamLimits;
  readonly options: MoveOptions;
  readonly timers: Timers;
  /** The lock of a server, by address. */
  moveLock(addr: string): MoveLock;
  /** The proxy whose clients wait longest, as far as is known. */
  slowestProxy(): ProxyLatency | undefined;
  /** Hands out jobs for the route; they are the stream's until `letGo` or `onFinish`. */
  take(count: number): MigrationJob[];
  /** Slots that will take the route and have not started. */
  upcoming(): number[];
  /** Keys have been moved: the servers are well. */
  onProgress(): void;
  /** A job has left the stream. */
  letGo(job: MigrationJob): void;
  /** A job is done, and its task deleted. */
  onFinish(job: MigrationJob): void;
}

/** Time between two reads of the proxies' latency, in milliseconds: as often as proxies report it. */
const LATENCY_MS = 1_000;

/** The limits as they are at each moment, and the delay of the tasks. */
function withDelay(limits: StreamLimits, delayMs: number): ThrottleLimits {
  return {
    delayMs,
    get keysPerSecond() {
      return limits.keysPerSecond;
    },
    get bytesPerSecond() {
      return limits.bytesPerSecond;
    },
    get p99MaxMs() {
      return limits.p99MaxMs;
    },
  };
}

/** See the header. */
export class MoveStream implements JobStream {
  readonly route: StreamRoute;
  readonly #host: StreamHost;
  readonly #stopping = new AbortController();
  /** Aborted when it moves no more keys, for whatever reason. */
  readonly #ended = new AbortController();
  readonly #slots: StreamSlots;
  readonly #throttle: Throttle;
  #mover: SlotMover | undefined;
  #opener: SlotOpener | undefined;
  #finishing: Promise<void> = Promise.resolve();

  constructor(route: StreamRoute, host: StreamHost) {
    this.route = route;
    this.#host = host;
    this.#slots = new StreamSlots(this, host.letGo);
    this.#throttle = new Throttle(
      withDelay(host.limits, route.delayMs),
      () => host.timers.nowMs(),
    );
  }

  /** Why it is slower than it could be; `""`: it is not. */
  get slowedBy(): string {
    return this.#throttle.slowedBy;
  }

  /** Nothing keeps the route, however long the round takes that moves its keys. */
  keysMoved(): void {
    this.#host.onProgress();
  }

  /** Whether it was asked to end. */
  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Ends it soon; its slots stay as they are. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Closes the connections that its calls wait for. */
  abort(): void {
    this.stop();
    this.#mover?.close();
  }

  /**
   * Moves slots until there are none to move.
   *
   * @throws {Error} What keeps all slots of the route; no job is the stream's any more.
   */
  async run(): Promise<void> {
    const endReading = this.#readLatency();
    try {
      // A dashboard that no longer leads must not start.
      await this.#host.writer.settle("always");
      const pair = await this.#masters();
      const mover = this.#mover = await openMover(this.#context(pair));
      await this.#moveAll(pair, mover);
    } finally {
      endReading();
      this.#ended.abort();
      await this.#opener?.opened();
      await this.#finishing;
      this.#mover?.close();
      for (const job of this.#slots.all()) this.#host.letGo(job);
    }
  }

  async #moveAll(pair: MovePair, mover: SlotMover): Promise<void> {
    const { signal } = this.#stopping;
    const { limits, moveLock, upcoming, writer } = this.#host;
    const slots = this.#slots;
    const opener = this.#opener = new SlotOpener({
      ...{ route: this.route, pair, slots, mover, writer, moveLock, upcoming },
      signal: AbortSignal.any([signal, this.#ended.signal]),
      slotsPerChange: limits.slotsPerChange,
      together: () => this.#together(),
      isNoticed: () => this.#throttle.isNoticed,
    });
    for (;;) {
      signal.throwIfAborted();
      await this.#checkMasters(pair);
      if (!opener.isOpening) await this.#enter(opener, mover);
      if (!this.#throttle.isUnlimited) await opener.opened();
      else if (!mover.scansAhead) await opener.halfOpened();
      opener.check();
      if (slots.moving.size > 0 || opener.isOpening) {
        const result = await mover.moveRound(slots.moving, signal);
        this.#host.onProgress();
        this.#sort(result);
        slots.prove(result.clean);
        this.#finishing = this.#finishing.then(() => this.#finish(result.clean));
      } else if (slots.isFinishing) await this.#finishing;
      else return;
    }
  }

  /** How much larger than usual a change may be that blocks slots. */
  #together(): number {
    const { isUnlimited, isUnseen } = this.#throttle;
    return isUnseen ? TOGETHER.unseen : isUnlimited ? TOGETHER.few : TOGETHER.noticed;
  }

  async #enter(opener: SlotOpener, mover: SlotMover): Promise<void> {
    const { limits, take } = this.#host;
    const most = Math.min(limits.slotsAtOnce, await mover.slotsAtOnce());
    await opener.enter(take(most - this.#slots.size));
  }

  /** Stops work on a job. Resolves when nothing of its slot is being moved or changed here. */
  release(job: MigrationJob): Promise<void> {
    return this.#slots.release(job, async (slotId) => await this.#mover?.settled(slotId));
  }

  /** Reads the proxies' latency now and again; the returned function ends that. */
  #readLatency(): () => void {
    const { slowestProxy, timers } = this.#host;
    let cancel = () => {};
    const read = () => {
      this.#throttle.proxyMeasured(slowestProxy());
      cancel = timers.after(LATENCY_MS, read);
    };
    read();
    return () => cancel();
  }

  async #masters(): Promise<MovePair> {
    const { store } = this.#host.writer.control;
    const { from, to } = this.route;
    return {
      source: masterOf(await loadGroup(store, from, LEAVE_OUT)).addr,
      target: masterOf(await loadGroup(store, to, LEAVE_OUT)).addr,
    };
  }

  /** A server that is no longer master must neither give keys nor get any. */
  async #checkMasters({ source, target }: MovePair): Promise<void> {
    const now = await this.#masters();
    const text = (old: string, master: string) => `${old} is no longer master, ${master} is`;
    if (now.source !== source) throw new MoveError(text(source, now.source));
    if (now.target !== target) throw new MoveError(text(target, now.target));
  }

  #context(pair: MovePair): MoveContext {
    const { writer: { control }, options, moveLock } = this.#host;
    const slots = this.#slots;
    return {
      ...{ control, options, pair, moveLock, throttle: this.#throttle },
      progress: (slotId) => slots.get(slotId)?.progress,
      coming: () => this.#opener?.coming ?? new Set(),
      someOpened: async () => await this.#opener?.someOpened(),
      note: (slotId, text) => {
        const job = slots.get(slotId);
        if (job !== undefined) job.note = text;
      },
      bigKeys: (slotId) => slots.get(slotId)?.bigKeys,
    };
  }

  /** Jobs with keys that cannot be moved leave; the others go on. */
  #sort({ stuck, refused }: RoundResult): void {
    const slots = this.#slots;
    for (const job of slots.all()) {
      const { slot_id } = job.task;
      if (!stuck.has(slot_id) && !refused.has(slot_id)) job.recover();
    }
    for (const [slotId, text] of stuck) slots.leave(slots.get(slotId), text);
    for (const [slotId, text] of refused) slots.leave(slots.get(slotId), text, true);
  }

  /** Ends the migration of slots whose keys have all been moved. */
  async #finish(slotIds: readonly number[]): Promise<void> {
    const { writer, limits: { slotsPerChange } } = this.#host;
    const { to } = this.route;
    // Nobody waits for these: no slot is blocked.
    for (const some of chunk(slotIds, slotsPerChange * TOGETHER.unseen)) {
      const jobs = this.#slots.provedOf(some);
      if (jobs.length === 0) continue;
      const text = slotsText(jobs.map(({ task }) => task.slot_id));
      const parts = jobs.map(({ name, task }) =>
        finishPart(writer.control.store, name, task.slot_id, to)
      );
      try {
        await this.#slots.change(() => writer.writeAnyway(`${text}: group ${to}, online`, parts));
      } catch (error) {
        this.#slots.leaveAll(jobs, error);
        continue;
      }
      for (const job of jobs) {
        this.#slots.drop(job);
        this.#host.onFinish(job);
      }
    }
  }
}
