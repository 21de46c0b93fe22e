/**
 * Brings slots into `migrate`: clears the target, blocks the slots, ends late copies, opens the slots.
 *
 *      read ─► in migrate already  moved on
 *          ├─► blocked             ended late copies, open
 *          ├─► reversing           all blocked, late copies ended, open
 *          └─► fresh               target cleared, big keys found, block, late copies ended, open
 *
 * A slot is blocked only from `block` to `open`: what can fail is tried before, where it can be. A few
 * slots go in one change. Fresh slots are not waited for: keys of the first move while the others are opened.
 *
 * @module
 */

import { chunk } from "@std/collections/chunk";
import { UnconfirmedError } from "../control/errors.ts";
import { isUnderway, type SlotRecord } from "../model/slot.ts";
import { slotsText } from "../model/slot_ranges.js";
import { SlotReader } from "../store/slots.ts";
import type { Store } from "../store/store.ts";
import type { GroupRoute } from "./cycle.ts";
import type { MigrationJob } from "./job.ts";
import { lockBoth, type MoveLock } from "./mover/move_lock.ts";
import type { MovePair, SlotMover } from "./mover/mover.ts";
import type { StepWriter } from "./step_writer.ts";
import type { StreamSlots } from "./stream_slots.ts";
import {
  beginPart,
  type ChangePart,
  currentRouteOf,
  openPart,
  taskPart,
  undoPart,
} from "./task.ts";

/** What slots are opened with. */
export interface SlotOpenerOptions {
  readonly route: GroupRoute;
  readonly pair: MovePair;
  readonly slots: StreamSlots;
  readonly mover: SlotMover;
  readonly writer: StepWriter;
  /** Slots that are blocked together while clients use the servers. */
  readonly slotsPerChange: number;
  /** Ends it soon. */
  readonly signal: AbortSignal;
  /** The lock of a server, by address. */
  moveLock(addr: string): MoveLock;
  /** Slots that will take this route and have not started. */
  upcoming(): number[];
  /** How much larger than usual a change may be. */
  together(): number;
  /** Whether clients would notice that many slots are open. */
  isNoticed(): boolean;
}

/** A job and its slot as it was last read. */
interface Entering {
  readonly job: MigrationJob;
  readonly slot: SlotRecord;
}

/**
 * How much larger than usual a change is that few notice, or for slots that must all be blocked before one is
 * opened: it takes hardly longer. Where nobody uses the servers it is larger still.
 */
export const TOGETHER = { noticed: 1, few: 4, unseen: 16 };

/** What has to be done with a slot that enters. */
type Kind =
  /** It is in `migrate` already. */
  | "moving"
  /** It migrates from where it shall go now. */
  | "reversing"
  /** It was blocked and not opened. */
  | "blocked"
  | "fresh";

/** See the header. */
export class SlotOpener {
  readonly #options: SlotOpenerOptions;
  /** Slots of which the target has no key that it must not have. */
  readonly #cleared = new Set<number>();
  /** Fresh slots that are not open yet. */
  readonly #coming = new Set<number>();
  #opening: Promise<void> | undefined;
  #halfOpened: Promise<void> = Promise.resolve();
  #changed = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;

  constructor(options: SlotOpenerOptions) {
    this.#options = options;
  }

  get #store(): Store {
    return this.#options.writer.control.store;
  }

  /** Whether slots are being opened that {@linkcode SlotOpener.enter} has not waited for. */
  get isOpening(): boolean {
    return this.#opening !== undefined;
  }

  /** These slots. */
  get coming(): ReadonlySet<number> {
    return this.#coming;
  }

  /** Resolves when some of them have been opened, or no more are. */
  async someOpened(): Promise<void> {
    if (this.isOpening) await this.#changed.promise;
  }

  /** Resolves when no slots are being opened. */
  async opened(): Promise<void> {
    await this.#opening;
  }

  /** Resolves when about half of the slots are open: a round had better not find only a few. */
  async halfOpened(): Promise<void> {
    await this.#halfOpened;
  }

  /** @throws {Error} What keeps all slots of the route, seen while slots were being opened. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * Brings jobs' slots into `migrate`; jobs for which that fails leave the stream. Fresh ones follow when it
   * has resolved, until `signal` is aborted.
   *
   * @throws {Error} What keeps all slots of the route.
   */
  async enter(jobs: readonly MigrationJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const { slots } = this.#options;
    slots.add(jobs);
    const entering = await this.#read(jobs);
    const kinds = { moving: [], reversing: [], blocked: [], fresh: [] } as Record<Kind, Entering[]>;
    for (const each of entering) kinds[kindOf(each)].push(each);
    if (kinds.moving.length > 0) {
      // A job that was released meanwhile may have been cancelled: it is no longer as it was read.
      await slots.change(() => this.#resume(kinds.moving.filter(({ job }) => slots.has(job))));
    }
    for (const some of this.#inChanges(kinds.blocked)) await this.#open(some, true);
    await this.#reverse(kinds.reversing);
    const fresh = await this.#clear(kinds.fresh);
    if (fresh.length > 0) this.#openLater(fresh);
  }

  #openLater(entering: readonly Entering[]): void {
    for (const { slot } of entering) this.#coming.add(slot.id);
    const half = Promise.withResolvers<void>();
    this.#halfOpened = half.promise;
    const onOpened = (count: number) => {
      if (count >= entering.length - count) half.resolve();
      this.#wake();
    };
    this.#opening = this.#openInTurn(entering, onOpened)
      .catch((error) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#opening = undefined;
        this.#coming.clear();
        half.resolve();
        this.#wake();
      });
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Opens slots until clients come that would notice; the others wait for another turn then. */
  async #openInTurn(
    entering: readonly Entering[],
    onOpened: (count: number) => void,
  ): Promise<void> {
    const { isNoticed, mover, slots } = this.#options;
    for (let at = 0; at < entering.length;) {
      if (slots.moving.size >= await mover.slotsAtOnce() && isNoticed()) {
        for (const { job } of entering.slice(at)) if (slots.has(job)) slots.leave(job);
        return;
      }
      const some = entering.slice(at, at + this.#changeSize());
      await this.#open(some, false);
      at += some.length;
      for (const { slot } of some) this.#coming.delete(slot.id);
      onOpened(at);
    }
  }

  /** Reads the jobs' slots; jobs that take another route by now leave. */
  async #read(jobs: readonly MigrationJob[]): Promise<Entering[]> {
    const { route, slots, writer } = this.#options;
    await writer.settle();
    const entering: Entering[] = [];
    const reader = new SlotReader(this.#store);
    const read = await Promise.all(jobs.map(({ task }) => reader.load(task.slot_id)));
    for (const [i, job] of jobs.entries()) {
      const slot = read[i]!;
      const step = job.readSlot(slot);
      const isOurs = (step.kind === "begin" || step.kind === "move") &&
        step.from === route.from && step.to === route.to;
      if (isOurs) entering.push({ job, slot });
      else slots.leave(job);
    }
    return entering;
  }

  /** Slots that were in `migrate` already: an earlier stream may have given up in the middle of a move. */
  async #resume(entering: readonly Entering[]): Promise<void> {
    if (entering.length === 0) return;
    const { mover, route, slots, writer } = this.#options;
    await this.#exclusive(() => mover.endLateCopies(true, []));
    const idle = entering.filter(({ job }) => job.task.status !== "migrating");
    await writer.write(
      `${textOf(entering)}: migration continued`,
      idle.map(({ job }) => taskPart(this.#store, job.name, job.task, "migrating")),
    );
    for (const { job } of idle) job.task = { ...job.task, status: "migrating" };
    slots.move(jobsOf(entering), route);
  }

  /** Looks for keys that the target must not have, and for big keys. */
  async #clear(entering: readonly Entering[]): Promise<readonly Entering[]> {
    if (entering.length === 0) return [];
    const { mover, slots, upcoming } = this.#options;
    await mover.probe();
    const unknown = entering.map(({ slot }) => slot.id).filter((id) => !this.#cleared.has(id));
    if (unknown.length > 0) {
      // One scan of the target serves all slots that will take this route.
      const slotIds = [...unknown, ...upcoming()];
      const orphans = await mover.clearTarget(slotIds, false);
      for (const slotId of slotIds) {
        const job = slots.get(slotId);
        const text = orphans.get(slotId);
        if (text === undefined || job?.task.keep === true) this.#cleared.add(slotId);
        else slots.leave(job, `${text}: ${orphanAdvice(slotId, this.#options.route.to)}`);
      }
    }
    const clear = entering.filter(({ slot }) => this.#cleared.has(slot.id));
    const refused = await mover.findBigKeys(clear.map(({ slot }) => slot.id), upcoming());
    for (const [slotId, text] of refused) slots.leave(slots.get(slotId), text, true);
    return clear.filter(({ slot }) => !refused.has(slot.id));
  }

  /** Blocks a few slots and lets them migrate. */
  async #open(entering: readonly Entering[], mayHaveLateCopies: boolean): Promise<void> {
    const { mover, signal, slots } = this.#options;
    signal.throwIfAborted();
    const ours = entering.filter(({ job }) => slots.has(job));
    if (ours.length === 0) return;
    const kept = ours.filter(({ job }) => job.task.keep === true).map(({ slot }) => slot.id);
    const endLateCopies = async () => {
      await mover.endLateCopies(mayHaveLateCopies, []);
      // A client may have written one of the target's keys at the source before the slots were blocked.
      if (kept.length > 0) await mover.clearTarget(kept, true);
    };
    // Between stock servers calls are short; that of a codis-server may take minutes.
    const isShort = mover.kind === "stock" && !mayHaveLateCopies;
    await slots.change(() =>
      isShort
        ? this.#openAll(ours, () => this.#exclusive(endLateCopies))
        : this.#exclusive(() => this.#openAll(ours, endLateCopies))
    );
  }

  /**
   * Reverses slots. While keys of one of them move the way it came, keys of none may come back: all are
   * blocked before the first is opened.
   */
  async #reverse(entering: readonly Entering[]): Promise<void> {
    if (entering.length === 0) return;
    const { mover, signal, slots } = this.#options;
    await mover.clearTarget(entering.map(({ slot }) => slot.id), true);
    signal.throwIfAborted();
    if (entering.every(({ job }) => slots.has(job))) {
      const endLateCopies = () => mover.endLateCopies(true, entering.map(({ slot }) => slot.id));
      await slots.change(() => this.#exclusive(() => this.#openAll(entering, endLateCopies)));
    } else {
      // One of them goes on after all: the scheduler decides again what may start.
      for (const { job } of entering) if (slots.has(job)) slots.leave(job);
    }
  }

  async #openAll(
    entering: readonly Entering[],
    endLateCopies: () => Promise<void>,
  ): Promise<void> {
    const { route: { from, to }, slots, writer } = this.#options;
    if (!await this.#blockAll(entering)) return;
    try {
      await endLateCopies();
    } catch (error) {
      await this.#undo(entering);
      throw error;
    }
    for (const some of this.#inChanges(entering)) {
      const open = some.map(({ slot }) => openPart(this.#store, slot, from, to));
      try {
        // A proxy that does not confirm still blocks the slots: keys may be moved.
        await writer.writeAnyway(`${textOf(some)}: group ${to}, migrate from group ${from}`, open);
      } catch (error) {
        slots.leaveAll(jobsOf(some), error);
        continue;
      }
      slots.move(jobsOf(some), this.#options.route);
    }
  }

  /** @returns Whether every proxy blocks the slots; if not, they are as they were and have left. */
  async #blockAll(entering: readonly Entering[]): Promise<boolean> {
    const { route, slots } = this.#options;
    const blocked: Entering[] = [];
    for (const some of this.#inChanges(entering)) {
      const parts = some.map(({ job, slot }) => beginPart(this.#store, job, slot));
      const error = await this.#block(some, parts);
      if (error !== undefined) {
        // Slots that were blocked before must not stay blocked, either.
        await this.#undo(entering.filter((each) => blocked.includes(each) || isBlocked(each)));
        slots.leaveAll(jobsOf(entering), error);
        return false;
      }
      for (const { job } of some) {
        job.task = { ...job.task, status: "migrating" };
        job.currentRoute = route;
      }
      blocked.push(...some);
    }
    return true;
  }

  /** @returns Why not every proxy blocks the slots: they are as they were; `undefined` if all do. */
  async #block(entering: readonly Entering[], parts: readonly ChangePart[]): Promise<unknown> {
    const { route, writer } = this.#options;
    try {
      await writer.write(`${textOf(entering)}: group ${route.from}, pre_migrate`, parts);
      return undefined;
    } catch (error) {
      // Some proxies block the slots, others do not.
      if (error instanceof UnconfirmedError) await this.#undo(entering);
      return error;
    }
  }

  async #undo(entering: readonly Entering[]): Promise<void> {
    const { writer } = this.#options;
    for (const some of this.#inChanges(entering)) {
      const parts = some.map(({ slot }) => undoPart(this.#store, slot));
      try {
        await writer.writeAnyway(`${textOf(some)}: block taken back`, parts);
        for (const { job, slot } of some) job.currentRoute = currentRouteOf(slot);
      } catch (error) {
        // The next try begins with these slots.
        const { message } = error as Error;
        writer.control.report(
          "error",
          `${
            textOf(some)
          }: requests for them wait: a migration could not begin, and that clients may use ` +
            `the slots again cannot be stored: ${message}; it is tried again: look at the coordinator and its disk`,
        );
      }
    }
  }

  #inChanges(entering: readonly Entering[]): Entering[][] {
    return chunk(
      entering,
      Math.max(this.#changeSize(), this.#options.slotsPerChange * TOGETHER.few),
    );
  }

  /** Fresh slots of one change: clients may use them. */
  #changeSize(): number {
    return this.#options.slotsPerChange * this.#options.together();
  }

  /** Runs `body` while no keys are sent to either server. */
  #exclusive<T>(body: () => Promise<T>): Promise<T> {
    const { moveLock, pair } = this.#options;
    return lockBoth(moveLock, pair, body);
  }
}

/** What to do about keys of a slot that only the target has: it may be that nobody else has them. */
function orphanAdvice(slotId: number, groupId: number): string {
  return "if the coordinator was set back to an older copy, these may be the only ones: " +
    `\`codis-proxy config slot migrate ${slotId} ${slotId} ${groupId} --keep\` keeps them; ` +
    "delete them there only if nobody needs them";
}

function kindOf({ slot, job: { step } }: Entering): Kind {
  if (step?.kind === "move") return "moving";
  const isBack = step?.kind === "begin" && step.to === slot.state.migrate_status.from;
  if (isUnderway(slot) && isBack) return "reversing";
  return slot.state.status === "pre_migrate" ? "blocked" : "fresh";
}

function isBlocked({ slot }: Entering): boolean {
  return slot.state.status === "pre_migrate";
}

function jobsOf(entering: readonly Entering[]): MigrationJob[] {
  return entering.map(({ job }) => job);
}

function textOf(entering: readonly Entering[]): string {
  return slotsText(entering.map(({ slot }) => slot.id));
}
