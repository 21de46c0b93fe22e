/**
 * How long the fastest reply of a server took lately: what the way there and back takes at least.
 *
 * @module
 */

/** How long a reply counts as of late, in milliseconds; up to twice as long. */
const LATELY_MS = 5_000;

/** See the header. */
export class FastestReply {
  #beforeMs = Infinity;
  #nowMs = Infinity;
  #sinceMs = 0;

  /** A reply came so long after its request was sent. */
  add(ms: number, nowMs: number): void {
    if (nowMs - this.#sinceMs > LATELY_MS) {
      this.#beforeMs = this.#nowMs;
      this.#nowMs = Infinity;
      this.#sinceMs = nowMs;
    }
    if (ms < this.#nowMs) this.#nowMs = ms;
  }

  /** The least of the last seconds, in milliseconds; 0 while nothing has been answered. */
  get ms(): number {
    const ms = Math.min(this.#beforeMs, this.#nowMs);
    return ms === Infinity ? 0 : ms;
  }
}
