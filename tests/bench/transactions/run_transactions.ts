/**
 * `deno task bench:transactions`: what a transaction of ten SETs costs, beside ten plain SETs, through the
 * proxy and at redis-server itself: 50 clients, each with one transaction, or one batch, under way.
 *
 * @module
 */

import { processFigures } from "../../support/process_figures.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests } from "../../support/resp_client.ts";
import { proxyTarget, READ_MODES, redisTarget, type Target } from "../load/target.ts";

const CLIENTS = 50;
const SETS = 10;
const SECONDS = 4;
const ROUNDS = 3;
const OK_BYTES = 5;
const QUEUED_BYTES = 9;

/** One thing that a client sends again and again, and how long the answer is. */
interface Shape {
  readonly name: string;
  readonly bytes: (client: number) => Uint8Array<ArrayBuffer>;
  readonly replyBytes: number;
}

const sets = (client: number): string[][] =>
  Array.from({ length: SETS }, (_, i) => ["SET", `{c${client}}k${i}`, "x".repeat(64)]);

const SHAPES: readonly Shape[] = [
  {
    name: "10 SETs",
    bytes: (client) => encodeRequests(sets(client)),
    replyBytes: SETS * OK_BYTES,
  },
  {
    name: "MULTI, 10 SETs, EXEC",
    bytes: (client) => encodeRequests([["MULTI"], ...sets(client), ["EXEC"]]),
    replyBytes: OK_BYTES + SETS * QUEUED_BYTES + `*${SETS}\r\n`.length + SETS * OK_BYTES,
  },
];

/** Sends one shape until the time is over; resolves with how often it was answered. */
async function client(port: number, shape: Shape, id: number, untilMs: number): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const request = shape.bytes(id);
  const buffer = new Uint8Array(4096);
  for (let answered = 0;; answered++) {
    if (performance.now() > untilMs) return answered;
    for (let at = 0; at < request.length;) at += await conn.write(request.subarray(at));
    for (let got = 0; got < shape.replyBytes;) {
      const read = await conn.read(buffer);
      if (read === null) throw new Error("the connection was closed");
      if (buffer.subarray(0, read).includes(45 /* - */)) throw new Error("an error was answered");
      got += read;
    }
  }
}

async function measure(target: Target, shape: Shape): Promise<string> {
  const before = await processFigures(target.pid);
  const beganMs = performance.now();
  const untilMs = beganMs + SECONDS * 1000;
  const counts = await Promise.all(
    Array.from({ length: CLIENTS }, (_, id) => client(target.port, shape, id, untilMs)),
  );
  const seconds = (performance.now() - beganMs) / 1000;
  const { cpuSeconds } = await processFigures(target.pid);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const usecs = (cpuSeconds - before.cpuSeconds) * 1e6 / all;
  return [
    target.name.padEnd(20),
    shape.name.padEnd(22),
    `${Math.round(all / seconds)}/s`.padStart(9),
    `${usecs.toFixed(1)} µs`.padStart(10),
    `${(usecs / SETS).toFixed(2)} µs a SET`.padStart(14),
  ].join(" ");
}

if (import.meta.main) {
  await using servers = await RedisServer.startMany(2);
  for (let round = 0; round < ROUNDS; round++) {
    for (const readMode of [null, ...READ_MODES]) {
      await using target = readMode === null
        ? redisTarget(servers[0]!)
        : await proxyTarget(servers, { readMode });
      for (const shape of SHAPES) console.log(await measure(target, shape));
    }
  }
}
