/**
 * The command `demo`: a complete temporary cluster on this machine.
 *
 *     temp folder ─► N redis-servers ─► proxy in front ─► Ctrl-C, SIGTERM, or any failure
 *          ▲                ▲                ▲                              │
 *          └────────────────┴────────────────┴──────── undone, last first ◄─┘
 *
 * @module
 */

import { parseListenAddress } from "../base/address.ts";
import { reopenLog, startLog, stopLog } from "../base/log.ts";
import { parseConfig } from "../config/load.ts";
import type { RunningProxy } from "../proxy/proxy_start.ts";
import { type FlagValues, readFlag, type Subcommand } from "./parts/subcommand.ts";
import { attachedDashboard } from "./parts/attached_dashboard.ts";
import { LocalRedis } from "./parts/local_redis.ts";
import { addressFlags, logLevelFlag, logOptions } from "./parts/flags.ts";

/** Largest value of `--redis`. */
const REDIS_MAX = 64;

/** Signals that end a demo; SIGHUP does so only for a process that has a terminal to lose. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** See the header. */
export const demoCommand: Subcommand = {
  name: "demo",
  summary: "Start Redis servers and a proxy, to try it. Ctrl-C stops everything.",
  flags: [
    { name: "redis", value: "number", default: "2", help: "number of Redis servers to start" },
    ...addressFlags("127.0.0.1:9000", "127.0.0.1:9001"),
    logLevelFlag("warn"),
  ],
  run: runDemo,
};

async function runDemo(values: FlagValues): Promise<number> {
  const count = readFlag(values, "redis", parseRedisCount);
  const listen = readFlag(values, "addr", parseListenAddress);
  const http = readFlag(values, "http-addr", parseListenAddress);
  // Before anything else: whatever has started by then is undone in any case.
  await using undo = new AsyncDisposableStack();
  const interrupted = undo.adopt(listenForEnd(), ({ stop }) => stop());
  startLog(logOptions(values));
  undo.defer(stopLog);

  const folder = undo.adopt(await Deno.makeTempDir({ prefix: "codis-demo-" }), removeFolder);
  const servers: LocalRedis[] = [];
  for (let i = 0; i < count && !interrupted.isSeen(); i++) {
    servers.push(undo.adopt(await LocalRedis.start({ folder }), (redis) => redis.stop()));
  }
  const addrs = servers.map((redis) => redis.addr);
  const { config } = parseConfig(
    `product = demo\nembedded_dir = ${folder}/store\nservers = ${addrs.join(",")}`,
    "demo",
  );
  if (interrupted.isSeen()) return 0;
  // Other commands need not wait until all of it is loaded.
  const { startProxy } = await import("../proxy/proxy.ts");
  const proxy = undo.adopt(
    await startProxy({
      config,
      listen,
      http,
      workers: 1,
      attach: await attachedDashboard(config, undefined),
    }),
    (running) => running.stop("the demo ends"),
  );
  await Promise.race([proxy.serving, proxy.stopped, interrupted.seen]);
  if (!interrupted.isSeen()) console.log(describeDemo(proxy, addrs));
  for (const redis of servers) reportEnd(redis, interrupted.isSeen);
  await Promise.race([proxy.stopped, interrupted.seen]);
  console.log("Stopping the demo …");
  return 0;
}

/** Listens for the signals that end the demo; later ones do not interrupt the clean stop. */
function listenForEnd() {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isSeen = false;
  // Checked now: a terminal that has gone is not a terminal any more.
  const hasTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((each) => each.isTerminal());
  const end = () => {
    isSeen = true;
    resolve();
  };
  const handlers = SIGNALS.map((signal) =>
    [signal, signal === "SIGHUP" && !hasTerminal ? () => reopenLog("SIGHUP") : end] as const
  );
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  return {
    seen: promise,
    isSeen: () => isSeen,
    stop: () => {
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}

/** Reports when a server ends: to kill one is among the things to try. */
async function reportEnd(redis: LocalRedis, isOver: () => boolean): Promise<void> {
  await redis.ended;
  if (!isOver()) {
    console.log(`redis-server ${redis.addr} has stopped: its slots answer with errors now`);
  }
}

function describeDemo(proxy: RunningProxy, addrs: readonly string[]): string {
  const port = proxy.address.port;
  const url = `http://127.0.0.1:${proxy.httpAddress.port}`;
  return `A cluster of ${addrs.length} redis-servers is running: ${addrs.join(", ")}

Try:
    redis-cli -p ${port} set k v
    redis-cli -p ${port} get k
    redis-cli -p ${port} mset a 1 b 2 c 3
    redis-cli -p ${port} mget a b c
    redis-cli -p ${port} scan 0
    redis-cli -p ${port} info
    redis-benchmark -p ${port} -q -P 16
    curl ${url}/healthz
    curl ${url}/metrics
    open ${url}/admin in a browser: the dashboard

Ctrl-C stops everything and deletes its data.`;
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true });
}

function parseRedisCount(text: string): number {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > REDIS_MAX) {
    throw new SyntaxError(`"${text}" is not a number from 1 to ${REDIS_MAX}`);
  }
  return count;
}
