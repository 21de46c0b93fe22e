/**
 * The record of an action: a change that the dashboard announces to every proxy.
 *
 * @module
 */

import { GROUP_SHAPE, type GroupRecord } from "./group.ts";
import {
  decodeRecord,
  encodeRecord,
  integer,
  listOf,
  recordOf,
  type Shape,
  text,
  word,
} from "./record.ts";
import { SLOT_RULES_SHAPE, type SlotRulesRecord } from "./slot_rule.ts";
import { SLOT_SHAPE, SLOT_STATUSES, type SlotRecord, type SlotStatus } from "./slot.ts";

/** Target of a `multi_slot_changed`: slots `from` to `to`, both included. */
export interface SlotRangeRecord {
  readonly from: number;
  readonly to: number;
  readonly status: SlotStatus;
  readonly group_id: number;
}

const SLOT_RANGE_SHAPE = recordOf<SlotRangeRecord>({
  from: integer,
  to: integer,
  status: word(SLOT_STATUSES),
  group_id: integer,
});

/** Target of a `redis_users`: the users that have changed. Their rules are in the store only. */
export interface ChangedUsersRecord {
  readonly names: readonly string[] | null;
}

/** What each type of action is about; there are no other types. */
interface TargetByType {
  slot_changed: SlotRecord;
  slot_premigrate: SlotRecord;
  slot_migrate: SlotRecord;
  multi_slot_changed: SlotRangeRecord;
  group_changed: GroupRecord;
  group_remove: GroupRecord;
  /** Not in Codis 2.0. */
  slot_rules: SlotRulesRecord;
  /** Not in Codis 2.0. */
  redis_users: ChangedUsersRecord;
}

const TARGET_SHAPES: { readonly [T in ActionType]: Shape<TargetByType[T]> } = {
  slot_changed: SLOT_SHAPE,
  slot_premigrate: SLOT_SHAPE,
  slot_migrate: SLOT_SHAPE,
  multi_slot_changed: SLOT_RANGE_SHAPE,
  group_changed: GROUP_SHAPE,
  group_remove: GROUP_SHAPE,
  slot_rules: SLOT_RULES_SHAPE,
  redis_users: recordOf<ChangedUsersRecord>({ names: listOf(text) }),
};

/** The type of an action, as stored. */
export type ActionType = keyof TargetByType;

/** What an action of type `T` holds. */
export interface ActionOf<T extends ActionType> {
  readonly type: T;
  /** Always `""`. */
  readonly desc: string;
  readonly target: TargetByType[T];
  /** Unix seconds. */
  readonly ts: string;
  /** One complete proxy record in JSON per proxy that must answer; `null` when none is online. */
  readonly receivers: readonly string[] | null;
}

/** What `actions/<seq>` holds; its `target` follows from its `type`. */
export type ActionRecord = { [T in ActionType]: ActionOf<T> }[ActionType];

const ACTION_TYPE = word(Object.keys(TARGET_SHAPES) as ActionType[]);

const ACTION_SHAPE: Shape<ActionRecord> = {
  read(value, at) {
    const { type } = recordOf<{ type: ActionType }>({ type: ACTION_TYPE }).read(value, at);
    return shapeOf(type).read(value, at);
  },
  write: (record) => shapeOf(record.type).write(record),
};

function shapeOf(type: ActionType): Shape<ActionRecord> {
  const fields = {
    type: ACTION_TYPE,
    desc: text,
    target: TARGET_SHAPES[type],
    ts: text,
    receivers: listOf(text),
  };
  // Each shape reads the target that its own type demands; the union cannot say so.
  return recordOf(fields as never) as unknown as Shape<ActionRecord>;
}

/**
 * Reads an action from its JSON.
 *
 * @throws {RecordError} When it is not an action, or of an unknown type.
 */
export function decodeAction(json: string): ActionRecord {
  return decodeRecord(ACTION_SHAPE, json, "action");
}

/** Writes an action's JSON. */
export function encodeAction(record: ActionRecord): string {
  return encodeRecord(ACTION_SHAPE, record);
}
