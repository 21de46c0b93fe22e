/**
 * What has become of the slots that a command queued, by what the dashboard shows at each look.
 *
 *     queued ─► moving ─► arrived
 *                │  ▲
 *         cancel ▼  │ cancelled again
 *            moving back ─► cancelled
 *
 * While a slot migrates, the table names its target as its owner: it has arrived when it is at rest there. A task
 * is known by its name, as a task that is cancelled goes to another group. What becomes of a slot after it has arrived
 * is not about our task.
 *
 * @module
 */

import type { ClusterView, MigrationView, SlotsView } from "../../api/cluster_view.ts";
import { slotsText } from "../../model/slot_ranges.js";

/** Where a slot that was queued stands; `stranded`: between two groups, and no task moves it. */
type SlotState = "queued" | "moving" | "moving back" | "stranded" | "arrived" | "cancelled";

/** A slot that was queued. */
interface AwaitedSlot {
  readonly id: number;
  /** The group that it was queued for. */
  readonly target: number;
  state: SlotState;
  /** The name of its task; `undefined`: none was seen. */
  name: string | undefined;
  /** Its task, as of the last look; `undefined`: it is gone. */
  task: MigrationView | undefined;
}

/** See the header. */
export class AwaitedSlots {
  /** The names of the tasks that were there before ours. */
  readonly #before: ReadonlySet<string>;
  readonly #slots: readonly AwaitedSlot[];

  /** @param targets The group that each slot was queued for. */
  constructor(before: ReadonlySet<string>, targets: ReadonlyMap<number, number>) {
    this.#before = before;
    this.#slots = [...targets].map(([id, target]) => ({
      ...{ id, target, state: "queued", name: undefined, task: undefined },
    }));
  }

  /** How many slots were queued. */
  get count(): number {
    return this.#slots.length;
  }

  /** How many slots are waited for. */
  get left(): number {
    return this.#slots.filter(isLeft).length;
  }

  /** The tasks that are waited for. */
  get tasks(): readonly MigrationView[] {
    return this.#slots.flatMap((slot) => isLeft(slot) && slot.task ? [slot.task] : []);
  }

  /** Slots between two groups that no task moves. */
  get stranded(): readonly number[] {
    return this.#slots.filter(({ state }) => state === "stranded").map(({ id }) => id);
  }

  /**
   * Looks at the cluster.
   *
   * @returns What is news to an operator; `""`: nothing.
   */
  look({ migrations, slots }: ClusterView): string {
    const since = Map.groupBy(
      migrations.filter(({ name }) => !this.#before.has(name)),
      ({ slot_id }) => slot_id,
    );
    const turned: AwaitedSlot[] = [];
    for (const slot of this.#slots) {
      // A slot that is where it was is looked at as long as others are waited for: it may come yet.
      if (slot.state === "arrived") continue;
      const was = slot.state;
      const tasks = since.get(slot.id) ?? [];
      slot.task = ownTask(slot, tasks, slots);
      slot.name = slot.task?.name ?? slot.name;
      slot.state = stateOf(slot, tasks.length > 0, slots);
      if (slot.state === "moving back" && was !== slot.state) turned.push(slot);
    }
    const bySource = Map.groupBy(turned, ({ task }) => task!.to_group);
    return [...bySource].map(([group, some]) => {
      const [were, move] = some.length === 1 ? ["task was", "moves"] : ["tasks were", "move"];
      return `${were} cancelled: ${textOf(some)} ${move} back to group ${group}`;
    }).join("; ");
  }

  /** Which slots were cancelled; `""`: none. */
  get cancelledText(): string {
    const cancelled = this.#slots.filter(({ state }) => state === "cancelled");
    return [...Map.groupBy(cancelled, ({ target }) => target)].map(([group, some]) => {
      const [are, were] = some.length === 1 ? ["is", "its task was"] : ["are", "their tasks were"];
      return `${textOf(some)} ${are} not in group ${group}: ${were} cancelled`;
    }).join("; ");
  }
}

function isLeft({ state }: AwaitedSlot): boolean {
  return state !== "arrived" && state !== "cancelled";
}

function textOf(slots: readonly AwaitedSlot[]): string {
  return slotsText(slots.map(({ id }) => id));
}

/** A slot has one task at a time: the first one that is seen is ours, unless ours is done. */
function ownTask(
  { id, target, name: own }: AwaitedSlot,
  tasks: readonly MigrationView[],
  { group, status }: SlotsView,
): MigrationView | undefined {
  if (own !== undefined) return tasks.find(({ name }) => name === own);
  const [first] = tasks;
  const isDone = first?.to_group !== target && group[id] === target && isAtRest(status, id);
  return isDone ? undefined : first;
}

/** @param hasTask Whether there is a task for the slot, ours or one that came later. */
function stateOf(
  { id, target, task }: AwaitedSlot,
  hasTask: boolean,
  { group, status, from }: SlotsView,
): SlotState {
  if (task !== undefined) return task.to_group === target ? "moving" : "moving back";
  if (isAtRest(status, id)) return group[id] === target ? "arrived" : "cancelled";
  if (!hasTask) return "stranded";
  // Somebody moves it on, from where our task has left it.
  const leaves = status[id] === "m" ? from[id] : group[id];
  return leaves === target ? "arrived" : "cancelled";
}

/** Whether a slot is neither in migration nor blocked for one. */
function isAtRest(status: string, slotId: number): boolean {
  return status[slotId] !== "m" && status[slotId] !== "p";
}

/**
 * The group that a task was queued for, where its dashboard does not say so: it may have been cancelled since, and
 * go back.
 */
export function goalOf(
  { slot_id, to_group, phase }: MigrationView,
  { group, from }: SlotsView,
): number {
  if (from[slot_id] === to_group) return group[slot_id]!;
  return phase === "moving back" ? from[slot_id] ?? group[slot_id]! : to_group;
}
