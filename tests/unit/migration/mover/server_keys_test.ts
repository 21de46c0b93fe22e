/**
 * Reading a SCAN: the keys of the wanted slots, and how far it is.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { Placement } from "../../../../src/hash/placement.ts";
import { fractionOf, readScan } from "../../../../src/migration/mover/server_keys.ts";
import { slotIdOf } from "../../../../src/hash/slot_id.ts";
import { Encoder } from "../../../../src/resp/encoder.ts";

Deno.test("the keys of the wanted slots are read from a SCAN's reply, whatever their bytes", () => {
  const key = fc.uint8Array({ maxLength: 40 });
  fc.assert(fc.property(fc.array(key), fc.maxSafeNat(), fc.nat(1023), (keys, cursor, last) => {
    const reply = new Encoder(2).array(2).bulk(`${cursor}`).array(keys.length);
    for (const each of keys) reply.bulk(each);
    const wanted = new Set(Array.from({ length: last + 1 }, (_, slotId) => slotId));
    const step = readScan(reply.done(), wanted, new Placement());
    assertEquals(step.cursor, `${cursor}`);
    const expected = keys.map((bytes) => ({ bytes, slotId: slotIdOf(bytes, 0, bytes.length) }));
    assertEquals(step.keys, expected.filter(({ slotId }) => slotId <= last));
  }));
});

Deno.test("the cursors of a SCAN show how far it is, from beginning to end", () => {
  // A table of 16: the cursors that Redis gives, one bucket after the other.
  const cursors = [8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15];
  assertEquals(cursors.map((cursor) => fractionOf(`${cursor}`) * 16), cursors.map((_, i) => i + 1));
  const large = fractionOf("18446744073709551615");
  assert(large > 0.999 && large <= 1);
  assertEquals(fractionOf("0"), 0);
});
