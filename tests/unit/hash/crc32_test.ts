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
