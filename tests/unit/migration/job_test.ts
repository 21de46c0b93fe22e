/**
 * The phase that operators see of a migration task.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type JobStream, MigrationJob } from "../../../src/migration/job.ts";
import type { MigrateTaskRecord } from "../../../src/model/migrate_task.ts";
import { slotIn } from "../../../src/model/slot.ts";

const STREAM: JobStream = {
  slowedBy: "",
  keysMoved: () => {},
  release: () => Promise.resolve(),
};

function job(status: MigrateTaskRecord["status"], change: (job: MigrationJob) => void = () => {}) {
  const task = { slot_id: 5, new_group: 2, delay: 0, create_at: "0", percent: 0, status };
  const made = new MigrationJob("0000000001", task, { firstMs: 1, maxMs: 1 });
  change(made);
  return made;
}

function phaseOf(made: MigrationJob, isPaused = false): string {
  return made.view(undefined, isPaused).phase;
}

Deno.test("a slot that is paused, cancelled or waiting is not shown as moving", () => {
  const moving = (made: MigrationJob) => void (made.stream = STREAM);
  assertEquals(phaseOf(job("pending")), "waiting");
  assertEquals(phaseOf(job("migrating", moving)), "moving");
  assertEquals(phaseOf(job("migrating")), "waiting", "a dashboard has just taken over");
  assertEquals(phaseOf(job("migrating"), true), "paused");
  assertEquals(phaseOf(job("pending"), true), "paused");
  assertEquals(phaseOf(job("error"), true), "paused");
  assertEquals(phaseOf(job("migrating", moving), true), "moving", "until its stream has ended");
  assertEquals(phaseOf(job("migrating", (made) => made.fail("x"))), "stuck");
  assertEquals(phaseOf(job("error", (made) => made.fail("x"))), "failed");
  assertEquals(phaseOf(job("finished")), "finished");

  const migrate_status = { from: 1, to: 2 };
  const slot = slotIn("test", 5, 2, "migrate");
  const reversed = job("migrating", (made) => {
    made.reverse({ ...made.task, new_group: 1 }, true);
    made.readSlot({ ...slot, state: { ...slot.state, migrate_status } });
  });
  assertEquals(phaseOf(reversed), "moving back");
  reversed.stream = STREAM;
  assertEquals(phaseOf(reversed), "moving back");
  // Another dashboard leads by now: it knows that by the route.
  reversed.isGoingBack = false;
  assertEquals(phaseOf(reversed), "moving back");
});

Deno.test("a slot whose keys move again is stuck no longer, however long the round takes", () => {
  const made = job("migrating", (made) => made.fail("connection refused"));
  made.stream = STREAM;
  assertEquals([phaseOf(made), made.problem], ["stuck", "connection refused"]);
  made.progress.moved(1);
  assertEquals([phaseOf(made), made.problem], ["moving", ""]);
});
