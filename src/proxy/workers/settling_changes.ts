/**
 * Changes of slots that workers have not settled yet, and the time that each may take.
 *
 * @module
 */

/** Time between two checks whether a change is overdue, in milliseconds. */
const CHECK_MS = 500;

interface Settling {
  readonly index: number;
  /** What changes, in words. */
  readonly what: string;
  readonly lateMs: number;
  isOverdue: boolean;
  reject(error: Error): void;
}

/** See the header. One timer serves all: a thousand slots may change at once. */
export class SettlingChanges {
  readonly #waiting = new Set<Settling>();
  /** How long a change may take, in milliseconds. */
  settleMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  /** Gives each change `settleMs` milliseconds. */
  constructor(settleMs: number) {
    this.settleMs = settleMs;
  }

  /**
   * Waits until worker number `index` has settled a change.
   *
   * @throws {Error} When it does not do so in time, or `settled` rejects.
   */
  inTime(index: number, what: string, settled: Promise<void>): Promise<void> {
    const lateMs = performance.now() + this.settleMs;
    return new Promise((resolve, reject) => {
      const change: Settling = { index, what, lateMs, isOverdue: false, reject };
      this.#waiting.add(change);
      this.#timer ??= setTimeout(() => this.#check(), CHECK_MS);
      settled.then(resolve, reject).finally(() => this.#waiting.delete(change));
    });
  }

  /** Checks no more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #check(): void {
    const nowMs = performance.now();
    for (const change of this.#waiting) {
      const { index, what, lateMs, isOverdue, reject } = change;
      if (nowMs < lateMs) continue;
      // After a pause of the process the answer may be here, and not read yet: once more.
      if (!isOverdue) change.isOverdue = true;
      else reject(new Error(`worker ${index} does not answer, and has not settled ${what}`));
    }
    const isDone = this.#waiting.size === 0 || this.#isStopped;
    this.#timer = isDone ? undefined : setTimeout(() => this.#check(), CHECK_MS);
  }
}
