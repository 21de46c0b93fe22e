/**
 * A semaphore: bounds how many calls are in flight, so that 1024 of them take neither 1024 connections
 * nor the whole event loop. The others wait in a queue.
 *
 * @module
 */

import { startDeadline } from "./deadline.ts";

/** Holds a number of permits; first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** Begins with `permits` free permits. */
  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Waits for a permit. Who gets one gives it back with {@linkcode Semaphore.release}.
   *
   * @returns Whether the permit came before `deadlineMs` of the monotonic clock.
   */
  acquire(deadlineMs: number): Promise<boolean> {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const grant = () => {
        end();
        resolve(true);
      };
      const end = startDeadline(deadlineMs - performance.now(), () => {
        this.#waiting.splice(this.#waiting.indexOf(grant), 1);
        resolve(false);
      });
      this.#waiting.push(grant);
    });
  }

  /** Gives a permit back; the first in the queue gets it. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
