/**
 * The progress of a slot: keys moved and left, speed, time to go.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MoveProgress } from "../../../src/migration/progress.ts";

Deno.test("the number of keys left is estimated during a scan, and exact at its end", () => {
  const progress = new MoveProgress();
  assertEquals([progress.keysMoved, progress.keysLeft], [0, null]);
  progress.scanStarted();
  progress.seen(10);
  progress.scanned(0.01);
  assertEquals(progress.keysLeft, null);
  progress.seen(90);
  progress.scanned(0.1);
  assertEquals(progress.keysLeft, 1000);
  progress.moved(100);
  assertEquals(progress.keysLeft, 900);
  progress.seen(1100);
  progress.scanned(1);
  assertEquals(progress.keysLeft, 1100);
  progress.moved(1100);
  assertEquals([progress.keysMoved, progress.keysLeft], [1200, 0]);
  progress.scanStarted();
  progress.scanned(1);
  assertEquals(progress.keysLeft, 0);
});

Deno.test("the speed is that of the last seconds, and the time to go follows from it", () => {
  let nowMs = 1_000;
  const progress = new MoveProgress(() => nowMs);
  assertEquals([progress.keysPerSecond, progress.etaSeconds], [null, null]);
  progress.scanStarted();
  progress.seen(10_000);
  progress.scanned(1);
  progress.moved(1);
  nowMs += 100;
  assertEquals(progress.keysPerSecond, null);
  for (let i = 0; i < 40; i++) {
    nowMs += 100;
    progress.moved(50);
  }
  assertEquals(Math.round(progress.keysPerSecond! / 10), 49);
  assertEquals(progress.etaSeconds, 17);
  nowMs += 60_000;
  assertEquals(progress.keysPerSecond! < 50, true);
});

Deno.test("bytes and their speed are shown where they are known", () => {
  let nowMs = 1_000;
  const progress = new MoveProgress(() => nowMs);
  progress.moved(1);
  assertEquals([progress.bytesMoved, progress.bytesPerSecond], [null, null]);
  for (let i = 0; i < 10; i++) {
    progress.moved(1, 100);
    nowMs += 100;
  }
  assertEquals([progress.keysMoved, progress.bytesMoved], [11, 1_000]);
  assertEquals(progress.bytesPerSecond, 1_000);
});
