/**
 * The checksum is the CRC-32 that Codis uses.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { crc32 } from "../../../src/hash/crc32.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("crc32 gives the check value of the variant", () => {
  const bytes = encode("123456789");
  assertEquals(crc32(bytes, 0, bytes.length), 0xcbf43926);
});

Deno.test("crc32 of nothing is zero", () => {
  assertEquals(crc32(new Uint8Array(0), 0, 0), 0);
});

Deno.test("crc32 looks at its span only and returns an unsigned number", () => {
  const bytes = encode("xx123456789yy");
  assertEquals(crc32(bytes, 2, 11), 0xcbf43926);
  assertEquals(crc32(new Uint8Array([0xff, 0xff, 0xff, 0xff]), 0, 4), 0xffffffff);
});

/** The checksum as its definition has it, a bit at a time. */
function bitByBit(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

Deno.test("crc32 is what its definition says, for spans of every length and place", () => {
  const bytes = new Uint8Array(80).map((_, i) => i * 89 + 200);
  for (let start = 0; start < 8; start++) {
    for (let end = start; end <= bytes.length; end++) {
      assertEquals(crc32(bytes, start, end), bitByBit(bytes.subarray(start, end)));
    }
  }
});
