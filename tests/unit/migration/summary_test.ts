/**
 * What is told of a migration when it is done.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MigrationSummary } from "../../../src/migration/summary.ts";

Deno.test("a summary has slots, keys, bytes, time, rate, and from where to where", () => {
  const summary = new MigrationSummary({ from: 1, to: 2 }, 5_000);
  assertEquals(summary.isEmpty, true);
  for (const slotId of [3, 1, 2, 9]) {
    summary.add({ slotId, progress: { keysMoved: 250, bytesMoved: 1024 ** 2 } });
  }
  assertEquals(summary.isEmpty, false);
  assertEquals(
    summary.text(7_000),
    "migration from group 1 to 2 is done: slots 1-3, 9 (4), 1000 keys, 4.0 MB in 2 s " +
      "(500 keys/s, 2.0 MB/s)",
  );
});

Deno.test("bytes that nobody has measured are left out", () => {
  const summary = new MigrationSummary({ from: 7, to: 3 }, 0);
  summary.add({ slotId: 5, progress: { keysMoved: 0, bytesMoved: null } });
  assertEquals(
    summary.text(20),
    "migration from group 7 to 3 is done: slot 5 (1), 0 keys in 0.1 s (0 keys/s)",
  );
});
