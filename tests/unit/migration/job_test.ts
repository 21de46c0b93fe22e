/**
 * What a migration task is said to do, whatever its record in the store says.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MigrationJob } from "../../../src/migration/job.ts";
import type { MoveStream } from "../../../src/migration/stream.ts";
import type { MigrateTaskRecord } from "../../../src/model/migrate_task.ts";
import { slotIn } from "../../../src/model/slot.ts";

const STREAM = { slowedBy: "" } as MoveStream;

function job(status: MigrateTaskRecord["status"], change: (job: MigrationJob) => void = () => {}) {
  const task = { slot_id: 5, new_group: 2, delay: 0, create_at: "0", percent: 0, status };
  const made = new MigrationJob("0000000001", task, { firstMs: 1, maxMs: 1 });
  change(made);
  return made;
}

function phaseOf(made: MigrationJob, isPaused = false): string {
  return made.view(undefined, isPaused).phase;
}

Deno.test("a slot that is paused, cancelled or waits its turn is not said to move", () => {
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
  const turned = job("migrating", (made) => {
    made.turn({ ...made.task, new_group: 1 }, true);
    made.look({ ...slot, state: { ...slot.state, migrate_status } });
  });
  assertEquals(phaseOf(turned), "moving back");
  turned.stream = STREAM;
  assertEquals(phaseOf(turned), "moving back");
  // Another dashboard leads by now: it knows by the route.
  turned.isTurned = false;
  assertEquals(phaseOf(turned), "moving back");
});
