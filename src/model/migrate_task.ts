/**
 * The record of a migration task, which moves one slot to another group.
 *
 * @module
 */

import {
  bool,
  decodeRecord,
  encodeRecord,
  integer,
  optional,
  recordOf,
  text,
  word,
} from "./record.ts";

/** The states of a task; `finished` is never stored, a finished task's node is deleted. */
export const MIGRATE_TASK_STATUSES = ["pending", "migrating", "finished", "error"] as const;

/** One of {@linkcode MIGRATE_TASK_STATUSES}. */
export type MigrateTaskStatus = (typeof MIGRATE_TASK_STATUSES)[number];

/** What `migrate_tasks/<seq>` holds; its id is the node's name. */
export interface MigrateTaskRecord {
  readonly slot_id: number;
  readonly new_group: number;
  /** Milliseconds between two moves. */
  readonly delay: number;
  /** Unix seconds. */
  readonly create_at: string;
  /** Always 0 in Codis 2.0. */
  readonly percent: number;
  readonly status: MigrateTaskStatus;
  /** Whether keys that only the new group has are kept. Codis 2.0 does not know it. */
  readonly keep?: boolean | undefined;
}

/** The stored form of a {@linkcode MigrateTaskRecord}. */
export const MIGRATE_TASK_SHAPE = recordOf<MigrateTaskRecord>({
  slot_id: integer,
  new_group: integer,
  delay: integer,
  create_at: text,
  percent: integer,
  status: word(MIGRATE_TASK_STATUSES),
  keep: optional(bool),
});

/**
 * Reads a task from its JSON.
 *
 * @throws {RecordError} When it is not a task.
 */
export function decodeMigrateTask(json: string): MigrateTaskRecord {
  return decodeRecord(MIGRATE_TASK_SHAPE, json, "migrate task");
}

/** Writes a task's JSON. */
export function encodeMigrateTask(record: MigrateTaskRecord): string {
  return encodeRecord(MIGRATE_TASK_SHAPE, record);
}
