/**
 * A client that sends without end and reads nothing: the proxy's memory stays bounded and the other
 * clients are served as by a proxy without such a client.
 *
 *     probe ──► proxy ◄── flood     probe ──► calm proxy
 *                 │                             │
 *           two redis-servers             two redis-servers
 *
 * Both are measured at the same time: what else the machine does takes as long at one as at the other.
 *
 * `SLOW_READER_MB` sets how much it sends at most; the promise is about 1024.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { delay } from "@std/async/delay";
import { within } from "../../support/deadline.ts";
import { LatencyProbe, type ProbeReport } from "../../support/latency_probe.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type RespClient, type Word } from "../../support/resp_client.ts";
import { keyOn } from "../../support/router_server.ts";

const MB = 1024 * 1024;
const SENT_BYTES_MAX = Number(Deno.env.get("SLOW_READER_MB") ?? 48) * MB;
const RSS_BYTES_MAX = 256 * MB;
/** How long the others are measured, at least, in milliseconds. */
const MEASURED_MS = Math.max(2000, Math.min(10_000, SENT_BYTES_MAX / MB * 10));
/** How long the others ask before they are measured: the first answers of a new process are late. */
const WARM_UP_MS = 500;
/** The promise is twice the p99 without the flood. A short run has but a handful of answers above a p99: it gets some
 * milliseconds more. */
const P99_SLACK_MS = SENT_BYTES_MAX >= 1024 * MB ? 0 : 5;

/** What a flood consists of. */
interface Flood {
  readonly name: string;
  /** Requests that are sent again and again. */
  readonly requests: (keys: readonly string[]) => Word[][];
  /** Whether the proxy is to stop reading: the replies are larger than what it may hold. */
  readonly isStopped: boolean;
}

const value = "v".repeat(64 * 1024);

/** A key on each server, for the flood; and one that the others ask for. */
const KEYS = [keyOn(0, 2), keyOn(1, 2)];
const SMALL = keyOn(0, 2, "small");

const FLOODS: readonly Flood[] = [
  {
    name: "SETs of 64 KB",
    requests: ([a, b]) => [["SET", a!, value], ["SET", b!, value]],
    isStopped: false,
  },
  {
    name: "GETs of 1 MB",
    requests: (keys) => keys.map((key) => ["GET", `${key}:large`]),
    isStopped: true,
  },
  {
    name: "GETs of 1 MB and SETs of 64 KB in turn",
    requests: ([a, b]) => [["GET", `${a}:large`], ["SET", b!, value], ["SET", a!, value]],
    isStopped: true,
  },
  {
    name: "MGETs of megabytes over both servers",
    requests: (keys) => [["MGET", ...keys.map((key) => `${key}:large`)]],
    isStopped: true,
  },
  {
    name: "PINGs of 64 KB, answered by the proxy itself",
    requests: () => [["PING", value]],
    isStopped: true,
  },
];

/** Sends a flood until everything is sent or the time is over; tells of every byte that was taken. */
async function send(
  client: RespClient,
  requests: Word[][],
  isOver: () => boolean,
  took: (bytes: number) => void,
): Promise<void> {
  const bytes = encodeRequests(requests);
  const batch = new Uint8Array(Math.ceil(MB / bytes.length) * bytes.length);
  for (let at = 0; at < batch.length; at += bytes.length) batch.set(bytes, at);
  let sent = 0;
  while (sent < SENT_BYTES_MAX && !isOver()) {
    for (let at = 0; at < batch.length && !isOver();) {
      const count = await client.conn.write(batch.subarray(at));
      at += count;
      sent += count;
      took(count);
    }
  }
}

/** Sets what the flood asks for. */
async function prepare(proxy: ProxyProcess): Promise<void> {
  using client = await proxy.client();
  for (const key of KEYS) {
    await client.call("SET", `{${key}}`, "small");
    await client.call("SET", `${key}:large`, "x".repeat(MB));
  }
}

async function measure(proxy: ProxyProcess, calm: ProxyProcess, flood: Flood) {
  await prepare(proxy);
  const greedy = await proxy.client();
  let isOver = false;
  let rssBytes = 0;
  const watching = (async () => {
    while (!isOver) {
      rssBytes = Math.max(rssBytes, (await proxy.figures()).rssBytes);
      await delay(50);
    }
  })();
  const probes = [proxy, calm].map(({ port }) => LatencyProbe.start(port, SMALL));
  const startedMs = performance.now();
  let sent = 0;
  const flooding = send(greedy, flood.requests(KEYS), () => isOver, (bytes) => void (sent += bytes))
    .catch(() => {}); // it is cut off in the middle of a write
  // What the proxy stops reading is never all taken.
  if (!flood.isStopped) await within(flooding).catch(() => {});
  await delay(Math.max(0, MEASURED_MS - (performance.now() - startedMs)));
  const [beside, elsewhere] = await Promise.all(probes.map((probe) => probe.finish()));
  isOver = true;
  greedy.close();
  await watching;
  await flooding;
  return { beside: beside!, elsewhere: elsewhere!, rssBytes, sent };
}

const print = ({ p50Ms, p99Ms, maxMs, calls }: ProbeReport) =>
  `p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)} max ${maxMs.toFixed(1)} ms (${calls} calls)`;

Deno.test("a client that sends much and reads nothing harms nobody", async (t) => {
  await using servers = await RedisServer.startMany(2);
  await using others = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers });
  await using calm = await ProxyProcess.start({ servers: others });
  for (const each of [proxy, calm]) {
    using client = await each.client();
    await client.call("SET", SMALL, "small");
  }
  await Promise.all(
    [proxy, calm].map(({ port }) => LatencyProbe.measure(port, SMALL, WARM_UP_MS)),
  );
  for (const flood of FLOODS) {
    await t.step(flood.name, async () => {
      const { beside, elsewhere, rssBytes, sent } = await measure(proxy, calm, flood);
      console.log(
        `${flood.name}: ${(sent / MB).toFixed(0)} MB sent, RSS at most ${
          (rssBytes / MB).toFixed(0)
        } MB\n` +
          `  others beside it: ${print(beside)}\n  of calm proxy:    ${print(elsewhere)}`,
      );
      assertLess(rssBytes, RSS_BYTES_MAX);
      assertEquals([beside.errors, elsewhere.errors], [0, 0]);
      assertLess(beside.p99Ms, 2 * elsewhere.p99Ms + P99_SLACK_MS);
      if (!flood.isStopped) assert(sent >= SENT_BYTES_MAX, "everything was taken");
      using after = await proxy.client();
      assertEquals(await after.call("PING"), "PONG");
    });
  }
});
