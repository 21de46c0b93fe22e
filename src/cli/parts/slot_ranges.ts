/**
 * Slots as people think of them: ranges of the same owner and status.
 *
 * @module
 */

import { NO_GROUP, type SlotRecord } from "../../model/slot.ts";
import { slotRanges } from "../../model/slot_ranges.js";
import { formatRange, formatTable } from "./table.ts";

/** What is shown of a slot. */
interface SlotLine {
  readonly groupId: number;
  readonly status: string;
  /** The group its keys come from; {@linkcode NO_GROUP} unless it migrates. */
  readonly sourceId: number;
}

/** A table with one line for each range of slots that are alike: `0-511  group 1  online`. */
export function formatSlots(slots: readonly SlotRecord[]): string {
  const lines = slots.map(({ id, group_id, state: { status, migrate_status } }) => ({
    ...{ id, groupId: group_id, status, sourceId: migrate_status.from },
  }));
  return formatTable(
    [],
    alikeRanges(lines).map(({ from, to, cells }) => [formatRange(from, to), ...cells]),
  );
}

/** Ranges of slots that are shown alike, by number, with the cells of the owner and the status. */
export function alikeRanges(slots: readonly (SlotLine & { readonly id: number })[]) {
  const cells = new Map(slots.map(({ id, ...line }) => [id, cellsOf(line)]));
  return slotRanges(cells.keys(), (a, b) => cells.get(a)!.join() === cells.get(b)!.join())
    .map(({ from, to }) => ({ from, to, cells: cells.get(from)! }));
}

function cellsOf({ groupId, status, sourceId }: SlotLine): string[] {
  return [
    groupId === NO_GROUP ? "no group" : `group ${groupId}`,
    sourceId === NO_GROUP ? status : `${status} from group ${sourceId}`,
  ];
}
