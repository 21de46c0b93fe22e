/**
 * The record of the zones that servers are in, beside Codis 2.0's records of servers, which has none.
 *
 * @module
 */

import { excerpt } from "../base/excerpt.ts";
import { isZone, ZONE_RULE } from "../base/zone.ts";
import { decodeRecord, encodeRecord, listOf, recordOf, text } from "./record.ts";

/** The zone of one server: a data centre, a rack, whatever is near itself. */
export interface ServerZone {
  /** `host:port`, as the server is stored. */
  readonly addr: string;
  readonly zone: string;
}

interface Stored {
  readonly zones: readonly ServerZone[] | null;
}

const SHAPE = recordOf<Stored>({ zones: listOf(recordOf<ServerZone>({ addr: text, zone: text })) });

/**
 * Reads the zones from their JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeServerZones(json: string): readonly ServerZone[] {
  return decodeRecord(SHAPE, json, "server zones").zones ?? [];
}

/** Writes the zones' JSON. */
export function encodeServerZones(zones: readonly ServerZone[]): string {
  return encodeRecord(SHAPE, { zones });
}

/**
 * The name of a zone, `eu-west-1a`; empty for none.
 *
 * @throws {SyntaxError} When it cannot be one.
 */
export function parseZone(text: string): string {
  if (isZone(text)) return text;
  throw new SyntaxError(`"${excerpt(text)}" is not a zone: ${ZONE_RULE}`);
}
