/**
 * What the end of a turn of the event loop guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { atTurnEnd, endPiece, type TurnWork } from "../../../src/io/turn.ts";
import { turn } from "../../support/scripted_io.ts";

function work(run: () => void): TurnWork {
  return { isQueuedForTurnEnd: false, runAtTurnEnd: run };
}

Deno.test("atTurnEnd() runs work once, after all handlers of the turn, in the order it was queued", async () => {
  const log: string[] = [];
  const first = work(() => log.push("first"));
  const second = work(() => log.push("second"));
  // Two reads that completed in the same turn.
  const handlers = ["a", "b"].map((name) =>
    Promise.resolve().then(() => {
      log.push(name);
      atTurnEnd(first);
      atTurnEnd(second);
      atTurnEnd(first);
    })
  );
  await Promise.all(handlers);
  await turn();
  assertEquals(log, ["a", "b", "first", "second"]);
});

Deno.test("atTurnEnd() runs work that work queues in the same turn", async () => {
  const log: string[] = [];
  const later = work(() => log.push("later"));
  atTurnEnd(work(() => {
    log.push("now");
    atTurnEnd(later);
  }));
  await Promise.resolve();
  assertEquals(log, ["now", "later"]);
});

Deno.test("atTurnEnd() takes work again once it has run", async () => {
  let runs = 0;
  const again: TurnWork = work(() => {
    if (++runs < 3) atTurnEnd(again);
  });
  atTurnEnd(again);
  await turn();
  assertEquals(runs, 3);
  atTurnEnd(again);
  assert(again.isQueuedForTurnEnd);
  await turn();
  assertEquals(runs, 4);
});

Deno.test("what may not wait, and is alone, runs with the end of a piece, once; anything else at the end of the turn", async () => {
  const log: string[] = [];
  const queue = (name: string, isEager: boolean) =>
    atTurnEnd({ isQueuedForTurnEnd: false, isEager, runAtTurnEnd: () => void log.push(name) });
  endPiece();
  queue("eager", true);
  endPiece();
  assertEquals(log, ["eager"]);
  queue("patient", false);
  endPiece();
  queue("eager, but not alone", true);
  endPiece();
  assertEquals(log, ["eager"]);
  await turn();
  assertEquals(log, ["eager", "patient", "eager, but not alone"]);
});
