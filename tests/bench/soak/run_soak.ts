/**
 * A long mixed load with connections that come and go: does memory stay flat, and is every descriptor
 * given back? `deno task bench:soak`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { processFigures } from "../../support/process_figures.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { READ_MODES } from "../load/target.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:soak [options]

  --minutes=20          how long
  --clients=100         clients at a time; each lives for some seconds and leaves, some without a word
  --rate=4000           requests per second of all clients together
  --read-mode=byob      byob or direct
  --cpu=1               workers of the proxy
`;

/** Longest life of a client, in milliseconds. */
const LIFE_MS_MAX = 10_000;
/** Clients that the proxy takes: its own default. */
const CLIENTS_MAX = 10_000;
/** Keys, and the largest value in bytes. */
const KEYS = 20_000;
const VALUE_BYTES_MAX = 20_000;
/** Requests that a client has under way at most. */
const PIPELINE_MAX = 20;
/** What an error reply begins with. */
const MINUS = 45;
/** Time between two samples, in milliseconds. */
const SAMPLE_MS = 5_000;
/** Share of the time at whose end memory has found its level. */
const WARM_UP_SHARE = 0.25;

interface Sample {
  readonly minutes: number;
  readonly rssMegabytes: number;
  readonly descriptors: number;
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

/** A request of any kind; every kind has keys of its own. */
function request(): string[] {
  const value = () => "v".repeat(Math.random() < 0.98 ? below(200) : below(VALUE_BYTES_MAX));
  const key = (kind: string) => `${kind}:${below(KEYS)}`;
  switch (below(9)) {
    case 0:
    case 1:
      return ["SET", key("s"), value()];
    case 2:
      return ["MGET", ...Array.from({ length: 1 + below(30) }, () => key("s"))];
    case 3:
      return ["INCR", key("n")];
    case 4:
      return ["HSET", key("h"), `field${below(10)}`, value()];
    case 5:
      return ["HGETALL", key("h")];
    case 6:
      return ["DEL", key("s"), key("h")];
    default:
      return ["GET", key("s")];
  }
}

/** A client's life; returns how many requests were answered, and how many with an error. */
async function live(port: number, pauseMs: number): Promise<{ requests: number; errors: number }> {
  const client = await RespClient.connect(port);
  const endMs = performance.now() + below(LIFE_MS_MAX);
  let requests = 0;
  let errors = 0;
  try {
    while (performance.now() < endMs) {
      const batch = Array.from({ length: 1 + below(PIPELINE_MAX) }, request);
      const replies = await client.pipeline(batch);
      requests += batch.length;
      errors += replies.filter(({ raw }) => raw[0] === MINUS).length;
      await delay(pauseMs * batch.length);
    }
    // One in ten leaves in the middle of its requests.
    if (Math.random() < 0.1) client.pipeline([request(), request()]).catch(() => {});
  } finally {
    client.close();
  }
  return { requests, errors };
}

async function descriptorsOf(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ls", { args: [`/proc/${pid}/fd`] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").length;
}

/** Megabytes per hour, by least squares. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const x = mean(({ minutes }) => minutes);
  const y = mean(({ rssMegabytes }) => rssMegabytes);
  const over = samples.reduce((sum, s) => sum + (s.minutes - x) * (s.rssMegabytes - y), 0);
  const under = samples.reduce((sum, s) => sum + (s.minutes - x) ** 2, 0);
  return over / under * 60;
}

async function main(): Promise<void> {
  const given = new GivenOptions(HELP, {
    numbers: {
      minutes: [20, 0.1, 100_000],
      clients: [100, 1, CLIENTS_MAX],
      rate: [4_000, 1, 1_000_000],
      cpu: [1, 1, 8],
    },
    fractions: ["minutes"],
    words: ["read-mode"],
  });
  const [minutes, clients, cpu] = [
    given.number("minutes"),
    given.number("clients"),
    given.number("cpu"),
  ];
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({
    servers,
    config: { read_mode: given.word("read-mode", READ_MODES), max_clients: CLIENTS_MAX },
    cpu,
  });
  const pauseMs = clients / given.number("rate") * 1000;
  const before = await descriptorsOf(proxy.pid);
  const startMs = performance.now();
  const passed = () => (performance.now() - startMs) / 60_000;
  const sum = { lives: 0, requests: 0, errors: 0, failures: [] as string[] };
  const samples: Sample[] = [];
  const lines = Array.from({ length: clients }, async () => {
    while (passed() < minutes) {
      try {
        const { requests, errors } = await live(proxy.port, pauseMs);
        sum.requests += requests;
        sum.errors += errors;
      } catch (error) {
        sum.failures.push(`${error}`);
      }
      sum.lives++;
    }
  });
  const sampling = (async () => {
    let told = 0;
    while (passed() < minutes) {
      await delay(SAMPLE_MS);
      const { rssBytes } = await processFigures(proxy.pid);
      const descriptors = await descriptorsOf(proxy.pid);
      samples.push({ minutes: passed(), rssMegabytes: rssBytes / 1e6, descriptors });
      if (passed() < told + 1) continue;
      told++;
      console.log(
        `${told} min: RSS ${(rssBytes / 1e6).toFixed(1)} MB, ${descriptors} descriptors, ` +
          `${sum.lives} clients came and went, ${sum.requests} requests`,
      );
    }
  })();
  await Promise.all([...lines, sampling]);
  await delay(2_000);
  const after = await descriptorsOf(proxy.pid);
  const settled = samples.filter((sample) => sample.minutes > minutes * WARM_UP_SHARE);
  console.log(
    `${sum.requests} requests of ${sum.lives} clients in ${minutes} minutes, ${sum.errors} error ` +
      `replies, ${sum.failures.length} clients failed${
        sum.failures.length === 0 ? "" : `, the first: ${sum.failures[0]}`
      }`,
  );
  console.log(
    `RSS ${Math.min(...settled.map((s) => s.rssMegabytes)).toFixed(1)} to ` +
      `${Math.max(...settled.map((s) => s.rssMegabytes)).toFixed(1)} MB after the first ` +
      `${minutes * WARM_UP_SHARE} minutes, slope ${slope(settled).toFixed(2)} MB an hour; ` +
      `descriptors ${before} before, ${after} after`,
  );
  Deno.exit(sum.errors + sum.failures.length > 0 ? 1 : 0);
}

await main();
