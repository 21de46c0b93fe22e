/**
 * Which routes slots may take, given the routes on which others migrate.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { MigrationJob } from "../../../src/migration/job.ts";
import { cycleNoteOf, hasWork, jobsFor, type Traffic } from "../../../src/migration/routes.ts";
import { slotIn } from "../../../src/model/slot.ts";

const RETRY = { firstMs: 1_000, maxMs: 1_000 };

/** A job as the store has it: `3: 1` is online, `3: 1>2` in migrate, `3: (1)` blocked. */
function job(text: string, goal: number): MigrationJob {
  const [, id, open, from, to] = /^(\d+): (\(?)(\d)(?:>(\d))?\)?$/.exec(text)!;
  const slotId = Number(id);
  const status = open === "(" ? "pre_migrate" : to === undefined ? "online" : "migrate";
  const slot = slotIn("test", slotId, Number(to ?? from), status);
  const task = {
    ...{ slot_id: slotId, new_group: goal, delay: 0, create_at: "0", percent: 0 },
    status: status === "online" ? "pending" : "migrating",
  } as const;
  const made = new MigrationJob(`${slotId}`.padStart(10, "0"), task, RETRY);
  const migrate_status = to === undefined
    ? slot.state.migrate_status
    : { from: Number(from), to: Number(to) };
  made.readSlot({ ...slot, state: { ...slot.state, migrate_status } });
  return made;
}

function traffic(jobs: readonly MigrationJob[], running: Traffic["running"] = []): Traffic {
  return { jobs, running, isWaiting: () => false, nowMs: 1 };
}

function route(from: number, to: number) {
  return { from, to, delayMs: 0 };
}

/** The slots of the jobs for a route. */
function slotsFor(from: number, to: number, all: Traffic, count = 10): number[] {
  return jobsFor(route(from, to), count, all).map(({ task }) => task.slot_id);
}

Deno.test("slots go in order, those that have started first, so many at once", () => {
  const all = traffic([job("1: 1", 2), job("2: 1", 2), job("3: 1>2", 2), job("4: 1", 3)]);
  assertEquals(slotsFor(1, 2, all), [3, 1, 2]);
  assertEquals(slotsFor(1, 2, all, 2), [3, 1]);
  assertEquals(slotsFor(1, 3, all), [4]);
  assertEquals(cycleNoteOf(route(1, 3), all), "");
});

Deno.test("keys do not move in a cycle between two groups or three", () => {
  const two = traffic([job("1: 1>2", 2), job("2: 2", 1)]);
  assertEquals(
    cycleNoteOf(route(2, 1), two),
    "waits until slots have migrated from group 1 to 2: servers that give keys to each other would block " +
      "each other",
  );
  assertEquals(slotsFor(2, 1, two), []);
  const three = traffic([job("1: 1>2", 2), job("2: 3", 1)], [route(2, 3)]);
  assertEquals(
    cycleNoteOf(route(3, 1), three),
    "waits until slots have migrated from group 1 to 2 and from group 2 to 3: servers that give keys " +
      "to each other would block each other",
  );
  assertEquals(slotsFor(3, 1, three), []);
  assertEquals(slotsFor(2, 3, traffic([job("1: 1>2", 2), job("2: 2", 3)])), [2]);
});

Deno.test("a blocked slot counts as one that migrates, and is opened before all else", () => {
  const all = traffic([job("1: (1)", 2), job("2: 2", 1), job("3: 1", 2)]);
  assertEquals(slotsFor(2, 1, all), []);
  assertEquals(slotsFor(1, 2, all), [1, 3]);
});

Deno.test("slots reverse together, and not while others move the way they came", () => {
  const [reversed, other] = [job("1: 1>2", 1), job("2: 1>2", 2)];
  const fresh = job("3: 1", 2);
  const some = traffic([reversed, other, fresh]);
  assertEquals(slotsFor(2, 1, some), []);
  assertEquals(slotsFor(1, 2, some), [2], "no new ones follow while they wait");
  const all = traffic([reversed, job("4: 1>2", 1), job("5: 2", 1), fresh]);
  assertEquals(slotsFor(2, 1, all, 1), [1, 4], "all of them, however many at once");
  assertEquals(slotsFor(2, 1, all, 3), [1, 4, 5]);
  assertEquals(slotsFor(1, 2, traffic([fresh, reversed], [route(2, 1)])), []);
});

Deno.test("slots that another dashboard moved both ways arrive, one route after the other", () => {
  const jobs = [job("1: 1>2", 2), job("2: 2>1", 1), job("3: 1", 2)];
  assertEquals(cycleNoteOf(route(1, 2), traffic(jobs)), "");
  assertEquals(slotsFor(1, 2, traffic(jobs)), [1]);
  assertEquals(
    cycleNoteOf(route(2, 1), traffic(jobs, [route(1, 2)])),
    "waits until slots have migrated from group 1 to 2: servers that give keys to each other would block " +
      "each other",
  );
});

Deno.test("slots that were reversed both ways arrive as well, one route after the other", () => {
  // Both were cancelled twice: they go forward again.
  const jobs = [job("1: 2>1", 2), job("2: 1>2", 1), job("3: 1", 2)];
  assertEquals(cycleNoteOf(route(1, 2), traffic(jobs)), "");
  assertEquals(slotsFor(1, 2, traffic(jobs, [route(1, 2)])), [1]);
  assert(hasWork(route(1, 2), traffic(jobs)));
});

Deno.test("slots do not reverse while one of them cannot", () => {
  const held = job("1: 1>2", 1);
  held.isHeld = true;
  const all = traffic([held, job("2: 1>2", 1)]);
  assertNotEquals(cycleNoteOf(route(2, 1), all), "");
  assertEquals(slotsFor(2, 1, all), []);
  held.isHeld = false;
  assertEquals(slotsFor(2, 1, all), [1, 2]);
});

Deno.test("a stream that would find no job does not start", () => {
  const jobs = [job("1: 1>2", 1), job("2: 1>2", 2), job("3: 1", 2)];
  assert(hasWork(route(1, 2), traffic(jobs)));
  assert(!hasWork(route(1, 2), traffic([jobs[0]!, jobs[2]!])), "no new one follows");
});
