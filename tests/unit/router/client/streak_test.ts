/**
 * A client is told to ask again only when nothing else that it has sent would be executed twice.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Reconnects } from "../../../../src/router/client/reconnects.ts";
import { Streak } from "../../../../src/router/client/streak.ts";
import { backendDown, backendFailure, SLOT_NOT_READY } from "../../../../src/router/errors.ts";

const UNSENT = backendDown("a:1", "connection refused");
const TOLD = UNSENT.replace("ERR", "LOADING");

/** A streak, and its client. */
function make() {
  const host = { unreadBytes: 0, shared: { reconnects: new Reconnects() } };
  return { host, streak: new Streak(host) };
}

Deno.test("who has sent one request, and waits, is told to ask again where it was not sent on", () => {
  const { streak } = make();
  for (let i = 0; i < 3; i++) {
    streak.begins();
    assertEquals(streak.textOf(UNSENT), TOLD);
    streak.ends();
  }
});

Deno.test("a request that may have been executed, or that no waiting helps, is not asked again", () => {
  const { streak } = make();
  const texts = [
    backendFailure("a:1", "connection closed by the server"),
    SLOT_NOT_READY,
    backendDown("a:1", "NOAUTH Authentication required."),
    backendDown("a:1", "Too many open files (os error 24)"),
  ];
  for (const text of texts) {
    streak.begins();
    assertEquals(streak.textOf(text), text);
    streak.ends();
  }
});

Deno.test("no request of a pipeline is asked again, be it the first, the last or the only one left", () => {
  const { host, streak } = make();
  host.unreadBytes = 20; // of the second, which is here already
  streak.begins();
  assertEquals(streak.textOf(UNSENT), UNSENT);
  streak.ends();
  host.unreadBytes = 0;
  streak.begins();
  assertEquals(streak.textOf(UNSENT), UNSENT);
  streak.ends();
  streak.begins();
  assertEquals(streak.textOf(UNSENT), TOLD);
});

Deno.test("of clients that connect anew when they are told to ask again, 1000 are told so at once", () => {
  const { host, streak } = make();
  let told = 0;
  for (let i = 0; i < 1_200; i++) {
    const gone = new Streak(host);
    gone.begins();
    if (gone.textOf(UNSENT) === TOLD) told++;
  }
  assertEquals(told, 1_000);
  streak.begins();
  assertEquals(streak.textOf(UNSENT), UNSENT);
});

Deno.test("clients that keep their connection, and those that were told nothing, use nothing up", () => {
  const { host, streak } = make();
  for (let i = 0; i < 1_200; i++) {
    streak.begins();
    assertEquals(streak.textOf(UNSENT), TOLD);
    streak.ends();
    const other = new Streak(host);
    other.begins();
    assertEquals(other.textOf(SLOT_NOT_READY), SLOT_NOT_READY);
  }
});
