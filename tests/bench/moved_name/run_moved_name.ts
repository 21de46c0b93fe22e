/**
 * Measures how long a server is missed whose name moves to another address.
 *
 *     deno task bench:moved-name --help
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { ProxyProcess } from "../../support/proxy_process.ts";
import {
  inNamespaces,
  isInside,
  NAME,
  REDIS_PORT,
  TwoMachines,
} from "../../support/two_machines.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { GivenOptions } from "../options.ts";

const HELP = `deno task bench:moved-name [options]

One redis-server by its name, a proxy with the default settings, a client. The name moves to another address:
from a server that was killed, or from an address where all that is sent is lost (a black hole). The client
asks all the time, or only 3 s after the move. Prints how long it had no answer but errors, in milliseconds.

  --rounds=20          moves of each kind
  --dial=1000          backend_dial_timeout, in milliseconds
`;

/** What is measured of one move. */
interface Figures {
  /** From the move, or from the first request after it, until a request was served. */
  readonly backMs: number;
  /** The longest time that one request had no answer. */
  readonly longestMs: number;
  /** Requests that were answered by an error. */
  readonly errors: number;
}

const KINDS = [
  { kind: "killed, busy", isLost: false, quietMs: 0 },
  { kind: "black hole, busy", isLost: true, quietMs: 0 },
  { kind: "black hole, idle", isLost: true, quietMs: 3_000 },
  { kind: "black hole, asked 100 ms later", isLost: true, quietMs: 100 },
];
const PAUSE_MS = 5;

const given = new GivenOptions(HELP, {
  numbers: { rounds: [20, 1, 10_000], dial: [1_000, 1, 60_000] },
});
if (!isInside()) {
  const child = inNamespaces(["run"], import.meta.url, Deno.args);
  const { code } = await child.ended;
  console.log(child.stdout.trimEnd());
  if (child.stderr !== "") console.error(child.stderr);
  Deno.exit(code);
}

await using machines = await TwoMachines.start();
await using proxy = await ProxyProcess.start({
  servers: [{ addr: `${NAME}:${REDIS_PORT}` }],
  config: { backend_dial_timeout: given.number("dial") },
});
for (const { kind, isLost, quietMs } of KINDS) {
  const rounds: Figures[] = [];
  for (let i = 0; i < given.number("rounds"); i++) rounds.push(await move(isLost, quietMs));
  const spread = (name: keyof Figures) => spreadOf(rounds.map((each) => each[name]));
  console.log(
    `${kind.padEnd(32)} back after ${spread("backMs")} ms; longest request ` +
      `${spread("longestMs")} ms; errors ${spread("errors")}`,
  );
}

/** One move; afterwards all is well again. */
async function move(isLost: boolean, quietMs: number): Promise<Figures> {
  const from = machines.at as 0 | 1;
  const to = from === 0 ? 1 : 0;
  await machines.serve(to);
  using client = await proxy.client();
  if (await client.call("SET", "k", "v") !== "OK") throw new Error("the server does not serve");
  // Requests are under way at any moment of a tick.
  await delay(300 + Math.random() * 1_000);
  if (isLost) machines.lose(from);
  else await machines.kill(from);
  machines.lead(to);
  await delay(quietMs);
  const figures = await untilServed(client);
  machines.lose(undefined);
  return figures;
}

async function untilServed(client: RespClient): Promise<Figures> {
  const sinceMs = performance.now();
  let errors = 0;
  let longestMs = 0;
  for (;;) {
    const askedMs = performance.now();
    const reply = await client.call("SET", "k", "v");
    const now = performance.now();
    longestMs = Math.max(longestMs, now - askedMs);
    if (reply === "OK") return { backMs: now - sinceMs, longestMs, errors };
    errors++;
    await delay(PAUSE_MS);
  }
}

/** Least, median, most. */
function spreadOf(values: readonly number[]): string {
  const sorted = values.map(Math.round).sort((a, b) => a - b);
  return [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].join(" / ");
}
