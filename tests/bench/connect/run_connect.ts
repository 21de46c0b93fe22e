/**
 * `deno task bench:connect`: how soon each of thousands of clients that connect at once has its first reply,
 * while those that have it go on asking; of redis-server, twemproxy, the proxy, and the least program in Deno.
 *
 * @module
 */

import { Child } from "../../support/child.ts";
import { freePort } from "../../support/free_port.ts";
import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { proxyTarget, redisTarget, type Target, twemproxyTarget } from "../load/target.ts";
import { GivenOptions } from "../options.ts";
import { runManyClients } from "./many_clients.ts";

const HELP = `deno task bench:connect [options]

  --clients=1000,5000,10000   how many connect at once; ulimit -n must be higher by some hundreds
  --seconds=4                 how long they ask
  --rounds=3                  runs for each number and target
`;

const CLIENTS_MAX = 18_000;

async function echoTarget(listeners: number): Promise<Target> {
  const port = freePort();
  const script = new URL("./echo.ts", import.meta.url).pathname;
  const child = new Child(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-net", "--unstable-net", script, `${port}`, `${listeners}`],
  });
  await child.waitFor(() => child.stdout.includes("ready"));
  const dispose = async () => void await child.end("SIGKILL");
  return {
    name: `Deno, ${listeners} listeners`,
    port,
    pid: child.pid,
    [Symbol.asyncDispose]: dispose,
  };
}

async function measure(target: Target, clients: number, seconds: number): Promise<string> {
  const before = await processFigures(target.pid);
  const { firstReplyMs, failures, requestsPerSecond } = runManyClients(
    target.port,
    clients,
    seconds,
  );
  const { cpuSeconds } = await processFigures(target.pid);
  const at = (share: number) =>
    firstReplyMs[Math.ceil(clients * share) - 1]?.toFixed(0) ?? `over ${seconds * 1_000}`;
  return `${clients} clients, ${target.name}: first reply after p50 ${at(0.5)} ms, p99 ${
    at(0.99)
  } ms, ` +
    `max ${at(1)} ms; ${clients - firstReplyMs.length} without one, ${failures} failed; ` +
    `${requestsPerSecond.toFixed(0)} requests/s, ${
      (cpuSeconds - before.cpuSeconds).toFixed(2)
    } s of CPU`;
}

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: {
      clients: ["1000,5000,10000", 1, CLIENTS_MAX],
      seconds: [4, 1, 60],
      rounds: [3, 1, 20],
    },
  });
  const [seconds, rounds] = [given.number("seconds"), given.number("rounds")];
  const counts = given.numbers("clients");
  await using servers = await RedisServer.startMany(2, {
    args: ["--maxclients", `${CLIENTS_MAX}`, "--tcp-backlog", "4096"],
  });
  const config = { max_clients: CLIENTS_MAX };
  await using twemproxy = await twemproxyTarget(servers);
  await using byob = await proxyTarget(servers, { readMode: "byob", config });
  await using direct = await proxyTarget(servers, { readMode: "direct", config });
  await using one = await echoTarget(1);
  await using many = await echoTarget(16);
  const targets = [redisTarget(servers[0]!), twemproxy, byob, direct, one, many];
  for (const clients of counts) {
    for (let round = 0; round < rounds; round++) {
      for (const target of targets) console.log(await measure(target, clients, seconds));
    }
  }
}

await main();
