/**
 * Writes that stay paused for as long as keys are compared.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import type { ImportRun } from "../../../src/import/import_run.ts";
import { whilePaused, WRITE_PAUSE_MS } from "../../../src/import/switch_over.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

/** When sources were told to pause, in milliseconds, while something takes `tookMs`. */
async function pausesIn(tookMs: number, isAway: (nowMs: number) => boolean): Promise<number[]> {
  const timers = new FakeTimers();
  const pauses: number[] = [];
  const call = (...words: unknown[]) => {
    if (isAway(timers.nowMs())) return Promise.reject(new Error("away"));
    assertEquals(words, ["CLIENT", "PAUSE", WRITE_PAUSE_MS, "WRITE"]);
    pauses.push(timers.nowMs());
    return Promise.resolve("OK");
  };
  const run = { sources: [{ control: { version: "7.0.15", call } }] } as unknown as ImportRun;
  await whilePaused(run, async () => {
    while (timers.nowMs() < tookMs) {
      timers.advance(10_000);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }, timers);
  assertEquals(timers.nextMs, undefined);
  return pauses;
}

Deno.test("writes stay paused however long keys are compared, and for five minutes more", async () => {
  const tookMs = 3 * WRITE_PAUSE_MS;
  const pauses = [0, ...await pausesIn(tookMs, () => false)];
  assertEquals(pauses.at(-1), tookMs);
  const longest = Math.max(...pauses.slice(1).map((ms, i) => ms - pauses[i]!));
  assertEquals(longest < WRITE_PAUSE_MS / 2, true, `${longest}`);
});

Deno.test("a source that cannot be told for a while stays paused; for longer, clients are not told to move", async () => {
  const away = (ms: number) => (nowMs: number) => nowMs > 40_000 && nowMs < 40_000 + ms;
  await pausesIn(2 * WRITE_PAUSE_MS, away(WRITE_PAUSE_MS / 2));
  await assertRejects(
    () => pausesIn(3 * WRITE_PAUSE_MS, away(1.5 * WRITE_PAUSE_MS)),
    Error,
    "were no longer paused",
  );
  await assertRejects(() => pausesIn(60_000, (nowMs) => nowMs > 50_000), Error, "away");
});
