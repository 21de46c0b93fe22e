/**
 * Floods of lines hide nothing, and what is counted is told.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { LogEntry } from "../../../src/base/log_line.ts";
import { LogRepeats } from "../../../src/base/log_repeats.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

function repeats() {
  const timers = new FakeTimers();
  const lines: string[] = [];
  const log = new LogRepeats(({ message }) => void lines.push(message), timers);
  const say = (message: string, event = message, level: LogEntry["level"] = "warning") =>
    log.take({ at: timers.nowMs(), level, module: "router", message, event, values: {} });
  /** What was written since the last call. */
  const written = () => lines.splice(0);
  return { timers, log, say, written };
}

Deno.test("a line that repeats is written three times in a minute, and then counted", () => {
  const { timers, say, written } = repeats();
  for (let i = 0; i < 40; i++) {
    say("server away");
    timers.advance(1_000);
  }
  assertEquals(written(), ["server away", "server away", "server away"]);
  timers.advance(20_000);
  assertEquals(written(), ["server away (37 times more in 60 s)"]);
  // It goes on: a line a minute.
  for (let i = 0; i < 5; i++) say("server away");
  assertEquals(written(), []);
  timers.advance(60_000);
  assertEquals(written(), ["server away (5 times more in 60 s)"]);
  // It has ended: nothing more, and the next time is new.
  timers.advance(120_000);
  assertEquals(written(), []);
  assertEquals(timers.nextMs, undefined);
  say("server away");
  assertEquals(written(), ["server away"]);
});

Deno.test("what is said again at once is one line, and counted", () => {
  const { timers, say, written } = repeats();
  for (let i = 0; i < 5; i++) {
    say("server away");
    timers.advance(200);
  }
  assertEquals(written(), ["server away"]);
  timers.advance(1_000);
  say("server away");
  assertEquals(written(), ["server away"]);
  timers.advance(60_000);
  assertEquals(written(), ["server away (4 times more in 60 s)"]);
});

Deno.test("lines that differ in their values only are written twenty times in a minute", () => {
  const { timers, say, written } = repeats();
  for (let i = 0; i < 10_000; i++) say(`session ${i} closed`, "session {id} closed");
  assertEquals(written().length, 20);
  // Others are not hidden by them.
  say("a client was refused", "a client was refused");
  assertEquals(written(), ["a client was refused"]);
  timers.advance(60_000);
  assertEquals(written(), ["session 9999 closed (9980 more like it in 60 s)"]);
  say("session 10000 closed", "session {id} closed");
  assertEquals(written(), ["session 10000 closed"]);
});

Deno.test("lines that are values only differ, whatever they say", () => {
  const { say, written } = repeats();
  for (let i = 0; i < 100; i++) say(`slot ${i}: group 1, online`, "{text}", "info");
  assertEquals(written().length, 100);
});

Deno.test("lines of level debug are all written", () => {
  const { say, written } = repeats();
  for (let i = 0; i < 100; i++) say("x", "x", "debug");
  assertEquals(written().length, 100);
});

Deno.test("what was counted is not lost at the end", () => {
  const { timers, log, say, written } = repeats();
  for (let i = 0; i < 5; i++) say("server away");
  timers.advance(9_000);
  written();
  log.flush();
  assertEquals(written(), ["server away (4 times more in 9 s)"]);
  assertEquals(timers.nextMs, undefined);
});

Deno.test("what every worker sees at once is one line", () => {
  const { log, written } = repeats();
  const entry = { level: "warning", module: "router", event: "lost", values: {} } as const;
  const say = (at: number, worker: number) => log.take({ ...entry, at, worker, message: "lost" });
  say(5_000, 0);
  say(5_300, 1);
  say(5_400, 2);
  assertEquals(written(), ["lost"]);
  // A worker later is another time.
  say(6_500, 0);
  say(9_000, 1);
  assertEquals(written(), ["lost", "lost"]);
});
