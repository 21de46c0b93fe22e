/**
 * The record of a product that goes from one coordinator to another, in the store of each.
 *
 * @module
 */

import { decodeRecord, recordOf, text, word } from "./record.ts";

/** A store, as others are told of it. */
export interface StoreAddress {
  readonly coordinator: "embedded" | "zookeeper" | "etcd";
  /** What `zk` names, or the folder of the embedded coordinator. */
  readonly place: string;
}

/** What `move` holds. */
export interface ProductMove extends StoreAddress {
  /** `moved`: the product is in the other store. `arriving`: it is being copied from the other store. */
  readonly kind: "moved" | "arriving";
  /** The same in both stores. */
  readonly id: string;
  /** When it was written, in ISO 8601. */
  readonly at: string;
}

const MOVE_SHAPE = recordOf<ProductMove>({
  kind: word(["moved", "arriving"]),
  id: text,
  coordinator: word(["embedded", "zookeeper", "etcd"]),
  place: text,
  at: text,
});

/**
 * Reads a move from its JSON.
 *
 * @throws {RecordError} When it is none.
 */
export function decodeProductMove(json: string): ProductMove {
  return decodeRecord(MOVE_SHAPE, json, "move");
}

/** Writes a move's JSON. */
export function encodeProductMove({ kind, id, coordinator, place, at }: ProductMove): string {
  return JSON.stringify({ kind, id, coordinator, place, at });
}
