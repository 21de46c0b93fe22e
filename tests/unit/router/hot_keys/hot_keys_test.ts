/** What hot keys guarantee: which keys are found, how exact their shares are, that counts fade. */

import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { clock } from "../../../../src/base/clock.ts";
import { HotKeys, sumHotKeys } from "../../../../src/router/hot_keys/hot_keys.ts";
import { KeyCounts, keyHashes } from "../../../../src/router/hot_keys/key_counts.ts";
import { Request } from "../../../../src/router/request.ts";
import { copyKey, type NamedKey } from "../../../../src/router/sampling/sample.ts";
import { latin1Bytes } from "../../../../src/resp/latin1.ts";
import { chance, fuzzParameters } from "../../../support/fuzz.ts";

function keyOf(key: string, change: Partial<NamedKey> = {}): NamedKey {
  const bytes = latin1Bytes(key);
  const place = { bytes, start: 0, end: bytes.length, keyBytes: bytes.length };
  return { ...place, database: 0, slotId: 1, isWrite: false, ...change };
}

/** A request that was noticed for its large reply. */
function bigRequest(): Request {
  const request = new Request();
  request.sample = {
    keys: [copyKey(keyOf("big"))],
    keyWeight: 1,
    weights: [],
    isNoticed: true,
    isOnlyCounted: false,
  };
  request.command = { name: "get" } as Request["command"];
  request.replyBytes = 2_000_000;
  request.requestBytes = 20;
  return request;
}

/** A router's hot keys, and a load that is sampled as a router does. */
class Load {
  readonly hotKeys: HotKeys;
  samples = 0;
  #left = 1;
  readonly #random: () => number;

  constructor(perSecond: number, random = chance(7)) {
    this.#random = random;
    this.hotKeys = new HotKeys(perSecond, {
      serverOf: () => "s:1",
      keysOf: () => [],
      paceChanged: () => this.#countDown(),
      countAll: () => {},
    });
  }

  #countDown(): void {
    const { every } = this.hotKeys;
    this.#left = every <= 1
      ? 1
      : 1 + Math.floor(Math.log(1 - this.#random()) / Math.log1p(-1 / every));
  }

  /** One request; most are not sampled. */
  send(...keys: NamedKey[]): void {
    if (--this.#left > 0) return;
    const { every } = this.hotKeys;
    this.#countDown();
    this.samples++;
    this.hotKeys.requested(every);
    for (const key of keys) this.hotKeys.named(key, every);
  }

  shares(): Map<string, number> {
    const { hot, requests } = sumHotKeys([this.hotKeys.read("")]);
    return new Map(hot.map(({ key, reads, writes }) => [key, (reads + writes) / requests]));
  }
}

/** Ranks of a Zipf load, 0 first; the share of each rank is its weight's part of all. */
function zipf(keys: number, exponent: number, random: () => number) {
  const weights = Array.from({ length: keys }, (_, rank) => (rank + 1) ** -exponent);
  const whole = weights.reduce((sum, weight) => sum + weight);
  const until: number[] = [];
  weights.reduce((sum, weight, rank) => until[rank] = sum + weight / whole, 0);
  const next = () => {
    const at = random();
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (until[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return { next, shareOf: (rank: number) => weights[rank]! / whole };
}

Deno.test("of a Zipf load of any rate the ten hottest keys are found in 10 s, their shares within 10 %", () => {
  const startedMs = clock.nowMs;
  fc.assert(
    fc.property(
      fc.constantFrom(3_000, 20_000, 60_000),
      fc.constantFrom(1.1, 1.3),
      fc.integer(),
      (rate, exponent, seed) => {
        clock.nowMs = startedMs;
        const random = chance(seed);
        const load = new Load(4_000, random);
        const ranks = zipf(50_000, exponent, random);
        const counted = new Map<string, number>();
        for (let ms = 0; ms < 10_000; ms += 10) {
          clock.nowMs = startedMs + ms;
          for (let i = 0; i < rate / 100; i++) {
            const key = `key:${ranks.next()}`;
            counted.set(key, (counted.get(key) ?? 0) + 1);
            load.send(keyOf(key));
          }
        }
        clock.nowMs = startedMs + 10_000;
        const shares = load.shares();
        const exact = [...counted].sort((a, b) => b[1] - a[1]).slice(0, 10);
        const found = [...shares.keys()].slice(0, 12);
        for (const [key, count] of exact) {
          assert(found.includes(key), `${key} is not among ${found}`);
          // Early requests count less than late ones: the share of a key is not that of all 10 s, but near.
          assertAlmostEquals(
            shares.get(key)!,
            count / (rate * 10),
            0.1 * count / (rate * 10) + 0.002,
          );
        }
        assertLess(load.samples, 4_400 * 10);
      },
    ),
    fuzzParameters(3),
  );
  clock.nowMs = startedMs;
});

Deno.test("a count is never too low, and hardly too high, among many keys that are asked for once", () => {
  const counts = new KeyCounts();
  const add = (name: string, times: number) => {
    const key = keyOf(name);
    counts.add(key, keyHashes(key), times);
  };
  for (let i = 0; i < 100_000; i++) {
    add(`once:${i}`, 1);
    if (i % 100 === 0) add("hot", 2.5);
  }
  const hot = [...counts.listed()].find(({ key }) => key === "hot")!;
  assert(hot.count >= 2_500 && hot.count < 2_600, `${hot.count}`);
  assertEquals([...counts.listed()].length, 128);
});

Deno.test("a burst does not make more samples than a second may have, by much", () => {
  const load = new Load(4_000);
  const startedMs = clock.nowMs;
  for (let ms = 0; ms < 1_000; ms += 10) {
    clock.nowMs = startedMs + ms;
    for (let i = 0; i < 5_000; i++) load.send(keyOf("k"));
  }
  assertLess(load.samples, 7_000);
  const { requests } = load.hotKeys.read("");
  assertAlmostEquals(requests, 500_000, 50_000);
  clock.nowMs = startedMs;
});

Deno.test("what is not asked for any more fades in tens of seconds, and is forgotten", () => {
  const load = new Load(4_000);
  const startedMs = clock.nowMs;
  const rates: number[] = [];
  for (let second = 0; second < 120; second++) {
    clock.nowMs = startedMs + second * 1_000;
    for (let i = 0; i < 100; i++) {
      if (second < 30) load.send(keyOf("old", { isWrite: i % 4 === 0 }));
      else load.send(keyOf("new"));
    }
    if (second === 29 || second === 59) {
      const { hot } = sumHotKeys([load.hotKeys.read("")]);
      rates.push(...["old", "new"].map((key) => {
        const found = hot.find((each) => each.key === key);
        return Math.round((found?.reads ?? 0) + (found?.writes ?? 0));
      }));
      const old = hot.find(({ key }) => key === "old")!;
      assertAlmostEquals(old.writes / (old.reads + old.writes), 0.25, 0.01);
    }
  }
  assertAlmostEquals(rates[0]!, 100, 8);
  assertAlmostEquals(rates[2]!, 21, 8);
  assertAlmostEquals(rates[3]!, 79, 8);
  clock.nowMs = startedMs + 2_000_000;
  load.send(keyOf("new"));
  assertEquals([...load.shares().keys()], ["new"]);
  clock.nowMs = startedMs;
});

Deno.test("a request counts once for each key that it names; databases and long names are told apart", () => {
  const load = new Load(4_000);
  const other = keyOf("k", { database: 1 });
  load.send(keyOf("k"), keyOf("k"), other, keyOf("k", { keyBytes: 600 }));
  const { hot, requests } = load.hotKeys.read("");
  assertEquals(hot.map(({ database, keyBytes, reads }) => [database, keyBytes, reads]), [
    [0, 1, 1],
    [1, 1, 1],
    [0, 600, 1],
  ]);
  assertEquals(requests, 1);
});

Deno.test("the keys of several workers are summed; RESET forgets hot keys only, or big ones only", () => {
  const loads = [new Load(4_000), new Load(4_000)];
  for (let i = 0; i < 10; i++) {
    loads[0]!.send(keyOf("both"));
    loads[1]!.send(keyOf("both"));
    loads[1]!.send(keyOf(`own:${i % 2}`));
  }
  loads[0]!.hotKeys.noticed(bigRequest());
  const read = (forgotten: "" | "hot" | "big") =>
    sumHotKeys(loads.map(({ hotKeys }) => hotKeys.read(forgotten)));
  const { hot, big: bigKeys, requests } = read("hot");
  assertEquals(hot.map(({ key, reads }) => [key, reads]), [["both", 20], ["own:0", 5], [
    "own:1",
    5,
  ]]);
  assertEquals([requests, bigKeys.length, bigKeys[0]!.bytes], [30, 1, 2_000_000]);
  assertEquals([read("big").hot.length, read("").big.length], [0, 0]);
});

Deno.test("while nothing is sampled, no key is kept", () => {
  const { hotKeys } = new Load(0);
  hotKeys.noticed(bigRequest());
  assertEquals([hotKeys.every, hotKeys.read("").isOn, hotKeys.read("").big], [0, false, []]);
});

Deno.test("when sampling is switched off, no key is kept of what was sampled before and ends then", () => {
  const { hotKeys } = new Load(4_000);
  hotKeys.sampled(bigRequest());
  assertEquals(hotKeys.read("").big.length, 1);
  hotKeys.perSecond = 0;
  hotKeys.sampled(bigRequest());
  assertEquals([hotKeys.every, hotKeys.read("").isOn, hotKeys.read("").big], [0, false, []]);
});
