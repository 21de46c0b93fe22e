/**
 * Timers that fire when a test says so.
 *
 * @module
 */

import type { Timers } from "../../src/base/timers.ts";

/** See the header. */
export class FakeTimers implements Timers {
  #nowMs = 0;
  readonly #pending = new Set<{ readonly atMs: number; readonly body: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, body: () => void): () => void {
    const call = { atMs: this.#nowMs + ms, body };
    this.#pending.add(call);
    return () => this.#pending.delete(call);
  }

  /** When the next timer fires, in milliseconds from now; nothing while there is none. */
  get nextMs(): number | undefined {
    const times = [...this.#pending].map(({ atMs }) => atMs - this.#nowMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Lets time pass as while the process is stopped: what is due fires with the next advance. */
  pause(ms: number): void {
    this.#nowMs += ms;
  }

  /** Lets time pass; every timer that is due fires at its own time, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#pending].filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#pending.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.body();
    }
    this.#nowMs = endMs;
  }
}
