/**
 * Measures what blocked clients cost: memory of each, and what ordinary clients beside them notice.
 *
 *     deno task bench:blocked [--blocked=1000] [--rounds=3] [--cpu=1]
 *
 * Ordinary clients are 50 of redis-benchmark's, without a pipeline. Then a long list is emptied by 50
 * clients with BLPOP, and with LPOP.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { parseArgs } from "@std/cli/parse-args";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { median } from "../load/median.ts";
import { runBenchmark } from "../load/redis_benchmark.ts";
import { proxyTarget } from "../load/target.ts";

const LOAD = { clients: 50, pipeline: 1, valueBytes: 64, keys: 0 };
const REQUESTS = 60_000;
const POPS = 60_000;
const SETTLE_MS = 3_000;

const { blocked, rounds, cpu } = parseArgs(Deno.args, {
  default: { blocked: 1000, rounds: 3, cpu: 1 },
});
const count = Number(blocked);

await using servers = await RedisServer.startMany(2);
await using proxy = await proxyTarget(servers, { readMode: "byob", cpu: Number(cpu) });
const rssMb = async () => (await processFigures(proxy.pid)).rssBytes / 2 ** 20;

/** Connects clients that are idle, or blocked. */
async function connect(isBlocked: boolean): Promise<RespClient[]> {
  const clients: RespClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = await RespClient.connect(proxy.port);
    if (isBlocked) await client.send("BLPOP", `queue:${i}`, 0);
    else await client.call("PING");
    clients.push(client);
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

await runBenchmark(proxy.port, LOAD, REQUESTS);
const rows: Record<string, number[]> = { alone: [], idle: [], blocked: [] };
for (let round = 0; round < Number(rounds); round++) {
  const before = await rssMb();
  rows.alone!.push((await runBenchmark(proxy.port, LOAD, REQUESTS)).p99Ms);
  for (const kind of ["idle", "blocked"] as const) {
    const clients = await connect(kind === "blocked");
    const now = await rssMb();
    const { p99Ms, requestsPerSecond } = await runBenchmark(proxy.port, LOAD, REQUESTS);
    rows[kind]!.push(p99Ms);
    console.log(
      `${count} ${kind}: RSS ${before.toFixed(0)} -> ${now.toFixed(0)} MB, ` +
        `${((now - before) * 1024 / count).toFixed(1)} KB each; ordinary clients: ` +
        `${requestsPerSecond.toFixed(0)} requests/s, p99 ${p99Ms.toFixed(2)} ms`,
    );
    for (const client of clients) client.close();
    await delay(SETTLE_MS);
  }
}
for (const [kind, values] of Object.entries(rows)) {
  console.log(`p99 of ordinary clients, ${kind}: ${median(values).toFixed(2)} ms`);
}
console.log(await popsPerSecond(["lpop", "work"]));
console.log(await popsPerSecond(["blpop", "work", "0"]));
