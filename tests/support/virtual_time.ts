/**
 * Time that passes as fast as nobody has anything to do: for code that waits by `setTimeout`.
 *
 * @module
 */

/** Rounds in which promises that are ready are handled: all that doubles need between two timers. */
const ROUNDS = 60;

interface Timer {
  readonly id: number;
  readonly atMs: number;
  readonly act: () => void;
}

/** Takes the place of `setTimeout`, `clearTimeout` and `performance.now` until it is disposed of. */
export class VirtualTime implements Disposable {
  nowMs = 1_000;
  readonly #timers = new Map<number, Timer>();
  readonly #before = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    now: performance.now,
  };
  #lastId = 0;

  constructor() {
    const set = (act: () => void, ms = 0) => {
      const id = ++this.#lastId;
      this.#timers.set(id, { id, atMs: this.nowMs + ms, act });
      return id;
    };
    globalThis.setTimeout = set as unknown as typeof setTimeout;
    globalThis.clearTimeout = (id) => void this.#timers.delete(id as unknown as number);
    performance.now = () => this.nowMs;
  }

  /** Lets time pass until a promise is settled. */
  async until<T>(promise: Promise<T>, limitMs: number): Promise<T> {
    const endMs = this.nowMs + limitMs;
    let isSettled = false;
    const settle = () => void (isSettled = true);
    promise.then(settle, settle);
    for (;;) {
      for (let round = 0; round < ROUNDS; round++) await null;
      if (isSettled) return await promise;
      const [next] = [...this.#timers.values()].sort((a, b) => a.atMs - b.atMs || a.id - b.id);
      if (next === undefined) throw new Error("nothing happens any more");
      if (next.atMs > endMs) throw new Error(`not done after ${limitMs} ms`);
      this.#timers.delete(next.id);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.act();
    }
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#before.setTimeout;
    globalThis.clearTimeout = this.#before.clearTimeout;
    performance.now = this.#before.now;
  }
}
