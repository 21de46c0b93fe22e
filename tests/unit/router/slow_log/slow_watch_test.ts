/** Which of a client's answered requests are looked at: those that are slow, and those that are sampled. */

import { assertEquals } from "@std/assert";
import { clock } from "../../../../src/base/clock.ts";
import { findByName } from "../../../../src/command/command_table.ts";
import { Placement } from "../../../../src/hash/placement.ts";
import { encodeRequest } from "../../../../src/resp/encoder.ts";
import { RequestParser } from "../../../../src/resp/request_parser.ts";
import { acquireRequest, NO_INTEREST, type Request } from "../../../../src/router/request.ts";
import { Sampling } from "../../../../src/router/sampling/sampling.ts";
import { SlowLog } from "../../../../src/router/slow_log/slow_log.ts";
import { SlowWatch } from "../../../../src/router/slow_log/slow_watch.ts";
import { chance } from "../../../support/fuzz.ts";

/** A client whose requests are slow from 10 ms on, and one request of which is sampled from time to time. */
function newClient(slowerThanUs: number, every = 0) {
  let id = 0;
  const placement = new Placement();
  const sampling = new Sampling(() => placement, chance(1));
  const sampled: number[] = [];
  sampling.add({ every, sampled: ({ requestBytes }) => void sampled.push(requestBytes) });
  const log = new SlowLog(slowerThanUs, () => ++id);
  const parser = new RequestParser();
  const client = { parser, remote: "", info: { name: "" }, user: { name: "" }, database: 0 };
  const watch = new SlowWatch(client, log, sampling);
  const begin = (readMs: number, key = "k"): Request => {
    const bytes = encodeRequest(["GET", key]);
    parser.parse(bytes, 0, bytes.length);
    const request = acquireRequest(NO_INTEREST);
    request.command = findByName("get")!;
    request.readMs = request.startedMs = readMs;
    watch.began(request, 0);
    parser.next();
    return request;
  };
  const slow = () => log.read({}).entries.map(({ args }) => args[1]).reverse();
  return { watch, log, sampling, begin, slow, sampled };
}

Deno.test("the first slow request after many fast ones is found, whenever its client reads", () => {
  const { watch, begin, slow } = newClient(10_000);
  const requests = ["a", "b", "c", "d"].map((key, i) => begin(1_000 + i, key));
  clock.nowMs = 1_009;
  for (const [i, request] of requests.slice(0, 2).entries()) watch.answered(request, i + 1);
  clock.nowMs = 1_011; // "c" has taken 9 ms
  watch.answered(requests[2]!, 3);
  clock.nowMs = 1_013;
  watch.answered(requests[3]!, 4);
  assertEquals(slow(), []);
  watch.wrote(4); // the client has taken them: "a" has taken 13 ms, and stands for "b" and "c"
  assertEquals(slow(), ["a", "d"]);
  const next = begin(1_013, "e");
  watch.answered(next, 5);
  watch.wrote(5);
  assertEquals(slow(), ["a", "d"]);
});

Deno.test("a sampled request is seen among fast ones, and where nothing counts as slow", () => {
  for (const slowerThanUs of [10_000, -1]) {
    const { watch, begin, sampled } = newClient(slowerThanUs, 7);
    let end = 0;
    const seen: number[] = [];
    clock.nowMs = 2_000;
    for (let round = 0; round < 50; round++) {
      const requests = Array.from({ length: 20 }, (_, i) => begin(2_000, "k".repeat(1 + i)));
      for (const request of requests) {
        if (request.sample !== null) seen.push(request.requestBytes);
        watch.answered(request, ++end);
      }
      watch.wrote(end);
    }
    assertEquals(sampled, seen);
    assertEquals(seen.length > 100, true, `${seen.length} of 1000`);
  }
});

Deno.test("a request that was noticed for its size is seen, however fast all are", () => {
  const { watch, begin, sampling } = newClient(10_000);
  const noticed: number[] = [];
  sampling.add({
    every: 1_000_000,
    sampled: () => {},
    noticed: ({ requestBytes }) => void noticed.push(requestBytes),
  });
  clock.nowMs = 3_000;
  const requests = [1, 2, 3, 4].map((length) => begin(3_000, "k".repeat(length)));
  sampling.noticeReply(requests[2]!);
  for (const [i, request] of requests.entries()) watch.answered(request, i + 1);
  watch.wrote(4);
  assertEquals(noticed, [encodeRequest(["GET", "kkk"]).length]);
});

Deno.test("each entry shows its own request and is there when it is asked for, however many there are", () => {
  const { watch, log, begin, slow } = newClient(0);
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`.repeat(1 + i));
  clock.nowMs = 1_000_000;
  for (const [i, key] of keys.entries()) {
    watch.answered(begin(1_000, key), i + 1);
    watch.wrote(i + 1);
    if (i % 7 === 0) assertEquals(slow().length, i + 1);
  }
  assertEquals(slow(), keys.map((key) => shown(key)));
  assertEquals(log.read({}).entries.map(({ id }) => id), keys.map((_, i) => 50 - i));
});

/** A long argument is cut, as in Redis. */
function shown(key: string): string {
  return key.length <= 128 ? key : `${key.slice(0, 128)}... (${key.length - 128} more bytes)`;
}
