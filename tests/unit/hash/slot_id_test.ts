/**
 * A key gets the slot that a real codis-server gives it, for every recorded key.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { crc32 } from "../../../src/hash/crc32.ts";
import { SLOT_COUNT, slotIdOf } from "../../../src/hash/slot_id.ts";
import vectors from "../../fixtures/codis2/slot-vectors.json" with { type: "json" };

Deno.test("slotIdOf agrees with a running codis-server on every recorded key", () => {
  assertEquals(vectors.length > 300, true);
  for (const { key, slot } of vectors) {
    const bytes = new TextEncoder().encode(key);
    assertEquals(slotIdOf(bytes, 0, bytes.length), slot, `key ${JSON.stringify(key)}`);
  }
});

Deno.test("slotIdOf never looks past the end of the key", () => {
  const bytes = new TextEncoder().encode("..{foo}..{foo..}");
  assertEquals(slotIdOf(bytes, 3, 6), 289); // foo
  const whole = new TextEncoder().encode("{foo");
  assertEquals(slotIdOf(bytes, 2, 6), slotIdOf(whole, 0, whole.length));
});

Deno.test("slotIdOf stays within the slots for any bytes", () => {
  const bytes = new Uint8Array(256).map((_, i) => i);
  for (let end = 0; end <= 256; end++) {
    const slot = slotIdOf(bytes, 0, end);
    assertEquals(slot >= 0 && slot < SLOT_COUNT, true);
  }
});

Deno.test("a tag places a key wherever it begins, and a brace that is not closed is a byte as others", () => {
  const slotOf = (text: string) => slotIdOf(new TextEncoder().encode(text), 0, text.length);
  for (let before = 0; before < 12; before++) {
    assertEquals(slotOf("x".repeat(before) + "{foo}bar"), 289, `after ${before} bytes`);
    const open = new TextEncoder().encode("x".repeat(before) + "{foo-bar");
    assertEquals(slotOf("x".repeat(before) + "{foo-bar"), crc32(open, 0, open.length) % SLOT_COUNT);
  }
});
