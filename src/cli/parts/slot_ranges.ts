/**
 * Slots as people think of them: ranges of the same owner and status.
 *
 * @module
 */

import { NO_GROUP, type SlotRecord, type SlotStatus } from "../../model/slot.ts";
import { formatRange, formatTable } from "./table.ts";

/** Neighbours that have everything in common. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly groupId: number;
  readonly status: SlotStatus;
  /** Where its keys come from; {@linkcode NO_GROUP} unless it migrates. */
  readonly fromGroupId: number;
}

/**
 * Folds slots, in any order, into ranges, by number.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { slotIn } from "../../model/slot.ts";
 * const slots = [0, 1, 3].map((id) => slotIn("test", id, 1, "online"));
 * assertEquals(foldSlots(slots).map(({ from, to }) => [from, to]), [[0, 1], [3, 3]]);
 * ```
 */
export function foldSlots(slots: readonly SlotRecord[]): SlotRange[] {
  const ranges: SlotRange[] = [];
  for (const slot of [...slots].sort((a, b) => a.id - b.id)) {
    const range = rangeOf(slot);
    const last = ranges.at(-1);
    const isNext = last !== undefined && last.to + 1 === slot.id && last.status === range.status &&
      last.groupId === range.groupId && last.fromGroupId === range.fromGroupId;
    if (isNext) ranges[ranges.length - 1] = { ...last, to: slot.id };
    else ranges.push(range);
  }
  return ranges;
}

/** One line for each range: `0-511  group 1  online`. */
export function formatSlotRanges(ranges: readonly SlotRange[]): string {
  return formatTable(
    [],
    ranges.map((range) => [
      formatRange(range.from, range.to),
      range.groupId === NO_GROUP ? "no group" : `group ${range.groupId}`,
      range.fromGroupId === NO_GROUP
        ? range.status
        : `${range.status} from group ${range.fromGroupId}`,
    ]),
  );
}

function rangeOf({ id, group_id, state }: SlotRecord): SlotRange {
  return {
    from: id,
    to: id,
    groupId: group_id,
    status: state.status,
    fromGroupId: state.migrate_status.from,
  };
}
