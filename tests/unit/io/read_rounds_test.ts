/**
 * Of many busy clients none is left out.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assert, assertEquals } from "@std/assert";
import { readRounds, type RoundMember } from "../../../src/io/read_rounds.ts";
import { until } from "../../support/deadline.ts";

const CLIENTS = 1_000;

function members(count: number): (RoundMember & { reads: number })[] {
  return Array.from({ length: count }, () => ({
    reads: 0,
    readOn() {
      this.reads++;
    },
  }));
}

Deno.test("readRounds.next() reads on at once in a turn with few reads", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const few = members(10);
    for (const member of few) readRounds.next(member, CLIENTS);
    assert(few.every(({ reads }) => reads === 1));
    await Promise.resolve();
  }
});

Deno.test("readRounds.next() keeps nobody waiting where there are few clients", () => {
  const all = members(500);
  for (const member of all) readRounds.next(member, 50);
  assert(all.every(({ reads }) => reads === 1));
});

Deno.test("readRounds.next() keeps clients of a busy turn until a turn is calm, and then reads from each of them", async () => {
  const many = members(500);
  for (const member of many) readRounds.next(member, CLIENTS);
  const kept = many.filter(({ reads }) => reads === 0);
  assert(kept.length > 400);
  // Others are served meanwhile.
  for (let turns = 0; turns < 20; turns++) {
    for (let calls = 0; calls < 100; calls++) readRounds.count();
    assert(kept.every(({ reads }) => reads === 0));
    await delay(0);
  }
  await until(() => many.every(({ reads }) => reads === 1));
  // All is as before.
  const [late] = members(1);
  await delay(5);
  readRounds.next(late!, CLIENTS);
  assertEquals(late!.reads, 1);
});

Deno.test("while many are accepted, who was served waits until all are in, and nobody for long", async () => {
  const [alone, ...served] = members(401);
  readRounds.afterPiece(alone!, false);
  assertEquals(alone!.reads, 1);
  const comes = () => {
    for (let accepts = 0; accepts < 25; accepts++) readRounds.accepted();
  };
  comes();
  for (const member of served) readRounds.afterPiece(member, false);
  for (let turns = 0; turns < 10; turns++) {
    assert(served.every(({ reads }) => reads === 0));
    comes();
    await delay(0);
  }
  await until(() => served.every(({ reads }) => reads === 1));
  // Where they never end to come, others are served all the same.
  comes();
  for (const member of served) readRounds.afterPiece(member, false);
  let turns = 0;
  for (; served.some(({ reads }) => reads === 1); turns++) {
    comes();
    await delay(0);
  }
  assert(turns < 100, `${turns} turns`);
  await delay(20);
});

Deno.test("readRounds.next() keeps nobody waiting for long where turns are busy for ever, as with many subscribers", async () => {
  const few = members(60);
  for (const member of few) readRounds.next(member, CLIENTS);
  let turns = 0;
  for (; few.some(({ reads }) => reads === 0); turns++) {
    for (let calls = 0; calls < 100; calls++) readRounds.count();
    await delay(0);
  }
  assert(turns < 20, `${turns} turns`);
});
