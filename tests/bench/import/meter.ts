/**
 * CPU time and memory that processes use while something is done.
 *
 * @module
 */

import { processFigures } from "../../support/process_figures.ts";

const PERIOD_MS = 1_000;

/** See the header. */
export class Meter {
  readonly #pids: ReadonlyMap<string, number>;
  readonly #before = new Map<string, number>();
  readonly #text = new Map<string, string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param pids The processes, by what they are called. */
  constructor(pids: ReadonlyMap<string, number>) {
    this.#pids = pids;
  }

  /** Begins. */
  async start(): Promise<void> {
    for (const [name, pid] of this.#pids) {
      this.#before.set(name, (await processFigures(pid)).cpuSeconds);
    }
    this.#timer = setInterval(() => this.look(), PERIOD_MS);
  }

  /** Looks now; of processes that have ended, what was seen last is told. */
  async look(): Promise<void> {
    for (const [name, pid] of this.#pids) {
      try {
        const { cpuSeconds } = await processFigures(pid);
        const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] })
          .output();
        const peak = /VmHWM:\s+(\d+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "0";
        const used = cpuSeconds - (this.#before.get(name) ?? 0);
        this.#text.set(name, `${name} ${used.toFixed(1)} s, ${Math.round(Number(peak) / 1024)} MB`);
      } catch {
        // It has ended.
      }
    }
  }

  /** Ends; returns what was used, and the most memory that each process ever had. */
  async stop(): Promise<string> {
    clearInterval(this.#timer);
    await this.look();
    return [...this.#text.values()].join("; ");
  }
}
