/** Which requests are sampled, for whom, and with which keys. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { clock } from "../../../../src/base/clock.ts";
import { findByName } from "../../../../src/command/command_table.ts";
import { Placement } from "../../../../src/hash/placement.ts";
import { latin1, latin1Bytes } from "../../../../src/resp/latin1.ts";
import { encodeRequest } from "../../../../src/resp/encoder.ts";
import { RequestParser } from "../../../../src/resp/request_parser.ts";
import { acquireRequest, NO_INTEREST, recycleRequest } from "../../../../src/router/request.ts";
import type { NamedKey } from "../../../../src/router/sampling/sample.ts";
import {
  COUNTED_BYTES_MIN,
  type KeyCounter,
  type SampleObserver,
  Sampling,
} from "../../../../src/router/sampling/sampling.ts";
import { chance } from "../../../support/fuzz.ts";
import { textOf } from "../../../support/pieces.ts";

/** Counts requests, and what those weigh that it has seen. */
class Counter implements SampleObserver {
  seen = 0;
  weight = 0;
  keys: string[] = [];
  keyWeight = 0;
  constructor(public every: number) {}

  sampled(...[{ sample }, , weight]: Parameters<SampleObserver["sampled"]>): void {
    this.seen++;
    this.weight += weight;
    this.keys = sample!.keys.map(({ key }) => key);
    this.keyWeight = sample!.keyWeight;
  }
}

function newSampling(): Sampling {
  const placement = new Placement();
  return new Sampling(() => placement, chance(1));
}

/** Sends one request past the countdown, and to its end. */
function send(sampling: Sampling, ...words: string[]): void {
  exchange(sampling, words, 0);
}

/** As `send`, with a reply of so many bytes. */
function exchange(sampling: Sampling, words: readonly string[], replyBytes: number): void {
  const parser = new RequestParser();
  const bytes = encodeRequest(words);
  parser.parse(bytes, 0, bytes.length);
  const client = { parser, remote: "", info: { name: "" }, user: { name: "" }, database: 0 };
  const request = acquireRequest(NO_INTEREST);
  request.command = findByName(words[0]!.toLowerCase())!;
  if (--sampling.left === 0) sampling.take(request, client);
  request.replyBytes = replyBytes;
  if (request.sample !== null) sampling.answered(request);
  if (request.sample !== null) sampling.ended(request, client, "answered");
  recycleRequest(request);
}

Deno.test("each observer sees about one of as many requests as it wants", () => {
  const sampling = newSampling();
  const [often, seldom, never] = [new Counter(10), new Counter(100), new Counter(0)];
  for (const observer of [often, seldom, never]) sampling.add(observer);
  for (let i = 0; i < 100_000; i++) send(sampling, "GET", `${i}`);
  assertAlmostEquals(often.weight, 100_000, 4_000);
  assertAlmostEquals(seldom.weight, 100_000, 12_000);
  assertEquals([often.weight, never.seen], [often.seen * 10, 0]);
});

Deno.test("a load with a period does not deceive: each of its requests is seen as often", () => {
  const sampling = newSampling();
  const seen = new Map<string, number>();
  sampling.add({
    every: 10,
    sampled: ({ sample }) => {
      const { key } = sample!.keys[0]!;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    },
  });
  for (let i = 0; i < 100_000; i++) send(sampling, "GET", `${i % 10}`);
  assertEquals(seen.size, 10);
  for (const count of seen.values()) assertAlmostEquals(count, 1_000, 150);
});

Deno.test("while nobody observes, nothing is sampled, however long", () => {
  const sampling = newSampling();
  const observer = new Counter(0);
  sampling.add(observer);
  sampling.left = 1;
  for (let i = 0; i < 3; i++) send(sampling, "GET", "k");
  assertEquals(observer.seen, 0);
  assert(sampling.left > 2 ** 29);
  observer.every = 1;
  sampling.changed();
  for (let i = 0; i < 3; i++) send(sampling, "GET", "k");
  assertEquals([observer.seen, sampling.left], [3, 1]);
});

Deno.test("the keys of a request are known; a few of many stand for all", () => {
  const sampling = newSampling();
  const observer = new Counter(1);
  sampling.add(observer);
  send(sampling, "MSET", "a", "1", "b", "2");
  assertEquals([observer.keys, observer.keyWeight], [["a", "b"], 1]);
  send(sampling, "PING");
  assertEquals(observer.keys, []);
  const times = new Map<string, number>();
  const words = Array.from({ length: 40 }, (_, i) => `k${i}`);
  for (let i = 0; i < 1_000; i++) {
    send(sampling, "MGET", ...words);
    assertEquals([observer.keys.length, observer.keyWeight], [16, 2.5]);
    for (const key of observer.keys) times.set(key, (times.get(key) ?? 0) + observer.keyWeight);
  }
  assertEquals(times.size, 40);
  for (const count of times.values()) assertAlmostEquals(count, 1_000, 150);
});

Deno.test("of requests with several keys each key counts for as many as name it, however few are sampled", () => {
  for (const every of [1, 7]) {
    const sampling = newSampling();
    const times = new Map<string, number>();
    let requests = 0;
    const counter: KeyCounter = {
      requested: (weight) => void (requests += weight),
      named: ({ bytes, start, end }, weight) => {
        const key = textOf(bytes.subarray(start, end));
        times.set(key, (times.get(key) ?? 0) + weight);
      },
    };
    sampling.add({ every, counter, sampled() {} });
    for (let i = 0; i < 60_000; i++) send(sampling, "MGET", "all", `k${i % 3}`, "all", "twice");
    const expected = { all: 60_000, k0: 20_000, k1: 20_000, k2: 20_000, twice: 60_000 };
    assertAlmostEquals(requests, 60_000, every === 1 ? 0 : 2_000);
    for (const [key, count] of Object.entries(expected)) {
      // Who is told of all keys leaves out by itself what is named twice.
      const told = every === 1 && key === "all" ? 2 * count : count;
      assertAlmostEquals(times.get(key)!, told, every === 1 ? 0 : 0.15 * count, `${key}, ${every}`);
    }
  }
});

Deno.test("a request that is only counted is nobody's business when it is answered, unless it is large", () => {
  const sampling = newSampling();
  const counted: string[] = [];
  const seen: number[] = [];
  sampling.add({
    every: 1,
    counter: {
      requested: () => {},
      named: ({ bytes, start, end }) => counted.push(latin1(bytes, start, end)),
    },
    sampled: ({ replyBytes }) => seen.push(replyBytes),
  });
  for (const replyBytes of [5, COUNTED_BYTES_MIN]) exchange(sampling, ["GET", "k"], replyBytes);
  sampling.countAll();
  assertEquals([counted, seen], [["k", "k"], [COUNTED_BYTES_MIN]]);
  sampling.add(new Counter(1));
  exchange(sampling, ["GET", "k"], 5);
  assertEquals(seen, [COUNTED_BYTES_MIN, 5]);
});

Deno.test("keys are counted with the weights of when they were seen, all of them, whatever their size", () => {
  const sampling = newSampling();
  const counted: [key: string, times: number, slotId: number, isWrite: boolean][] = [];
  let weight = 0;
  const observer = {
    every: 1,
    counter: {
      requested: (requests: number) => void (weight += requests),
      named: ({ bytes, start, end, slotId, isWrite }: NamedKey, times: number) =>
        void counted.push([latin1(bytes, start, end), times, slotId, isWrite]),
    },
    sampled: () => {},
  };
  sampling.add(observer);
  const keys = Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(1 + i, "x"));
  for (const [i, key] of keys.entries()) send(sampling, i % 2 === 0 ? "GET" : "INCR", key);
  observer.every = 3;
  sampling.changed();
  sampling.countAll();
  const slotOf = (key: string) => new Placement().slotIdOf(latin1Bytes(key), 0, key.length);
  counted.sort(([one], [two]) => one.length - two.length);
  assertEquals(counted, keys.map((key, i) => [key, 1, slotOf(key), i % 2 === 1]));
  assertEquals(weight, 1_000);
});

Deno.test("a key waits 100 ms to be counted, if more requests are sampled", () => {
  const sampling = newSampling();
  const counted: string[] = [];
  sampling.add({
    every: 1,
    counter: {
      requested: () => {},
      named: ({ bytes, start, end }) => void counted.push(latin1(bytes, start, end)),
    },
    sampled: () => {},
  });
  clock.nowMs = 1_000;
  send(sampling, "GET", "a");
  clock.nowMs = 1_099;
  send(sampling, "GET", "b");
  assertEquals(counted, []);
  clock.nowMs = 1_101;
  send(sampling, "GET", "c");
  assertEquals(counted, ["a", "b"]);
});
