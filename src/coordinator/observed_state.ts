/**
 * The state of a session, and the listeners that are called when it changes.
 *
 * @module
 */

import type { CoordinatorState } from "./coordinator.ts";

/** A session that is not there after so many milliseconds is worth a line in the log. */
const SLOW_MS = 3_000;

/** One word, changed in one place. */
export class ObservedState {
  readonly #listeners = new Set<(state: CoordinatorState) => void>();
  #state: CoordinatorState;

  /** Begins in `state`. */
  constructor(state: CoordinatorState = "connecting") {
    this.#state = state;
  }

  /** Where the session stands. */
  get now(): CoordinatorState {
    return this.#state;
  }

  /** Whether the session was ended by its owner. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Calls `listener` after each change; returns what ends that. */
  onChange(listener: (state: CoordinatorState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Changes the state, and calls every listener. */
  change(next: CoordinatorState): void {
    this.#state = next;
    for (const listener of [...this.#listeners]) listener(next);
  }

  /**
   * Whether the session is connected, or comes to be within `ms` and before it is closed or given up.
   *
   * @param onSlow Called once when it takes a while.
   */
  isConnectedWithin(ms: number, signal?: AbortSignal, onSlow = () => {}): Promise<boolean> {
    if (this.#state === "connected") return Promise.resolve(true);
    if (signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (isConnected: boolean) => {
        clearTimeout(timer);
        clearTimeout(slow);
        signal?.removeEventListener("abort", giveUp);
        stop();
        resolve(isConnected);
      };
      const giveUp = () => end(false);
      const slow = setTimeout(onSlow, Math.min(SLOW_MS, ms));
      const timer = setTimeout(giveUp, ms);
      signal?.addEventListener("abort", giveUp);
      const stop = this.onChange((state) => {
        if (state === "connected" || state === "closed") end(state === "connected");
      });
    });
  }
}
