/**
 * A program that asks for a key at an even pace and tells how long the answers took; run by tests that
 * must not be measured themselves.
 *
 *     deno run latency_probe.ts PORT KEY CONNECTIONS PERIOD_MS KEYS
 *
 * With KEYS above 0 the key is KEY and a number below it, another one each time.
 *
 * It measures until its standard input ends, then prints one line of JSON.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { RespClient } from "./resp_client.ts";

/** What the probe saw; times in milliseconds. */
export interface ProbeReport {
  readonly calls: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A probe in a process of its own, measuring from its start to {@linkcode LatencyProbe.finish}. */
export class LatencyProbe {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts a probe. */
  static start(
    port: number,
    key: string,
    connections = 4,
    periodMs = 4,
    keys = 0,
  ): LatencyProbe {
    const script = new URL(import.meta.url).pathname;
    const words = [port, key, connections, periodMs, keys].map(String);
    return new LatencyProbe(
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "--allow-net", script, ...words],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn(),
    );
  }

  /** Ends it and returns what it saw. */
  async finish(): Promise<ProbeReport> {
    await this.#child.stdin.close();
    const { stdout } = await this.#child.output();
    return JSON.parse(new TextDecoder().decode(stdout));
  }

  /** Measures for so long. */
  static async measure(port: number, key: string, ms: number): Promise<ProbeReport> {
    const probe = LatencyProbe.start(port, key);
    await delay(ms);
    return await probe.finish();
  }
}

async function run([port, key, connections, periodMs, keys]: string[]): Promise<void> {
  const tookMs: number[] = [];
  let errors = 0;
  let isRunning = true;
  const count = Number(keys);
  const keyOf = () => count === 0 ? key! : `${key}${Math.floor(Math.random() * count)}`;
  const ask = async (place: number) => {
    using client = await RespClient.connect(Number(port));
    await client.call("GET", keyOf()); // what a connection costs is not measured
    let nextMs = performance.now() + Number(periodMs) * place / Number(connections);
    while (isRunning) {
      const waitMs = nextMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
      const startedMs = performance.now();
      const reply = await client.call("GET", keyOf());
      tookMs.push(performance.now() - startedMs);
      if (typeof reply !== "string") errors++;
      nextMs = Math.max(nextMs + Number(periodMs), performance.now() - Number(periodMs));
    }
  };
  const asking = Promise.all(Array.from({ length: Number(connections) }, (_, i) => ask(i)));
  for await (const _ of Deno.stdin.readable);
  isRunning = false;
  await asking;
  tookMs.sort((a, b) => a - b);
  const at = (share: number) =>
    tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))];
  console.log(JSON.stringify({
    calls: tookMs.length,
    errors,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: tookMs.at(-1),
  }));
}

if (import.meta.main) await run(Deno.args);
