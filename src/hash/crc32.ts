/**
 * CRC-32 over a span of bytes.
 *
 *   Name               CRC-32/ISO-HDLC (IEEE 802.3, zlib's crc32)
 *   Polynomial         0x04C11DB7 (reflected: 0xEDB88320)
 *   Initialization     0xFFFFFFFF
 *   Reflect input      yes
 *   Reflect output     yes
 *   Xor with output    0xFFFFFFFF
 *   Check value        0xCBF43926 for the bytes of "123456789"
 *
 * Codis 2.0 and codis-server place keys with this variant.
 *
 * @module
 */

/** The remainder of every byte value; signed, so that the arithmetic stays in 32-bit integers. */
export const CRC32_TABLE: Int32Array = buildTable();

function buildTable(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  return table;
}

/**
 * Computes the checksum of `bytes[start..end)`. Borrows `bytes` until it returns; allocates nothing.
 *
 * @returns The checksum as an unsigned 32-bit integer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const bytes = new TextEncoder().encode("123456789");
 * assertEquals(crc32(bytes, 0, bytes.length), 0xcbf43926);
 * ```
 */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  for (let i = start; i < end; i++) {
    crc = CRC32_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
