/**
 * Calls in flight at a time: the others wait their turn, so that 1024 of them take neither 1024
 * connections nor the event loop for themselves.
 *
 * @module
 */

import { startDeadline } from "./deadline.ts";

/** Lets a number of calls through, first come first served. */
export class CallGate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** Lets `callsMax` through at a time. */
  constructor(callsMax: number) {
    this.#free = callsMax;
  }

  /**
   * Waits for a turn; whoever gets one ends it by {@linkcode CallGate.leave}.
   *
   * @returns Whether it came before `deadlineMs` of the monotonic clock.
   */
  enter(deadlineMs: number): Promise<boolean> {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const turn = () => {
        end();
        resolve(true);
      };
      const end = startDeadline(deadlineMs - performance.now(), () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        resolve(false);
      });
      this.#waiting.push(turn);
    });
  }

  /** Ends a turn: the next one begins. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
