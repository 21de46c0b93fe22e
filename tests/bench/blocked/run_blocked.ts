/**
 * Measures what waiting clients cost: memory of each, and what ordinary clients beside them notice.
 *
 *     deno task bench:blocked --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";
import { median } from "../load/median.ts";
import { runBenchmark } from "../load/redis_benchmark.ts";
import { proxyTarget } from "../load/target.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:blocked [options]

Ordinary clients are 50 of redis-benchmark's, without a pipeline. A round measures them alone before and
after each kind. Then a long list is emptied by 50 clients with BLPOP, and with LPOP.

  --count=1000          waiting clients of a kind
  --rounds=3            how often each kind is measured
  --cpu=1               workers of the proxy
  --kinds=…             idle: connected, nothing asked; blocked: BLPOP 0 on a key of its own; subscribed: a
                        channel of its own; watched: WATCH, and a transaction with one command queued; all:
                        so many of the last three at once; several with commas
`;

const LOAD = { clients: 50, pipeline: 1, valueBytes: 64, keys: 0 };
const REQUESTS = 60_000;
const POPS = 60_000;
const SETTLE_MS = 3_000;
/** Links of one server: subscribers have one at each, the others at one. */
const LINKS_EACH = 3;

/** What a client of each kind sends at first, by its number. */
const KINDS = {
  idle: [() => [["PING"]]],
  blocked: [(i) => [["BLPOP", `queue:${i}`, 0]]],
  subscribed: [(i) => [["SUBSCRIBE", `channel:${i}`]]],
  watched: [(i) => [["WATCH", `watched:${i}`], ["MULTI"], ["INCR", `watched:${i}`]]],
} satisfies Readonly<Record<string, readonly ((i: number) => readonly (readonly Word[])[])[]>>;
const MIXED = [...KINDS.blocked, ...KINDS.subscribed, ...KINDS.watched];
const KIND_NAMES = ["idle", "blocked", "subscribed", "watched", "all"] as const;

const given = new GivenOptions(HELP, {
  numbers: { count: [1_000, 1, 20_000], rounds: [3, 1, 1_000], cpu: [1, 1, 8] },
  words: ["kinds"],
});
const count = given.number("count");
const kinds = given.words("kinds", KIND_NAMES);

await using servers = await RedisServer.startMany(2);
await using proxy = await proxyTarget(servers, {
  readMode: "byob",
  cpu: given.number("cpu"),
  config: { private_connections_max: LINKS_EACH * count },
});
const rssMb = async () => (await processFigures(proxy.pid)).rssBytes / 2 ** 20;

/** Connects the clients of a kind; each is served until it waits. */
async function connect(kind: (typeof KIND_NAMES)[number]): Promise<RespClient[]> {
  const clients: RespClient[] = [];
  for (const opening of kind === "all" ? MIXED : KINDS[kind]) {
    for (let i = 0; i < count; i++) {
      const client = await RespClient.connect(proxy.port);
      clients.push(client);
      for (const words of opening(i)) {
        await client.send(...words);
        if (words[0] !== "BLPOP") await client.read();
      }
    }
  }
  await delay(SETTLE_MS);
  return clients;
}

async function popsPerSecond(command: string[]): Promise<string> {
  const words = ["-h", "127.0.0.1", "-p", `${proxy.port}`, "-c", "50", "-q"];
  const run = (more: string[]) =>
    new Deno.Command("redis-benchmark", { args: [...words, ...more] }).output();
  await run(["-P", "50", "-n", `${POPS}`, "rpush", "work", "x".repeat(64)]);
  const { stdout } = await run(["-n", `${POPS}`, ...command]);
  return new TextDecoder().decode(stdout).trim().split(/[\r\n]/).at(-1)!;
}

/** The p99 of ordinary clients in each round, in milliseconds. */
const p99 = new Map(kinds.map((kind) => [kind, { with: [] as number[], alone: [] as number[] }]));
await runBenchmark(proxy.port, LOAD, REQUESTS);
for (let round = 0; round < given.number("rounds"); round++) {
  for (const kind of kinds) {
    const before = await rssMb();
    const first = await runBenchmark(proxy.port, LOAD, REQUESTS);
    const clients = await connect(kind);
    const now = await rssMb();
    const beside = await runBenchmark(proxy.port, LOAD, REQUESTS);
    for (const client of clients) client.close();
    await delay(SETTLE_MS);
    const last = await runBenchmark(proxy.port, LOAD, REQUESTS);
    const { with: values, alone } = p99.get(kind)!;
    values.push(beside.p99Ms);
    alone.push(first.p99Ms, last.p99Ms);
    console.log(
      `${clients.length} ${kind}: RSS ${before.toFixed(0)} -> ${now.toFixed(0)} MB, ` +
        `${((now - before) * 1024 / clients.length).toFixed(1)} KB each; ordinary clients: ` +
        `${beside.requestsPerSecond.toFixed(0)} requests/s, p99 ${beside.p99Ms.toFixed(2)} ms ` +
        `(alone ${first.p99Ms.toFixed(2)} before, ${last.p99Ms.toFixed(2)} after)`,
    );
  }
}
for (const [kind, { with: values, alone }] of p99) {
  console.log(
    `p99 of ordinary clients beside ${kind}: median ${median(values).toFixed(2)} ms, ` +
      `alone ${median(alone).toFixed(2)} ms, ratio ${(median(values) / median(alone)).toFixed(2)}`,
  );
}
console.log(await popsPerSecond(["lpop", "work"]));
console.log(await popsPerSecond(["blpop", "work", "0"]));
