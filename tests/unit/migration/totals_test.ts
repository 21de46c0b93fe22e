/**
 * The progress of all migrations together: it never falls, and is null while it is not known.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { TotalProgress } from "../../../src/migration/totals.ts";
import { NOT_STARTED, TASK } from "../../support/cluster_view.ts";

/** Ten keys of a hundred are moved, at 10 per second. */
const RUNNING = { ...TASK, keys_per_second: 10 };
const PENDING = { ...TASK, ...NOT_STARTED };

Deno.test("what has arrived counts until there is nothing to move any more", () => {
  const totals = new TotalProgress();
  assertEquals(totals.view([]), null);
  totals.begin();
  totals.ended({ ...RUNNING, keys_moved: 100, keys_left: 0, bytes_moved: 50_000 });
  assertEquals(totals.view([RUNNING]), {
    slots_done: 1,
    slots_left: 1,
    keys_moved: 110,
    keys_left: 90,
    bytes_moved: 54_096,
    keys_per_second: 10,
    bytes_per_second: 1024,
    eta_seconds: 9,
  });
  totals.begin();
  assertEquals(totals.view([RUNNING])!.keys_moved, 10);
});

Deno.test("slots that were not counted yet are taken to be like those that were", () => {
  const totals = new TotalProgress();
  const first = totals.view([PENDING, PENDING])!;
  assertEquals([first.keys_left, first.bytes_moved, first.eta_seconds], [null, null, null]);
  totals.ended({ ...RUNNING, keys_moved: 200, keys_left: 0 });
  // 200 keys and 100 were counted: 150 for the third and the fourth.
  assertEquals(totals.view([RUNNING, PENDING, PENDING])!.keys_left, 90 + 2 * 150);
});
