/**
 * CLIENT PAUSE: what the clients of this proxy ask waits, in the clients' own buffers.
 *
 *      command ─► admitted? ─► paused? ─ no ─► dispatched
 *                   │             └─ yes ─► stays unread ── time over, CLIENT UNPAUSE ─► dispatched again
 *                   └─ no ─► its error, at once
 *
 * The servers are not paused: other proxies, and what moves slots, go on.
 *
 * @module
 */

import type { BudgetWaiter } from "./byte_budget.ts";

/** What waits: what may write, or everything. */
export type PauseMode = "write" | "all";

/** The pause of one router's clients; off for most of the time. */
export class Pause {
  #mode: PauseMode | null = null;
  #endMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #waiting = new Set<BudgetWaiter>();
  readonly #changed: () => void;

  /** @param changed Called when {@linkcode isActive} may have changed. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether anything waits, or would. */
  get isActive(): boolean {
    return this.#mode !== null;
  }

  /** How long it still takes, in milliseconds, and what waits; null while nothing does. */
  get left(): { readonly mode: PauseMode; readonly ms: number } | null {
    if (this.#mode === null) return null;
    return { mode: this.#mode, ms: Math.max(0, this.#endMs - performance.now()) };
  }

  /** How many clients wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Whether a client waits. */
  isHolding(client: BudgetWaiter): boolean {
    return this.#waiting.has(client);
  }

  /** Begins to pause, or goes on to: as in Redis, neither the end nor the mode is taken back. */
  extend(mode: PauseMode, ms: number): void {
    const now = performance.now();
    if (this.#mode === null && ms <= 0) return;
    if (this.#mode === null) this.#endMs = 0;
    this.#mode = this.#mode === "all" ? "all" : mode;
    this.#endMs = Math.max(this.#endMs, now + ms);
    this.#wait();
    this.#changed();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#endMs - performance.now();
    if (leftMs <= 0) return this.end();
    // Timers of more than 24 days would run at once.
    this.#timer = setTimeout(() => this.#wait(), Math.min(leftMs, 2 ** 31 - 1));
  }

  /** Ends it: what waits goes on. */
  end(): void {
    clearTimeout(this.#timer);
    this.#mode = null;
    this.#changed();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const client of waiting) client.resume();
  }

  /** Whether a command must wait. */
  holds(mayWrite: boolean): boolean {
    return this.#mode === "all" || (this.#mode === "write" && mayWrite);
  }

  /** Resumes a client when the pause is over. */
  wait(client: BudgetWaiter): void {
    this.#waiting.add(client);
  }

  /** The client waits no longer, or is gone. */
  leave(client: BudgetWaiter): void {
    this.#waiting.delete(client);
  }
}
