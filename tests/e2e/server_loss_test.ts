/**
 * A redis-server is killed under load and comes back: who notices, how, and for how long.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { RespClient } from "../support/resp_client.ts";
import { ReplyError } from "../support/resp_value.ts";
import { keyOn } from "../support/router_server.ts";

const CLIENTS = 30;
/** A request for a dead server is answered, and a living one used again, within this time. */
const PATIENCE_MS = 1000;

/** What one client has seen. */
interface Seen {
  /** Answers that were errors, by their text. */
  readonly errors: string[];
  /** Answers that were not errors. */
  good: number;
  /** When the last good answer came, on the monotonic clock. */
  lastGoodMs: number;
  longestMs: number;
}

/** Asks for one key without a pause; an ECHO behind each request proves that none is lost or doubled. */
async function ask(client: RespClient, key: string, isOver: () => boolean): Promise<Seen> {
  const seen: Seen = { errors: [], good: 0, lastGoodMs: 0, longestMs: 0 };
  for (let i = 0; !isOver(); i++) {
    const startedMs = performance.now();
    const replies = await client.pipeline([["INCR", key], ["ECHO", `mark ${i}`]]);
    const endedMs = performance.now();
    assertEquals(replies.map(({ value }) => value)[1], `mark ${i}`);
    seen.longestMs = Math.max(seen.longestMs, endedMs - startedMs);
    const value = replies[0]!.value;
    if (value instanceof ReplyError) {
      seen.errors.push(value.message);
      await delay(1);
    } else {
      assert(typeof value === "number", `INCR was answered with ${value}`);
      seen.good++;
      seen.lastGoodMs = endedMs;
    }
  }
  return seen;
}

Deno.test("a killed redis-server costs its own slots errors, nobody a connection, and comes back within a second", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers });
  const [dying, living] = servers;
  const keys = [0, 1].map((index) => keyOn(index, 2));
  let isOver = false;
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.client()));
  const runs = clients.map((client, i) => ask(client, keys[i % 2]!, () => isOver));

  await delay(500);
  await dying!.kill();
  await delay(1500);
  await dying!.restart();
  const backMs = performance.now();
  using probe = await proxy.client();
  await until(async () => typeof await probe.call("INCR", keys[0]!) === "number", PATIENCE_MS);
  const returnMs = performance.now() - backMs;
  await delay(300);
  isOver = true;
  const seen = await Promise.all(runs);
  const endMs = performance.now();

  const [ofDying, ofLiving] = [0, 1].map((index) => seen.filter((_, i) => i % 2 === index));
  console.log(
    `used again ${Math.round(returnMs)} ms after its return; longest wait for the dead one ` +
      `${Math.round(Math.max(...ofDying!.map(({ longestMs }) => longestMs)))} ms, for the other ` +
      `${Math.round(Math.max(...ofLiving!.map(({ longestMs }) => longestMs)))} ms`,
  );
  for (const { errors, good, longestMs, lastGoodMs } of ofDying!) {
    assert(errors.length > 0 && good > 0, `${good} good answers, ${errors.length} errors`);
    assert(errors.every((text) => /^ERR handle re(quest|sponse), /.test(text)), errors[0]);
    assertLess(longestMs, PATIENCE_MS);
    assertLess(endMs - lastGoodMs, 300);
  }
  for (const { errors, longestMs } of ofLiving!) {
    assertEquals(errors, []);
    assertLess(longestMs, PATIENCE_MS);
  }
  // What the living server counted is what its clients were told.
  const counted = ofLiving!.reduce((sum, { good }) => sum + good, 0);
  using direct = await living!.client();
  assertEquals(await direct.call("GET", keys[1]!), `${counted}`);
  for (const client of clients) {
    assertEquals(await client.call("PING"), "PONG");
    client.close();
  }
});

Deno.test("a redis-server that hangs is given up after backend_timeout, and used again when it wakes", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers, config: { backend_timeout: 1 } });
  const [hanging] = servers;
  const keys = [0, 1].map((index) => keyOn(index, 2));
  using client = await proxy.client();
  assertEquals(await client.call("INCR", keys[0]!), 1);
  hanging!.pause();
  try {
    const startedMs = performance.now();
    const replies = await client.pipeline([["INCR", keys[0]!], ["INCR", keys[1]!]]);
    assertLess(performance.now() - startedMs, 2500);
    assert(replies[0]!.value instanceof ReplyError);
    assertEquals(replies[1]!.value, 1);
  } finally {
    hanging!.resume();
  }
  await until(async () => typeof await client.call("INCR", keys[0]!) === "number", PATIENCE_MS * 2);
});
