/**
 * The record of one slot: which group owns it, and whether it moves to another.
 *
 * @module
 */

import { decodeRecord, encodeRecord, integer, recordOf, text, word } from "./record.ts";

/** The states of a slot, as stored. */
export const SLOT_STATUSES = ["online", "offline", "migrate", "pre_migrate"] as const;

/** One of {@linkcode SLOT_STATUSES}. */
export type SlotStatus = (typeof SLOT_STATUSES)[number];

/** The id that stands for no group. */
export const NO_GROUP = -1;

/** Where a slot's keys come from and go to; {@linkcode NO_GROUP} twice unless it migrates. */
export interface MigrateStatusRecord {
  readonly from: number;
  readonly to: number;
}

/** The part of a slot that changes during a migration. */
export interface SlotStateRecord {
  readonly status: SlotStatus;
  readonly migrate_status: MigrateStatusRecord;
  /** Always `"0"`: Codis 2.0 never updates it. */
  readonly last_op_ts: string;
}

/** What `slots/slot_<n>` holds. */
export interface SlotRecord {
  readonly product_name: string;
  /** 0..1023. */
  readonly id: number;
  /** The group that owns it; while it is in `migrate` already the target, else {@linkcode NO_GROUP}. */
  readonly group_id: number;
  readonly state: SlotStateRecord;
}

/** The stored form of a {@linkcode SlotRecord}. */
export const SLOT_SHAPE = recordOf<SlotRecord>({
  product_name: text,
  id: integer,
  group_id: integer,
  state: recordOf<SlotStateRecord>({
    status: word(SLOT_STATUSES),
    migrate_status: recordOf<MigrateStatusRecord>({ from: integer, to: integer }),
    last_op_ts: text,
  }),
});

/**
 * Reads a slot from its JSON.
 *
 * @throws {RecordError} When it is not a slot.
 */
export function decodeSlot(json: string): SlotRecord {
  return decodeRecord(SLOT_SHAPE, json, "slot");
}

/** Writes a slot's JSON. */
export function encodeSlot(record: SlotRecord): string {
  return encodeRecord(SLOT_SHAPE, record);
}

/** Whether keys of the slot may be in two groups: it migrates, or is blocked while it reverses. */
export function isUnderway({ state: { status, migrate_status } }: SlotRecord): boolean {
  return status === "migrate" ||
    (status === "pre_migrate" && migrate_status.from !== NO_GROUP);
}

/** A slot without an owner: what `slot init` writes. */
export function freshSlot(product: string, slotId: number): SlotRecord {
  return slotIn(product, slotId, NO_GROUP, "offline");
}

/** A slot at rest in a group. */
export function slotIn(
  product: string,
  slotId: number,
  groupId: number,
  status: SlotStatus,
): SlotRecord {
  return {
    product_name: product,
    id: slotId,
    group_id: groupId,
    state: { status, migrate_status: { from: NO_GROUP, to: NO_GROUP }, last_op_ts: "0" },
  };
}
