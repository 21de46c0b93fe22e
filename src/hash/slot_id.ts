/**
 * The slot of a key: CRC-32 of its hash tag, or of the whole key, modulo 1024.
 *
 * @module
 */

import { crc32, CRC32_TABLE, crc32OfFour } from "./crc32.ts";
import { tagEnd } from "./hash_tag.ts";

/** How many slots a product has; slot ids are 0..1023. Codis 2.0's number. */
export const SLOT_COUNT = 1024;

const SLOT_MASK = SLOT_COUNT - 1;
const OPEN_BRACE = 0x7b;

/**
 * Returns the slot id of the key `bytes[start..end)`. Borrows `bytes` until it returns; allocates
 * nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const key = new TextEncoder().encode("{user1000}.following");
 * assertEquals(slotIdOf(key, 0, key.length), 870);
 * ```
 */
export function slotIdOf(bytes: Uint8Array, start: number, end: number): number {
  return keyHashOf(bytes, start, end) & SLOT_MASK;
}

/**
 * Returns the checksum of the key `bytes[start..end)`, whose lowest bits are the slot, as a signed integer:
 * the checksum of its tag, or of the whole key. Borrows `bytes` until it returns.
 */
export function keyHashOf(bytes: Uint8Array, start: number, end: number): number {
  // One scan for a key without a tag: computes the checksum while it searches for a tag.
  let crc = -1;
  let mayHaveTag = true;
  let i = start;
  // By four bytes as long as no tag begins among them.
  for (const last = end - 4; i <= last; i += 4) {
    const a = bytes[i]!, b = bytes[i + 1]!, c = bytes[i + 2]!, d = bytes[i + 3]!;
    if (a === OPEN_BRACE || b === OPEN_BRACE || c === OPEN_BRACE || d === OPEN_BRACE) break;
    crc = crc32OfFour(crc ^ (a | (b << 8) | (c << 16) | (d << 24)));
  }
  for (; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === OPEN_BRACE && mayHaveTag) {
      const close = tagEnd(bytes, i + 1, end);
      if (close >= 0) return crc32(bytes, i + 1, close) | 0;
      mayHaveTag = false; // the first brace is never closed, so no later one is
    }
    crc = CRC32_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc;
}
