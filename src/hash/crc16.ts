/**
 * Redis Cluster's slot of a key: CRC-16 (XMODEM) modulo 16384 of its hash tag, or of the whole key.
 *
 * @module
 */

import { tagEnd, tagStart } from "./hash_tag.ts";

/** Slots of a Redis Cluster. */
export const CLUSTER_SLOT_COUNT = 16_384;

const POLYNOMIAL = 0x1021;
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : POLYNOMIAL);
  return crc;
});

/** The slot of the key `bytes[start..end)`; an empty tag is none. Borrows `bytes` until it returns. */
export function clusterSlotOf(bytes: Uint8Array, start: number, end: number): number {
  const open = tagStart(bytes, start, end);
  const close = open < 0 ? -1 : tagEnd(bytes, open, end);
  const [from, to] = close > open ? [open, close] : [start, end];
  let crc = 0;
  for (let i = from; i < to; i++) crc = (crc << 8) ^ TABLE[((crc >> 8) ^ bytes[i]!) & 0xff]!;
  return (crc & 0xffff) % CLUSTER_SLOT_COUNT;
}
