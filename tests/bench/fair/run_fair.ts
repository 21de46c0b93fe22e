/**
 * How long 50 clients with one request at a time wait beside clients with 100 000 requests in their pipelines:
 * at redis-server itself, through twemproxy and through the proxy: `deno task bench:fair`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { Child } from "../../support/child.ts";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { fillKeys, type Load, runBenchmark } from "../load/redis_benchmark.ts";
import { proxyTarget, redisTarget, type Target, twemproxyTarget } from "../load/target.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:fair [options]

  --beside=0,1,3        how many clients with long pipelines
  --pipeline=100000     requests in each of them
  --requests=60000      requests of the 50 clients
  --rounds=1            how often, in turn
  --targets=…           redis, twemproxy, byob, direct; several with commas
`;

const TARGETS = ["redis", "twemproxy", "byob", "direct"] as const;
const SMALL: Load = { clients: 50, pipeline: 1, valueBytes: 64, keys: 0, onlyReads: true };
/** Those with long pipelines run for so long before the others begin. */
const WARM_UP_MS = 1_000;

function openTarget(name: typeof TARGETS[number], server: RedisServer): Promise<Target> {
  if (name === "redis") return Promise.resolve(redisTarget(server));
  return name === "twemproxy"
    ? twemproxyTarget([server])
    : proxyTarget([server], { readMode: name });
}

async function commandsDone(server: RedisServer): Promise<number> {
  using client = await RespClient.connect(server.port);
  const info = String(await client.call("INFO", "stats"));
  return Number(/total_commands_processed:(\d+)/.exec(info)![1]);
}

/** One line of the table. */
async function measure(
  target: Target,
  server: RedisServer,
  beside: number,
  pipeline: number,
  requests: number,
): Promise<string[]> {
  const port = `${target.port}`;
  const heavy = beside === 0 ? null : new Child("redis-benchmark", {
    args: [
      ...["-p", port, "-c", `${beside}`, "-P", `${pipeline}`, "-n", "2000000000"],
      ...["-t", "get", "-r", "100000", "-d", "64"],
    ],
  });
  try {
    await delay(WARM_UP_MS);
    const cpu = (await processFigures(target.pid)).cpuSeconds;
    const done = await commandsDone(server);
    const startedMs = performance.now();
    const { requestsPerSecond, p50Ms, p99Ms, maxMs } = await runBenchmark(
      target.port,
      SMALL,
      requests,
    );
    const seconds = (performance.now() - startedMs) / 1000;
    const others = await commandsDone(server) - done - requests;
    const { cpuSeconds } = await processFigures(target.pid);
    return [
      ...[p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(2)),
      requestsPerSecond.toFixed(0),
      (Math.max(0, others) / seconds).toFixed(0),
      `${((cpuSeconds - cpu) / seconds * 100).toFixed(0)} %`,
    ];
  } finally {
    await heavy?.end("SIGKILL");
  }
}

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: {
      beside: ["0,1,3", 0, 1_000],
      pipeline: [100_000, 1, 1_000_000],
      requests: [60_000, 1_000, 10_000_000],
      rounds: [1, 1, 100],
    },
    words: ["targets"],
  });
  const besides = given.numbers("beside");
  const targets = given.words("targets", TARGETS);
  const head = ["target", "beside", "p50 ms", "p99 ms", "max ms", "requests/s", "others'", "CPU"];
  console.log(`| ${head.join(" | ")} |\n|${" --- |".repeat(head.length)}`);
  await using server = await RedisServer.start();
  await fillKeys(server.port, SMALL.valueBytes);
  for (let round = 0; round < given.number("rounds"); round++) {
    for (const name of round % 2 === 0 ? targets : targets.toReversed()) {
      await using target = await openTarget(name, server);
      await runBenchmark(target.port, SMALL, 2 * given.number("requests")); // to warm up
      for (const beside of besides) {
        const cells = await measure(
          target,
          server,
          beside,
          given.number("pipeline"),
          given.number("requests"),
        );
        console.log(`| ${[target.name, beside, ...cells].join(" | ")} |`);
      }
    }
  }
}

await main();
