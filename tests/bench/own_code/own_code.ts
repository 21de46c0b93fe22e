/**
 * A proxy in this process over imitated sockets, and how long its code takes for a request; started by
 * {@link ./run_own_code.ts}.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { setImmediate } from "node:timers";
import * as imitated from "./imitated_handles.ts";

/** What is measured, as JSON in the first argument; the others are the proxy's. */
export interface OwnCodeLoad {
  readonly command: "GET" | "SET";
  readonly clients: number;
  readonly pipeline: number;
  readonly valueBytes: number;
  readonly rounds: number;
}

const KEYS = 100_000;
/** Different pipelines that clients send in turn. */
const PIPELINES = 256;
const WARM_UP = 2_000_000;
const ROUND_REQUESTS = 200_000;
/** After so many turns timers have theirs. */
const TURNS_TOGETHER = 64;

const load: OwnCodeLoad = JSON.parse(Deno.args[0]!);
const value = "x".repeat(load.valueBytes);
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const encode = (text: string) => new TextEncoder().encode(text);

function request(): string {
  const key = bulk(`key:${`${Math.floor(Math.random() * KEYS)}`.padStart(12, "0")}`);
  return load.command === "GET"
    ? `*2\r\n${bulk("GET")}${key}`
    : `*3\r\n${bulk("SET")}${key}${bulk(value)}`;
}

const pipelines = Array.from(
  { length: PIPELINES },
  () => encode(Array.from({ length: load.pipeline }, request).join("")),
);

/** The end of a turn: what waits for it has run. */
async function turnEnds(): Promise<void> {
  await Promise.resolve();
  await Promise.resolve();
}

/** Nanoseconds that a request takes. */
async function measure(count: number): Promise<number> {
  const startedMs = performance.now();
  let done = 0;
  for (let turns = 0; done < count; turns++) {
    done += imitated.sendRequests(pipelines, turns);
    await turnEnds();
    imitated.sendReplies();
    await turnEnds();
    if (turns % TURNS_TOGETHER === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return (performance.now() - startedMs) * 1e6 / done;
}

async function run(): Promise<void> {
  while (!imitated.isListening()) await delay(20);
  // Servers are asked for what they are.
  await delay(1_000);
  imitated.connectClients(load.clients);
  while (imitated.clientCount() < load.clients) await delay(20);
  for (let i = 0; i < 5; i++) {
    imitated.warmUp(pipelines.slice(i));
    await delay(200);
  }
  const reply = encode(load.command === "GET" ? bulk(value) : "+OK\r\n");
  const requestBytes = pipelines[0]!.length / load.pipeline;
  imitated.imitateServers({ requestBytes, reply, pipeline: load.pipeline });
  await measure(WARM_UP);
  const all: number[] = [];
  for (let round = 0; round < load.rounds; round++) all.push(await measure(ROUND_REQUESTS));
  console.log(JSON.stringify(all));
  Deno.exit(0);
}

imitated.imitateHandles();
run().catch((error) => {
  console.error(error);
  Deno.exit(1);
});
const { runCli } = await import("../../../src/cli/cli.ts");
await runCli(Deno.args.slice(1));
