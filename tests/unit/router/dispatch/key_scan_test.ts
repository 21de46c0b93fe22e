/**
 * What the cursors of HSCAN, SSCAN and ZSCAN guarantee.
 *
 * @module
 */

import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { nextCursor } from "../../../../src/router/dispatch/key_scan.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

const HERE = "10.0.0.1:6379";
const THERE = "10.0.0.2:6379";
/** As far as JavaScript counts exactly. */
const SAFE = 2n ** 53n;
const LOWEST_BITS = 2n ** 32n - 1n;

Deno.test("a cursor keeps the bits that its server looks at, and stays exact in JavaScript", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: LOWEST_BITS }), (own) => {
      const cursor = nextCursor(0n, own, HERE);
      assertEquals([cursor & LOWEST_BITS, cursor < SAFE], [own, true]);
      assertEquals(nextCursor(cursor, own, HERE), cursor);
    }),
    fuzzParameters(1000),
  );
});

Deno.test("a walk ends when its server says so, and begins anew at another server", () => {
  const cursor = nextCursor(0n, 77n, HERE);
  assertEquals(nextCursor(cursor, 0n, HERE), 0n);
  for (const own of [0n, 5n]) {
    const anew = nextCursor(cursor, own, THERE);
    assertEquals(anew & LOWEST_BITS, 0n);
    assertNotEquals(anew, 0n);
    assertEquals(nextCursor(anew, 0n, THERE), 0n);
  }
});

Deno.test("a cursor that names no server is trusted", () => {
  for (const asked of [0n, 9n, SAFE, 2n ** 64n - 1n]) {
    assertEquals(nextCursor(asked, 0n, HERE), 0n);
    assertEquals(nextCursor(asked, 3n, HERE), nextCursor(0n, 3n, HERE));
  }
});
