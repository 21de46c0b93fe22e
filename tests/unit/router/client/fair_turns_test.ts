/**
 * How many requests a client may have in flight beside others.
 *
 * @module
 */

import { assert, assertFalse } from "@std/assert";
import { clock } from "../../../../src/base/clock.ts";
import { FairTurns } from "../../../../src/router/client/fair_turns.ts";

Deno.test("a client waits from 64 requests on while another one with few is served", () => {
  const turns = new FairTurns();
  assertFalse(turns.mustWait(1_000));
  turns.served(1);
  assertFalse(turns.mustWait(63));
  assert(turns.mustWait(64));
});

Deno.test("clients with many requests do not make each other wait", () => {
  const turns = new FairTurns();
  turns.served(65);
  assertFalse(turns.mustWait(1_000));
});

Deno.test("nobody waits once 100 ms have gone since a client with few was served", () => {
  const turns = new FairTurns();
  const { nowMs } = clock;
  try {
    turns.served(64);
    clock.nowMs += 99;
    assert(turns.mustWait(64));
    clock.nowMs += 2;
    assertFalse(turns.mustWait(64));
  } finally {
    clock.nowMs = nowMs;
  }
});
