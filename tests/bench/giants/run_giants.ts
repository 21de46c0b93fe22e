/**
 * How long a client with small requests waits beside clients with large values, or slow commands, at the
 * same server: at redis-server itself, through twemproxy and through the proxy: `deno task bench:giants`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { Child } from "../../support/child.ts";
import { LatencyProbe } from "../../support/latency_probe.ts";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { proxyTarget, redisTarget, type Target, twemproxyTarget } from "../load/target.ts";
import { GivenOptions, stop } from "../options.ts";

const HELP = `deno task bench:giants [options]

  --giants=3            clients with large values or slow commands
  --mb=100              MB of a value
  --seconds=10          how long each is measured
  --rounds=1            how often, in turn
  --loads=…             none, get, set, script, keys, sort; several with commas
  --targets=…           redis, twemproxy, byob, direct; several with commas
`;

const MB = 1024 * 1024;
const LOADS = ["none", "get", "set", "script", "keys", "sort"] as const;
const TARGETS = ["redis", "twemproxy", "byob", "direct"] as const;
type Load = typeof LOADS[number];
/** Between two requests of the small client, in milliseconds. */
const PACE_MS = 10;
/** How long the giants run before it is measured: by then it is known what is large. */
const WARM_UP_MS = 3_000;
/** Small keys, for KEYS; and elements of the list, for SORT. */
const MANY = 300_000;

/** Holds the server for 0.3 s. */
const SLOW_SCRIPT = `
local function now() local t = redis.call('time') return t[1] * 1000000 + t[2] end
local over = now() + 300000
while now() < over do end
return 1`;

/** What each of the giants asks for. */
function request(load: Load, i: number, bytes: number): Word[] {
  switch (load) {
    case "set":
      return ["SET", `{giant}${i}`, new Uint8Array(bytes).fill(120)];
    case "script":
      return ["EVAL", SLOW_SCRIPT, 1, `{giant}${i}`];
    case "keys":
      return ["KEYS", "{giant}none*"];
    case "sort":
      return ["SORT", "{giant}list", "ALPHA", "LIMIT", 0, 1];
    default:
      return ["GET", `{giant}${i}`];
  }
}

/** One of the giants, in the process that has them all: it asks, reads the reply away, and asks again. */
async function ask(port: number, load: Load, i: number, bytes: number): Promise<never> {
  const bytesOut = encodeRequests([request(load, i, bytes)]);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(MB);
  for (let calls = 0;; calls++) {
    const startedMs = performance.now();
    for (let at = 0; at < bytesOut.length;) at += await conn.write(bytesOut.subarray(at));
    let missing = load === "get" ? `$${bytes}\r\n\r\n`.length + bytes : 1;
    while (missing > 0) {
      const count = await conn.read(buffer);
      if (count === null) stop("a giant was closed");
      if (buffer[0] === 45 /* - */ && missing >= bytes) {
        stop(new TextDecoder().decode(buffer.subarray(0, count)));
      }
      missing -= count;
    }
    console.log(`call ${(performance.now() - startedMs).toFixed(0)}`);
  }
}

/** One line of the table. */
async function measure(
  target: Target,
  load: Load,
  giants: number,
  bytes: number,
  seconds: number,
): Promise<string[]> {
  const script = new URL(import.meta.url).pathname;
  const process = load === "none" ? null : new Child(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--allow-net", script],
      ...["--role", `${target.port}`, load, `${giants}`, `${bytes}`],
    ],
  });
  try {
    await delay(WARM_UP_MS);
    const before = process?.stdout.length ?? 0;
    const cpu = (await processFigures(target.pid)).cpuSeconds;
    const probe = LatencyProbe.start(target.port, "{giant}small", 1, PACE_MS);
    await delay(seconds * 1000);
    const { calls, errors, p50Ms, p99Ms, maxMs } = await probe.finish();
    const { rssBytes, cpuSeconds } = await processFigures(target.pid);
    const tookMs = (process?.stdout.slice(before) ?? "").split("\n").filter((line) =>
      line.startsWith("call ")
    ).map((line) => Number(line.slice(5)));
    return [
      // It may have got no answer at all.
      ...[p50Ms, p99Ms, maxMs].map((ms) => calls === 0 ? "-" : ms.toFixed(1)),
      ...[`${calls}`, `${errors}`, (tookMs.length / seconds).toFixed(1)],
      `${Math.max(0, ...tookMs)}`,
      ...[`${((cpuSeconds - cpu) / seconds * 100).toFixed(0)} %`, (rssBytes / MB).toFixed(0)],
    ];
  } finally {
    await process?.end("SIGKILL");
  }
}

function openTarget(name: typeof TARGETS[number], server: RedisServer): Promise<Target> {
  if (name === "redis") return Promise.resolve(redisTarget(server));
  return name === "twemproxy"
    ? twemproxyTarget([server])
    : proxyTarget([server], { readMode: name });
}

async function fill(server: RedisServer, giants: number, bytes: number): Promise<void> {
  using client = await RespClient.connect(server.port, "127.0.0.1", 60_000);
  await client.call("SET", "{giant}small", "x".repeat(64));
  for (let i = 0; i < giants; i++) await client.call(...request("set", i, bytes));
  const script = "for i = 1, ARGV[1] do redis.call(ARGV[2], ARGV[3] .. i, i) end";
  await client.call("EVAL", script, 0, MANY, "set", "{giant}many:");
  const list = "for i = 1, ARGV[1] do redis.call('rpush', KEYS[1], i) end";
  await client.call("EVAL", list, 1, "{giant}list", MANY);
}

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: {
      giants: [3, 1, 100],
      mb: [100, 1, 500],
      seconds: [10, 1, 600],
      rounds: [1, 1, 100],
    },
    words: ["loads", "targets"],
  });
  const giants = given.number("giants");
  const bytes = given.number("mb") * MB;
  const seconds = given.number("seconds");
  const rounds = given.number("rounds");
  const loads = given.words("loads", LOADS);
  const targets = given.words("targets", TARGETS);
  const head = ["beside", "target", "p50 ms", "p99 ms", "max ms", "calls", "errors"];
  head.push("giants/s", "slowest giant ms", "CPU", "RSS MB");
  console.log(`| ${head.join(" | ")} |\n|${" --- |".repeat(head.length)}`);
  for (let round = 0; round < rounds; round++) {
    for (const load of loads) {
      for (const name of round % 2 === 0 ? targets : targets.toReversed()) {
        await using server = await RedisServer.start();
        await fill(server, giants, bytes);
        await using target = await openTarget(name, server);
        const cells = await measure(target, load, giants, bytes, seconds);
        console.log(`| ${[load, target.name, ...cells].join(" | ")} |`);
      }
    }
  }
}

if (import.meta.main) {
  const [role, port, load, giants, bytes] = Deno.args;
  if (role === "--role") {
    const all = Array.from(
      { length: Number(giants) },
      (_, i) => ask(Number(port), load as Load, i, Number(bytes)),
    );
    await Promise.all(all);
  } else {
    await main();
  }
}
