/**
 * Takes slots from one group to another, many at a time: one stream for each pair of groups.
 *
 *      take ─► enter: begin, fence, open ─► pass over the source's keys ─► finish what is clean ─┐
 *        ▲     (a few slots per change)     (all slots that are in)                              │
 *        └─────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * A slot is blocked only from `begin` to `open`: all that can be known to fail is tried before. What
 * fails for one slot leaves the stream with it; what fails for the servers ends the stream, and all its
 * slots are where the store says they are.
 *
 * @module
 */

import type { SlotRecord } from "../model/slot.ts";
import { loadGroup, masterOf } from "../store/groups.ts";
import { loadSlot } from "../store/slots.ts";
import { UnconfirmedError } from "../control/errors.ts";
import {
  type MoveContext,
  MoveError,
  type MoveOptions,
  type MovePair,
  type SlotMover,
} from "./mover/mover.ts";
import type { MigrationJob } from "./job.ts";
import {
  beginPart,
  type ChangePart,
  currentRouteOf,
  finishPart,
  isUnderway,
  openPart,
  taskPart,
  undoPart,
} from "./task.ts";
import { openMover } from "./mover/open_mover.ts";
import { type ProxyLatency, Throttle, type ThrottleLimits } from "./throttle.ts";
import { lockBoth, type MoveLock } from "./mover/move_lock.ts";
import { slotsText } from "../model/slot_ranges.js";
import type { StepWriter } from "./step_writer.ts";

/** Where slots go from and to, and how fast. */
export interface StreamRoute {
  readonly from: number;
  readonly to: number;
  /** Least time between two calls, in milliseconds. */
  readonly delayMs: number;
}

/** Sizes of a stream. */
export interface StreamLimits extends Omit<ThrottleLimits, "delayMs"> {
  /** Slots of one source that are in `migrate` at once. */
  readonly slotsAtOnce: number;
  /** Slots that are blocked together. */
  readonly slotsPerChange: number;
}

/** What a stream works for. */
export interface StreamHost {
  readonly writer: StepWriter;
  readonly limits: StreamLimits;
  readonly options: MoveOptions;
  /** The move lock of a server, by address. */
  moveLock(addr: string): MoveLock;
  /** The proxy whose clients wait longest, as far as proxies tell. */
  slowestProxy(): ProxyLatency | undefined;
  /** Hands out jobs that go this route; they are the stream's until `letGo` or `ended`. */
  take(stream: MoveStream, count: number): MigrationJob[];
  /** Slots that will come this route and have not begun. */
  upcoming(stream: MoveStream): number[];
  /** Keys have been moved, and the servers are well. */
  goesOn(stream: MoveStream): void;
  /** A job is nobody's again. */
  letGo(job: MigrationJob): void;
  /** A job is done, and its task deleted. */
  ended(job: MigrationJob): void;
}

/** Time between two looks at what clients wait, in milliseconds: as often as proxies tell. */
const CLIENTS_MS = 1_000;

/** A job and its slot as it was last read. */
interface Entering {
  readonly job: MigrationJob;
  readonly slot: SlotRecord;
}

/**
 * How much larger changes are for slots that must be blocked all at once: they are, until the last of
 * them is opened.
 */
const TOGETHER = 4;

/** What has to be done with a slot that enters. */
type Kind =
  /** It is in `migrate` already. */
  | "moving"
  /** It is on its route from where it is to go now. */
  | "turning"
  /** Whoever blocked it did not open it. */
  | "blocked"
  | "fresh";

function kindOf({ slot, job: { step } }: Entering): Kind {
  if (step?.kind === "move") return "moving";
  const isBack = step?.kind === "begin" && step.to === slot.state.migrate_status.from;
  if (isUnderway(slot) && isBack) return "turning";
  return slot.state.status === "pre_migrate" ? "blocked" : "fresh";
}

function isBlocked({ slot }: Entering): boolean {
  return slot.state.status === "pre_migrate";
}

function textOf(entering: readonly Entering[]): string {
  return slotsText(entering.map(({ slot }) => slot.id));
}

/** See the header. */
export class MoveStream {
  readonly route: StreamRoute;
  readonly #host: StreamHost;
  readonly #stopping = new AbortController();
  readonly #jobs = new Map<number, MigrationJob>();
  /** The slots whose keys are being moved: those of `#jobs`, less the ones that are leaving. */
  readonly #slots = new Set<number>();
  readonly #leaving = new Set<MigrationJob>();
  /** Slots of which the target has no key that it must not have. */
  readonly #cleared = new Set<number>();
  readonly #throttle: Throttle;
  #pair: MovePair | undefined;
  #mover: SlotMover | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(route: StreamRoute, host: StreamHost) {
    this.route = route;
    this.#host = host;
    this.#throttle = new Throttle({ ...host.limits, delayMs: route.delayMs });
  }

  /** Why it goes slower than it might; `""`: it does not. */
  get slowedBy(): string {
    return this.#throttle.slowedBy;
  }

  /** Whether it was told to end. */
  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Ends it soon; its slots stay as they are. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Breaks off what does not end by itself. */
  breakOff(): void {
    this.stop();
    this.#mover?.close();
  }

  /**
   * Moves slots until there are none to move.
   *
   * @throws {Error} What keeps this route from being gone; every job is nobody's again.
   */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    const look = () => this.#throttle.clientsWait(this.#host.slowestProxy());
    look();
    const looking = setInterval(look, CLIENTS_MS);
    try {
      // A dashboard that does not lead any more must not begin.
      await this.#host.writer.settle("always");
      const pair = this.#pair = await this.#masters();
      this.#mover = await openMover(this.#context(pair));
      for (;;) {
        signal.throwIfAborted();
        await this.#checkMasters(pair);
        const count = this.#host.limits.slotsAtOnce - this.#jobs.size;
        await this.#enter(this.#host.take(this, count), this.#mover);
        if (this.#slots.size === 0) return;
        const { clean, stuck, refused } = await this.#mover.pass(this.#slots, signal);
        this.#host.goesOn(this);
        for (const [slotId, job] of this.#jobs) {
          if (!stuck.has(slotId) && !refused.has(slotId)) job.recover();
        }
        for (const [slotId, text] of stuck) this.#leave(this.#jobs.get(slotId), text);
        for (const [slotId, text] of refused) this.#leave(this.#jobs.get(slotId), text, true);
        await this.#finish(clean);
      }
    } finally {
      clearInterval(looking);
      this.#mover?.close();
      for (const job of this.#jobs.values()) this.#host.letGo(job);
    }
  }

  /** Lets a job go: when this resolves, nothing of its slot is being moved or changed here. */
  async release(job: MigrationJob): Promise<void> {
    this.#leaving.add(job);
    this.#slots.delete(job.task.slot_id);
    let changing: Promise<unknown>;
    do {
      changing = this.#changing;
      await changing.catch(() => {});
    } while (changing !== this.#changing);
    this.#slots.delete(job.task.slot_id);
    await this.#mover?.settled(job.task.slot_id);
    this.#leave(job);
    this.#leaving.delete(job);
  }

  async #masters(): Promise<MovePair> {
    const { store } = this.#host.writer.control;
    const { from, to } = this.route;
    return {
      source: masterOf(await loadGroup(store, from)).addr,
      target: masterOf(await loadGroup(store, to)).addr,
    };
  }

  /** A server that is no master any more must neither give keys nor get any. */
  async #checkMasters({ source, target }: MovePair): Promise<void> {
    const now = await this.#masters();
    if (now.source !== source) throw new MoveError(`${source} gave route to ${now.source}`);
    if (now.target !== target) throw new MoveError(`${target} gave route to ${now.target}`);
  }

  #context(pair: MovePair): MoveContext {
    const { writer: { control }, options } = this.#host;
    return {
      control,
      options,
      pair,
      throttle: this.#throttle,
      moveLock: (addr) => this.#host.moveLock(addr),
      progress: (slotId) => this.#jobs.get(slotId)?.progress,
      note: (slotId, text) => {
        const job = this.#jobs.get(slotId);
        if (job !== undefined) job.note = text;
      },
      bigKeys: (slotId) => this.#jobs.get(slotId)?.bigKeys,
    };
  }

  /**
   * @param text What keeps it from going on; left out: nothing.
   * @param lasts Whether that is how it is to be.
   */
  #leave(job: MigrationJob | undefined, text?: string, lasts = false): void {
    if (job === undefined || job.stream !== this) return;
    const { slot_id } = job.task;
    this.#jobs.delete(slot_id);
    this.#slots.delete(slot_id);
    if (text !== undefined) job.fail(text, lasts);
    this.#host.letGo(job);
  }

  // -- into `migrate` ---------------------------------------------------------------------------

  /** Brings jobs' slots into `migrate`; what cannot be is let go. */
  async #enter(jobs: readonly MigrationJob[], mover: SlotMover): Promise<void> {
    if (jobs.length === 0) return;
    for (const job of jobs) this.#jobs.set(job.task.slot_id, job);
    const entering = await this.#read(jobs);
    const kinds = { moving: [], turning: [], blocked: [], fresh: [] } as Record<Kind, Entering[]>;
    for (const each of entering) kinds[kindOf(each)].push(each);
    await this.#resume(kinds.moving, mover);
    await this.#open(kinds.blocked, mover, true);
    await this.#turn(kinds.turning, mover);
    await this.#open(await this.#clear(kinds.fresh, mover), mover, false);
  }

  /** Reads the jobs' slots, and lets go whatever does not go this route any more. */
  async #read(jobs: readonly MigrationJob[]): Promise<Entering[]> {
    const { writer } = this.#host;
    await writer.settle();
    const entering: Entering[] = [];
    for (const job of jobs) {
      const slot = await loadSlot(writer.control.store, job.task.slot_id);
      const step = job.look(slot);
      const isThisWay = (step.kind === "begin" || step.kind === "move") &&
        step.from === this.route.from && step.to === this.route.to;
      if (isThisWay) entering.push({ job, slot });
      else this.#leave(job);
    }
    return entering;
  }

  /** Slots that were in `migrate` when we came: whoever moved them may have given up in the middle. */
  async #resume(entering: readonly Entering[], mover: SlotMover): Promise<void> {
    if (entering.length === 0) return;
    this.#changing = this.#resumeNow(entering, mover);
    await this.#changing;
  }

  async #resumeNow(entering: readonly Entering[], mover: SlotMover): Promise<void> {
    await this.#exclusive(() => mover.fence(true, []));
    const { writer } = this.#host;
    const { store } = writer.control;
    const idle = entering.filter(({ job }) => job.task.status !== "migrating");
    await writer.write(
      "tasks at work",
      idle.map(({ job }) => taskPart(store, job.name, job.task, "migrating")),
    );
    for (const { job } of idle) job.task = { ...job.task, status: "migrating" };
    this.#hold(entering);
  }

  /** Slots are in `migrate`: their keys are moved from now on, unless somebody took them away. */
  #hold(entering: readonly Entering[]): void {
    for (const { job } of entering) {
      job.currentRoute = this.route;
      if (this.#has(job)) this.#slots.add(job.task.slot_id);
    }
  }

  /** Whether a job is ours, and stays so. */
  #has(job: MigrationJob): boolean {
    return job.stream === this && !this.#leaving.has(job);
  }

  /** Looks for keys that the target must not have, and for big ones. */
  async #clear(entering: readonly Entering[], mover: SlotMover): Promise<readonly Entering[]> {
    if (entering.length === 0) return [];
    await mover.tryOut();
    const unknown = entering.map(({ slot }) => slot.id).filter((id) => !this.#cleared.has(id));
    if (unknown.length > 0) {
      // One look at the target serves all that will come this route.
      const slotIds = [...unknown, ...this.#host.upcoming(this)];
      const strays = await mover.clearTarget(slotIds, false);
      for (const slotId of slotIds) if (!strays.has(slotId)) this.#cleared.add(slotId);
      for (const [slotId, text] of strays) this.#leave(this.#jobs.get(slotId), text);
    }
    const clear = entering.filter(({ slot }) => this.#cleared.has(slot.id));
    const slotIds = clear.map(({ slot }) => slot.id);
    const refused = await mover.survey(slotIds, this.#host.upcoming(this));
    for (const [slotId, text] of refused) this.#leave(this.#jobs.get(slotId), text, true);
    return clear.filter(({ slot }) => !refused.has(slot.id));
  }

  /** Blocks slots and lets them migrate, a few at a time. */
  async #open(entering: readonly Entering[], mover: SlotMover, isInDoubt: boolean): Promise<void> {
    for (const some of this.#inChanges(entering)) {
      this.#stopping.signal.throwIfAborted();
      const ours = some.filter(({ job }) => this.#has(job));
      if (ours.length === 0) continue;
      this.#changing = this.#exclusive(() => this.#openAll(ours, mover, isInDoubt));
      await this.#changing;
    }
  }

  /**
   * Turns slots round. As long as one of them lets keys go the route it came, none may let them come
   * back: all are blocked before the first is opened.
   */
  async #turn(entering: readonly Entering[], mover: SlotMover): Promise<void> {
    if (entering.length === 0) return;
    await mover.clearTarget(entering.map(({ slot }) => slot.id), true);
    this.#stopping.signal.throwIfAborted();
    if (entering.every(({ job }) => this.#has(job))) {
      this.#changing = this.#exclusive(() => this.#openAll(entering, mover, true, true));
      await this.#changing;
    } else {
      // One of them goes on after all: the queue looks anew at what may begin.
      for (const { job } of entering) if (this.#has(job)) this.#leave(job);
    }
  }

  /** @param times How much larger than usual a change may be. */
  #inChanges(entering: readonly Entering[], times = 1): Entering[][] {
    const size = this.#host.limits.slotsPerChange * times;
    const count = Math.ceil(entering.length / size);
    return Array.from({ length: count }, (_, i) => entering.slice(i * size, (i + 1) * size));
  }

  async #openAll(
    entering: readonly Entering[],
    mover: SlotMover,
    isInDoubt: boolean,
    isTurn = false,
  ): Promise<void> {
    const { writer } = this.#host;
    const { store } = writer.control;
    const { from, to } = this.route;
    const blocked: Entering[] = [];
    for (const some of this.#inChanges(entering, TOGETHER)) {
      const begin = some.map(({ job, slot }) => beginPart(store, job, slot));
      const error = await this.#try(some, `${textOf(some)}: group ${from}, pre_migrate`, begin);
      if (error !== undefined) {
        // Those that were blocked when we came must not stay so, either.
        await this.#undo(entering.filter((each) => blocked.includes(each) || isBlocked(each)));
        return this.#failAll(entering, error);
      }
      for (const { job } of some) {
        job.task = { ...job.task, status: "migrating" };
        job.currentRoute = this.route;
      }
      blocked.push(...some);
    }
    try {
      await mover.fence(isInDoubt, isTurn ? entering.map(({ slot }) => slot.id) : []);
    } catch (error) {
      await this.#undo(blocked);
      throw error;
    }
    for (const some of this.#inChanges(blocked, TOGETHER)) {
      const open = some.map(({ slot }) => openPart(store, slot, from, to));
      try {
        // Proxies that do not confirm still block the slots: keys may be moved.
        await writer.writeAnyway(`${textOf(some)}: group ${to}, migrate from group ${from}`, open);
      } catch (error) {
        this.#failAll(some, error);
        continue;
      }
      this.#hold(some);
    }
  }

  /** @returns Why not every proxy blocks the slots now: they are as they were; nothing if all do. */
  async #try(
    entering: readonly Entering[],
    summary: string,
    parts: readonly ChangePart[],
  ): Promise<unknown> {
    try {
      await this.#host.writer.write(summary, parts);
      return undefined;
    } catch (error) {
      // The slots are blocked, but not by all.
      if (error instanceof UnconfirmedError) await this.#undo(entering);
      return error;
    }
  }

  async #undo(entering: readonly Entering[]): Promise<void> {
    const { writer } = this.#host;
    for (const some of this.#inChanges(entering, TOGETHER)) {
      const parts = some.map(({ slot }) => undoPart(writer.control.store, slot));
      try {
        await writer.writeAnyway(`${textOf(some)}: as before`, parts);
        for (const { job, slot } of some) job.currentRoute = currentRouteOf(slot);
      } catch (error) {
        // They stay blocked until they are tried again; that is the first thing to be done then.
        const { message } = error as Error;
        writer.control.report("error", `${textOf(some)} stay blocked for now: ${message}`);
      }
    }
  }

  #failAll(entering: readonly Entering[], error: unknown): void {
    for (const { job } of entering) this.#leave(job, (error as Error).message);
  }

  /** Runs `body` while no keys are sent to either server. */
  #exclusive<T>(body: () => Promise<T>): Promise<T> {
    return lockBoth((addr) => this.#host.moveLock(addr), this.#pair!, body);
  }

  // -- out of `migrate` -------------------------------------------------------------------------

  async #finish(slotIds: readonly number[]): Promise<void> {
    const { writer, limits: { slotsPerChange } } = this.#host;
    const { to } = this.route;
    for (let at = 0; at < slotIds.length; at += slotsPerChange) {
      const jobs = slotIds.slice(at, at + slotsPerChange).flatMap((slotId) => {
        const job = this.#jobs.get(slotId);
        return job !== undefined && this.#slots.has(slotId) ? [job] : [];
      });
      if (jobs.length === 0) continue;
      const slots = slotsText(jobs.map(({ task }) => task.slot_id));
      const parts = jobs.map(({ name, task }) =>
        finishPart(writer.control.store, name, task.slot_id, to)
      );
      const changing = writer.writeAnyway(`${slots}: group ${to}, online`, parts);
      this.#changing = changing;
      try {
        await changing;
      } catch (error) {
        for (const job of jobs) this.#leave(job, (error as Error).message);
        continue;
      }
      for (const job of jobs) {
        this.#jobs.delete(job.task.slot_id);
        this.#slots.delete(job.task.slot_id);
        this.#host.ended(job);
      }
    }
  }
}
