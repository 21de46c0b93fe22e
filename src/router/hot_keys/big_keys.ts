/**
 * The keys of the largest requests and replies, one list for both.
 *
 * @module
 */

import { keyName } from "./key_counts.ts";
import type { SampledKey } from "../sampling/sample.ts";
import { COUNTED_BYTES_MIN } from "../sampling/sampling.ts";

/** Less is not worth a line, in bytes. */
export const BIG_BYTES_MIN: number = COUNTED_BYTES_MIN;
/** Keys in the list. */
const LISTED_MAX = 64;
/** How long they stay in it, in milliseconds. */
const KEPT_MS = 24 * 3_600_000;

/** A key with the largest request, or the largest reply, that was seen. */
export interface BigKey {
  /** One character for each byte; cut. */
  readonly key: string;
  /** How many bytes the key's name has. */
  readonly keyBytes: number;
  readonly database: number;
  readonly slot: number;
  /** The server that it was sent to; empty for none. */
  readonly server: string;
  /** As in the command table. */
  readonly command: string;
  readonly isReply: boolean;
  /** Of the whole request or reply. */
  readonly bytes: number;
  /** Whether the request names more keys: then it is one of them. */
  readonly hasMoreKeys: boolean;
  /** When it was seen, in Unix milliseconds. */
  readonly atMs: number;
}

/** See the header. */
export class SeenBigKeys {
  readonly #listed = new Map<string, BigKey>();

  /** A request or reply was seen. */
  add(key: SampledKey, seen: Omit<BigKey, "key" | "keyBytes" | "database" | "slot">): void {
    if (seen.bytes < BIG_BYTES_MIN) return;
    const listed = this.#listed;
    const name = `${seen.isReply ? "reply" : "request"}:${keyName(key)}`;
    const known = listed.get(name);
    if (known !== undefined && known.bytes > seen.bytes && !isOld(known, seen.atMs)) return;
    if (known === undefined && listed.size >= LISTED_MAX && !this.#makeRoom(seen)) return;
    const { keyBytes, database, slotId: slot } = key;
    listed.set(name, { key: key.key, keyBytes, database, slot, ...seen });
  }

  /** Drops one that is old, or else the smallest, if that is smaller. */
  #makeRoom({ bytes, atMs }: { readonly bytes: number; readonly atMs: number }): boolean {
    let least = { name: "", bytes: Infinity };
    for (const [name, each] of this.#listed) {
      const weight = isOld(each, atMs) ? 0 : each.bytes;
      if (weight < least.bytes) least = { name, bytes: weight };
    }
    return bytes > least.bytes && this.#listed.delete(least.name);
  }

  /** The keys in the list, in no order. */
  listed(nowMs = Date.now()): BigKey[] {
    return [...this.#listed.values()].filter((each) => !isOld(each, nowMs));
  }

  /** Forgets all. */
  clear(): void {
    this.#listed.clear();
  }
}

function isOld({ atMs }: { readonly atMs: number }, nowMs: number): boolean {
  return nowMs - atMs > KEPT_MS;
}
