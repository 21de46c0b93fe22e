/**
 * Legal and illegal moves.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { changeState, type StateMoves } from "../../../src/base/state.ts";

const MOVES: StateMoves<"open" | "draining" | "closed"> = {
  open: ["draining", "closed"],
  draining: ["closed"],
  closed: [],
};

Deno.test("changeState() returns the new state when the table allows the move", () => {
  assertEquals(changeState(MOVES, "open", "draining", "session 1"), "draining");
});

Deno.test("changeState() throws on a move that the table does not list", () => {
  const message = 'session 1 cannot go from "closed" to "open"';
  assertThrows(() => changeState(MOVES, "closed", "open", "session 1"), Error, message);
  assertThrows(() => changeState(MOVES, "open", "open", "session 1"), Error);
});
