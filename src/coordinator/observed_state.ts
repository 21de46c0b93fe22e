/**
 * The state of a session, and everybody who wants to know when it changes.
 *
 * @module
 */

import type { CoordinatorState } from "./coordinator.ts";

/** One word, changed in one place. */
export class ObservedState {
  readonly #listeners = new Set<(state: CoordinatorState) => void>();
  #state: CoordinatorState = "connecting";

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

  /** Changes the state, and tells everybody. */
  change(next: CoordinatorState): void {
    this.#state = next;
    for (const listener of [...this.#listeners]) listener(next);
  }

  /** Whether the session is connected, or comes to be within `ms` and before it is closed. */
  isConnectedWithin(ms: number): Promise<boolean> {
    if (this.#state === "connected") return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isConnected: boolean) => {
        clearTimeout(timer);
        stop();
        resolve(isConnected);
      };
      const timer = setTimeout(() => end(false), ms);
      const stop = this.onChange((state) => {
        if (state === "connected" || state === "closed") end(state === "connected");
      });
    });
  }
}
