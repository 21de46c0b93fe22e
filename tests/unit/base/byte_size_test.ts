/**
 * How sizes are read and written.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { formatBytes, formatByteSize, parseByteSize } from "../../../src/base/byte_size.ts";

Deno.test("parseByteSize() takes powers of 1024, an optional B and any letter case", () => {
  assertEquals(parseByteSize("0"), 0);
  assertEquals(parseByteSize("512"), 512);
  assertEquals(parseByteSize("512b"), 512);
  assertEquals(parseByteSize("1k"), 1024);
  assertEquals(parseByteSize("1Kb"), 1024);
  assertEquals(parseByteSize("1GB"), 1024 ** 3);
  assertEquals(parseByteSize("2T"), 2 * 1024 ** 4);
});

Deno.test("parseByteSize() refuses what is not a size", () => {
  for (const text of ["", "k", "-1", "1.5mb", "1 mb", "1kib", "9999999p"]) {
    assertThrows(() => parseByteSize(text), SyntaxError, `size "${text}"`);
  }
});

Deno.test("formatByteSize() uses the largest unit that stays whole", () => {
  assertEquals(formatByteSize(0), "0");
  assertEquals(formatByteSize(1023), "1023");
  assertEquals(formatByteSize(1536), "1536");
  assertEquals(formatByteSize(128 * 1024 ** 2), "128mb");
});

Deno.test("formatBytes() takes the unit that fits", () => {
  const sizes = [0, 1, 1023, 1024, 1.5 * 1024, 200 * 1024 ** 2, 3 * 1024 ** 5, 2 ** 60];
  assertEquals(sizes.map(formatBytes), [
    ...["0 B", "1 B", "1023 B", "1.0 KB", "1.5 KB", "200 MB", "3.0 PB", "1024 PB"],
  ]);
});
