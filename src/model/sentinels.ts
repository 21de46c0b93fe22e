/**
 * The record of the sentinels that watch a product's masters. Codis 2.0 has none; it is spelled as Codis
 * 3.2 spells its own.
 *
 * @module
 */

import { decodeRecord, encodeRecord, listOf, recordOf, type Shape, text } from "./record.ts";

/** The sentinels of a product. */
export interface SentinelsRecord {
  /** `host:port` each. */
  readonly servers: readonly string[];
  /** Whether they may watch something else than the table says: a dashboard puts that right. */
  readonly out_of_sync: boolean;
}

interface Stored {
  readonly servers: readonly string[] | null;
  readonly out_of_sync: boolean;
}

const flag: Shape<boolean> = { read: (value) => value === true, write: (value) => value };
const SHAPE = recordOf<Stored>({ servers: listOf(text), out_of_sync: flag });

/**
 * Reads the record from its JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeSentinels(json: string): SentinelsRecord {
  const { servers, out_of_sync } = decodeRecord(SHAPE, json, "sentinels");
  return { servers: servers ?? [], out_of_sync };
}

/** Writes the record's JSON. */
export function encodeSentinels(record: SentinelsRecord): string {
  return encodeRecord(SHAPE, record);
}

/** The name by which sentinels watch the master of a group, as in Codis 3.2: `<product>-<group id>`. */
export function masterNameOf(product: string, groupId: number): string {
  return `${product}-${groupId}`;
}

/** The group of a master's name; undefined when it is another product's. */
export function groupOfMasterName(product: string, name: string): number | undefined {
  const digits = name.startsWith(`${product}-`) ? name.slice(product.length + 1) : "";
  return /^\d{1,9}$/.test(digits) ? Number(digits) : undefined;
}
