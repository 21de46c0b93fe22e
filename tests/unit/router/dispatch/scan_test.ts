/**
 * What SCAN's cursors guarantee, also when slots have moved.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { cursorOf, placeOf } from "../../../../src/router/dispatch/scan.ts";
import { Slot } from "../../../../src/router/slots/slot.ts";
import { SlotMoves, VERSIONS_KEPT } from "../../../../src/router/slots/slot_moves.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { slotFill } from "../../../support/router_server.ts";

Deno.test("a cursor holds its place, and is never 0", () => {
  const place = fc.record({
    own: fc.bigInt({ min: 0n, max: 2n ** 34n }),
    masters: fc.nat({ max: 3 }),
    version: fc.nat({ max: 2 * VERSIONS_KEPT - 1 }),
    pass: fc.integer({ min: 1, max: 4 }),
    groupId: fc.nat({ max: 9_999 }),
  });
  fc.assert(
    fc.property(place, (each) => {
      const cursor = cursorOf(each);
      assert(cursor > 0n);
      assertEquals(placeOf(cursor), each);
    }),
    fuzzParameters(1000),
  );
});

Deno.test("cursors stay exact in JavaScript, with 32 million buckets at each of 60 servers", () => {
  const largest = cursorOf({
    own: 2n ** 25n - 1n,
    masters: 3,
    version: 2 * VERSIONS_KEPT - 1,
    pass: 4,
    groupId: 60,
  });
  assert(largest < 2n ** 53n);
  const huge = { own: 2n ** 32n, masters: 3, version: 2 ** 15, pass: 4, groupId: 60 };
  assert(cursorOf(huge) < 2n ** 63n);
});

Deno.test("any number is taken for some place", () => {
  for (const cursor of [1n, 15n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    const { own, version, pass, groupId } = placeOf(cursor);
    assert(own >= 0n && version >= 0 && pass >= 1 && pass <= 4 && groupId >= -1);
  }
});

/** The moves of slot 5 from one place to the next, each by an action. */
function movesThrough(...places: [groupId: number, from?: number][]): [SlotMoves, Slot] {
  const moves = new SlotMoves();
  const slot = new Slot(5, 1000);
  for (const [groupId, from = -1] of places) {
    moves.filled(slotFill(5, `group${groupId}:1`, {
      groupId,
      migrateFromAddr: from < 0 ? "" : `group${from}:1`,
      migrateFromGroupId: from,
    }));
    moves.inForce(moves.version + 1);
  }
  return [moves, slot];
}

Deno.test("moves back are those to an earlier group, and count from before their end on", () => {
  const [forth, slot] = movesThrough([1], [3, 1], [3]);
  assertEquals([forth.movesSince(0, slot), forth.movesBackSince(0, slot)], [1, 0]);
  const [back] = movesThrough([3], [1, 3], [1]);
  const seen = [0, 1, 2, 3].map((version) => back.movesBackSince(version, slot));
  assertEquals(seen, [1, 1, 1, 0], "who began when it had ended finds all keys there");
  const [turned] = movesThrough([1], [3, 1], [1, 3], [1]);
  assertEquals([turned.movesSince(0, slot), turned.movesBackSince(0, slot)], [2, 1]);
  const [same] = movesThrough([1], [3, 1], [3, 1], [3], [3]);
  assertEquals(same.movesSince(0, slot), 1);
});

Deno.test("another master is a move, but none back; a step that was not seen is either", () => {
  const [moves, slot] = movesThrough([2]);
  moves.filled(slotFill(5, "another:1", { groupId: 2 }));
  assertEquals([moves.movesSince(1, slot), moves.movesBackSince(1, slot)], [1, 0]);
  moves.inForce(2);
  moves.filled(slotFill(5, "elsewhere:1", { groupId: 1 }));
  assertEquals([moves.movesBackSince(1, slot), moves.movesBackSince(2, slot)], [1, 1]);
  moves.inForce(3);
  moves.filled(slotFill(5, "afar:1", { groupId: 7 }));
  assertEquals([moves.movesSince(3, slot), moves.movesBackSince(3, slot)], [1, 0]);
});

Deno.test("a slot whose source or target gets another master moves on, once more", () => {
  const [moves, slot] = movesThrough([3], [1, 3]);
  const filled = (backendAddr: string, migrateFromAddr: string) =>
    moves.filled(slotFill(5, backendAddr, { groupId: 1, migrateFromAddr, migrateFromGroupId: 3 }));
  filled("group1:1", "another:1");
  filled("different:1", "another:1");
  filled("different:1", "another:1");
  assertEquals([moves.movesSince(0, slot), moves.movesBackSince(0, slot)], [2, 0]);
  moves.filled(slotFill(5, "different:1", { groupId: 1 }));
  assertEquals([moves.movesSince(0, slot), moves.movesBackSince(0, slot)], [3, 1]);
});

Deno.test("changes of a group's master are counted once, from before they were in force", () => {
  const moves = new SlotMoves();
  const fill = (slotId: number, addr: string, from = "") =>
    moves.filled(slotFill(slotId, addr, {
      groupId: from === "" ? 2 : 3,
      ...{ migrateFromAddr: from, migrateFromGroupId: from === "" ? -1 : 2 },
    }));
  for (const slotId of [1, 2]) fill(slotId, "old:1");
  fill(3, "other:1", "old:1");
  moves.inForce(7);
  assertEquals([moves.mastersSince(0, 2), moves.masterOf(2)], [0, "old:1"]);
  for (const slotId of [1, 2]) fill(slotId, "new:1");
  fill(3, "other:1", "new:1");
  assertEquals([moves.mastersSince(7, 2), moves.masterOf(2)], [1, "new:1"]);
  moves.inForce(8);
  assertEquals([moves.mastersSince(7, 2), moves.mastersSince(8, 2)], [1, 0]);
  assertEquals([moves.mastersSince(0, 3), moves.mastersSince(0, 4)], [0, 0]);
});

Deno.test("what has changed before a table was loaded is not known, and its version does not go back", () => {
  const moves = new SlotMoves();
  moves.loaded(41);
  assertEquals([moves.version, moves.knownSince], [41, 41]);
  moves.inForce(40);
  assertEquals(moves.version, 41);
});
