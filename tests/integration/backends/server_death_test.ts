/**
 * A redis-server is killed under load and started again: what the others' clients and its own see.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { FUZZ_SCALE } from "../../support/fuzz.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient, Word } from "../../support/resp_client.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { keyOn } from "../../support/router_server.ts";

const SERVERS = 3;
const CLIENTS = 20;
/** Pause of a client between two pipelines, in milliseconds: all together send some 13 000 requests a second. */
const PAUSE_MS = 5;
/** How long the server is up, then down, then up again, in milliseconds. */
const PHASE_MS = 1500 * Math.min(FUZZ_SCALE, 10);

/** What happened to the dead server's requests: when they were answered, and how. */
interface Outcome {
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly isError: boolean;
}

/** A client that works on all servers' keys and keeps account of every answer. */
class Worker {
  requests = 0;
  readonly outcomes: Outcome[] = [];
  readonly #id: number;

  constructor(id: number) {
    this.#id = id;
  }

  async run(client: RespClient, isRunning: () => boolean): Promise<void> {
    const id = this.#id;
    const alive = [0, 1].map((server) => keyOn(server, SERVERS, `c${id}:alive`));
    const dead = keyOn(2, SERVERS, `c${id}:dead`);
    for (let round = 1; isRunning(); round++) {
      const sentMs = performance.now();
      const requests: Word[][] = [
        ["INCR", alive[0]!],
        ["SET", dead, round],
        ["PING", `${id}:${round}`],
        ["GET", dead],
        ["INCR", alive[1]!],
        ["MGET", alive[0]!, alive[1]!],
        ["PING", `${round}:${id}`],
      ];
      const replies = (await client.pipeline(requests)).map(({ value }) => value);
      const answeredMs = performance.now();
      this.requests += requests.length;
      // Alive servers' counters tell of every request that was lost or executed twice, and the PINGs
      // between them of every reply too many.
      assertEquals(
        [replies[0], replies[2], replies[4], replies[5], replies[6]],
        [round, `${id}:${round}`, round, [`${round}`, `${round}`], `${round}:${id}`],
      );
      for (const at of [1, 3]) {
        const reply = replies[at]!;
        const isError = reply instanceof ReplyError;
        if (isError) assertMatch(reply.message, /^ERR handle .*backend conn/);
        else if (at === 1) assertEquals(reply, "OK");
        // A server that lost its memory answers null for what was set before.
        else assert(reply === `${round}` || reply === null, `${reply}`);
        this.outcomes.push({ sentMs, answeredMs, isError });
      }
      await delay(PAUSE_MS);
    }
    assertEquals(await client.call("PING", "the end"), "the end");
  }
}

Deno.test("a redis-server killed under load costs nobody else anything and comes back within a second", async () => {
  await using servers = await RedisServer.startMany(SERVERS);
  await using proxy = await ProxyProcess.start({ servers });
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.client()));
  const workers = clients.map((_, id) => new Worker(id));
  let isRunning = true;
  const working = Promise.all(workers.map((worker, i) => worker.run(clients[i]!, () => isRunning)));
  working.catch(() => {});

  await delay(PHASE_MS);
  const killedMs = performance.now();
  await servers[2]!.kill();
  await delay(PHASE_MS);
  await servers[2]!.restart();
  const backMs = performance.now();
  await delay(PHASE_MS);
  isRunning = false;
  await working;

  const outcomes = workers.flatMap((worker) => worker.outcomes);
  const requests = workers.reduce((sum, worker) => sum + worker.requests, 0);
  const slowestMs = outcomes.reduce((slowest, o) => Math.max(slowest, o.answeredMs - o.sentMs), 0);
  const errors = outcomes.filter(({ isError }) => isError);
  const firstGood = outcomes.filter(({ sentMs, isError }) => sentMs > backMs && !isError)
    .reduce((first, { answeredMs }) => Math.min(first, answeredMs), Infinity);
  const lastError = errors.reduce((last, { answeredMs }) => Math.max(last, answeredMs), 0);
  console.log(
    `${requests} requests, ${errors.length} failed, slowest answer ${slowestMs.toFixed(0)} ms, ` +
      `first good answer ${(firstGood - backMs).toFixed(0)} ms and last failure ` +
      `${(lastError - backMs).toFixed(0)} ms after the server was back`,
  );
  assertLess(slowestMs, 1000, "an answer, good or bad, comes within a second");
  assert(errors.length > 0 && errors.every(({ answeredMs }) => answeredMs >= killedMs));
  assertLess(firstGood - backMs, 1000);
  assertLess(lastError - backMs, 1000);
  for (const client of clients) client.close();
});

Deno.test("a redis-server that hangs under load costs the others' clients nothing", async () => {
  await using servers = await RedisServer.startMany(SERVERS);
  await using proxy = await ProxyProcess.start({ servers, config: { backend_timeout: 1 } });
  const [alive, dead] = [keyOn(0, SERVERS), keyOn(2, SERVERS)];
  using client = await proxy.client();
  using other = await proxy.client();
  await client.call("MSET", alive, "1", dead, "1");
  servers[2]!.pause();
  const stuck = other.call("GET", dead);
  const startedMs = performance.now();
  let slowestMs = 0;
  while (performance.now() - startedMs < 1500) {
    const sentMs = performance.now();
    assertEquals(await client.call("GET", alive), "1");
    slowestMs = Math.max(slowestMs, performance.now() - sentMs);
    await delay(1);
  }
  assertLess(slowestMs, 500);
  const reply = await stuck;
  assert(reply instanceof ReplyError && reply.message.includes("no answer for 1000 ms"));
  servers[2]!.resume();
  const resumedMs = performance.now();
  while (await other.call("GET", dead) !== "1") {
    assertLess(performance.now() - resumedMs, 1500);
    await delay(10);
  }
});
