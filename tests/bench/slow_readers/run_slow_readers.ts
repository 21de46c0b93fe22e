/**
 * What clients that ask for much and read slowly cost: the proxy's memory while they are there and
 * after they have gone, the longest wait of a client beside them, and who was closed:
 * `deno task bench:slow-readers`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { LatencyProbe } from "../../support/latency_probe.ts";
import { processFigures } from "../../support/process_figures.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient, type Word } from "../../support/resp_client.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:slow-readers [options]

  --clients=10,40       slow clients; several with commas
  --size=2048           KB of a reply; several with commas
  --pipeline=30         requests that each sends at once; several with commas
  --command=get         get, mget, lrange, hgetall, smembers, eval; several with commas
  --rate=10             KB that each reads in a second
  --seconds=15          how long they are there
  --after=12            how long after they have gone the memory is looked at, in seconds
  --cpu=1               workers of the proxy
  --set=KEY=VALUE       a line of config.ini; may be given again
`;

const KB = 1024;
const MB = 1024 * KB;
/** Keys that the clients ask for in turn. */
const KEYS = 30;
/** Parts of a collection, in bytes. */
const ELEMENT_BYTES = 16 * KB;
/** How often a slow client reads, in milliseconds. */
const READ_MS = 100;
const LOOK_MS = 50;

function readOptions() {
  const given = new GivenOptions(HELP, {
    numbers: {
      clients: ["10,40", 1, 10_000],
      size: [2_048, 1, 512 * 1024],
      pipeline: [30, 1, 10_000],
      rate: [10, 0.1, 1e9],
      seconds: [15, 1, 3_600],
      after: [12, 0, 3_600],
      cpu: [1, 1, 8],
    },
    fractions: ["rate"],
    words: ["command"],
    repeated: ["set"],
  });
  return {
    clients: given.numbers("clients"),
    sizes: given.numbers("size").map((kb) => kb * KB),
    pipelines: given.numbers("pipeline"),
    commands: given.words("command", Object.keys(COMMANDS), ["get"]),
    rate: given.number("rate") * KB,
    seconds: given.number("seconds"),
    after: given.number("after"),
    cpu: given.number("cpu"),
    config: Object.fromEntries(given.texts("set").map((line) => line.split("=", 2))),
  };
}

type Options = ReturnType<typeof readOptions>;

/** One row of the table. */
interface Row {
  readonly clients: number;
  readonly size: number;
  readonly pipeline: number;
  readonly command: string;
}

/** The requests that write key number `i`, and the one whose reply has about `size` bytes. */
const COMMANDS: Readonly<
  Record<string, { fill(i: number, size: number): Word[][]; ask(i: number): Word[] }>
> = {
  get: { fill: (i, size) => [["SET", `big:${i}`, value(size)]], ask: (i) => ["GET", `big:${i}`] },
  mget: {
    fill: (i, size) => parts(size).map((part, n) => ["SET", `big:${i}:${n}`, part]),
    ask: (i) => ["MGET", ...Array.from({ length: 128 }, (_, n) => `big:${i}:${n}`)],
  },
  lrange: {
    fill: (i, size) => parts(size).map((part) => ["RPUSH", `big:${i}`, part]),
    ask: (i) => ["LRANGE", `big:${i}`, 0, -1],
  },
  hgetall: {
    fill: (i, size) => parts(size).map((part, n) => ["HSET", `big:${i}`, n, part]),
    ask: (i) => ["HGETALL", `big:${i}`],
  },
  smembers: {
    fill: (i, size) => parts(size).map((part, n) => ["SADD", `big:${i}`, `${n}${part}`]),
    ask: (i) => ["SMEMBERS", `big:${i}`],
  },
  eval: {
    fill: (i, size) => [["SET", `big:${i}`, value(size)]],
    ask: (i) => ["EVAL", "return redis.call('get', KEYS[1])", 1, `big:${i}`],
  },
};

const value = (bytes: number) => "x".repeat(bytes);
const parts = (bytes: number) =>
  Array.from({ length: Math.ceil(bytes / ELEMENT_BYTES) }, () => value(ELEMENT_BYTES));

/** A client that asks for all at once and reads at a pace; true when it was closed meanwhile. */
async function readSlowly(
  port: number,
  requests: Uint8Array,
  bytesPerSecond: number,
  isOver: () => boolean,
): Promise<boolean> {
  using client = await RespClient.connect(port);
  const buffer = new Uint8Array(Math.max(1, Math.floor(bytesPerSecond * READ_MS / 1000)));
  try {
    await client.sendRaw(requests);
    while (!isOver()) {
      if (await client.conn.read(buffer) === null) return true;
      await delay(READ_MS);
    }
    return false;
  } catch {
    return true;
  }
}

async function measure(row: Row, options: Options): Promise<string[]> {
  const { clients, size, pipeline, command: name } = row;
  const command = COMMANDS[name]!;
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [server],
    cpu: options.cpu,
    config: options.config,
  });
  {
    using setUp = await server.client();
    for (let i = 0; i < KEYS; i++) {
      for (const words of command.fill(i, size)) await setUp.call(...words);
    }
    await setUp.call("SET", "small", "x");
  }
  const idle = (await proxy.figures()).rssBytes;
  const probe = LatencyProbe.start(proxy.port, "small");
  await delay(1000);
  let peak = 0;
  let serverPeak = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      peak = Math.max(peak, (await proxy.figures()).rssBytes);
      serverPeak = Math.max(serverPeak, (await processFigures(server.pid)).rssBytes);
      await delay(LOOK_MS);
    }
  })();
  const requests = encodeRequests(
    Array.from({ length: pipeline }, (_, i) => command.ask(i % KEYS)),
  );
  const reading = Array.from(
    { length: clients },
    () => readSlowly(proxy.port, requests, options.rate, () => isOver),
  );
  await delay(options.seconds * 1000);
  isOver = true;
  const closed = (await Promise.all(reading)).filter(Boolean).length;
  await watching;
  const { maxMs, p99Ms, errors } = await probe.finish();
  await delay(options.after * 1000);
  const after = (await proxy.figures()).rssBytes;
  const lost = (proxy.stdout + proxy.stderr).split("\n").filter((line) =>
    / disconnected: /.test(line)
  );
  for (const line of lost) console.error(line);
  return [
    ...[`${clients}`, `${name} of ${size / KB} KB`, `${pipeline}`],
    ...[idle, peak, after].map((bytes) => (bytes / MB).toFixed(0)),
    ...[(serverPeak / MB).toFixed(0), p99Ms.toFixed(0), maxMs.toFixed(0)],
    ...[`${closed}`, `${errors}`],
  ];
}

async function main(): Promise<void> {
  const options = readOptions();
  const head = ["clients", "replies", "P", "RSS MB idle", "peak", `after ${options.after} s`];
  head.push("redis RSS MB", "beside: p99 ms", "max ms", "closed", "errors beside");
  console.log(`| ${head.join(" | ")} |\n|${" --- |".repeat(head.length)}`);
  for (const command of options.commands) {
    for (const size of options.sizes) {
      for (const pipeline of options.pipelines) {
        for (const clients of options.clients) {
          const cells = await measure({ clients, size, pipeline, command }, options);
          console.log(`| ${cells.join(" | ")} |`);
        }
      }
    }
  }
}

if (import.meta.main) await main();
