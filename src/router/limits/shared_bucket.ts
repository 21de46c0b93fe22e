/**
 * A token bucket that several workers take from. What is taken is paid for afterwards: the balance may go
 * below nothing, and nobody takes more until it is above it again.
 *
 *      rate per second ──► balance ──► taken, however much
 *                            └─ at most a tenth of a second's worth
 *
 * @module
 */

/** Cells of a bucket: the balance; until when it was filled, by the wall clock, in ticks, of which 32 bits. */
export const BUCKET_CELLS = 2;

/** Ticks of a second: no rate is cut by more than a hundredth. */
const TICKS = 100_000;
/** What a bucket holds at most, in seconds' worth. */
const CAPACITY_SECONDS = 0.1;
/** A clock that is so far behind was set back, or has run over, in ticks. */
const SET_BACK = TICKS;
/** Lowest balance: no number of 32 bits may overflow. */
const BALANCE_MIN = -(2 ** 30);

/** See the header. */
export class SharedBucket {
  readonly #cells: Int32Array;
  readonly #at: number;
  #rate = 0;
  #capacity = 0;

  /** A bucket in `cells[at..]`; without a rate, it is never empty. */
  constructor(cells: Int32Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  /** What comes in for each second; 0: no limit. */
  get rate(): number {
    return this.#rate;
  }

  set rate(perSecond: number) {
    this.#rate = perSecond;
    this.#capacity = Math.max(1, Math.floor(perSecond * CAPACITY_SECONDS));
  }

  /** How much may be taken; not above 0: nothing. */
  get balance(): number {
    return this.#rate === 0 ? Infinity : Atomics.load(this.#cells, this.#at);
  }

  /** Takes, even what is not there. */
  take(count: number): void {
    if (this.#rate === 0) return;
    const before = Atomics.sub(this.#cells, this.#at, Math.min(count, -BALANCE_MIN));
    if (before - count < BALANCE_MIN) Atomics.store(this.#cells, this.#at, BALANCE_MIN);
  }

  /** Brings in what has come since the last time, in whichever worker that was. */
  refill(nowMs: number): void {
    if (this.#rate === 0) return;
    const [cells, at] = [this.#cells, this.#at];
    const now = Math.floor((nowMs * TICKS) / 1000) | 0;
    const last = Atomics.load(cells, at + 1);
    const elapsed = (now - last) | 0;
    // A bucket that was never filled, or a clock that was set back.
    if (last === 0 || elapsed < -SET_BACK) {
      Atomics.store(cells, at + 1, now === 0 ? 1 : now);
      if (last === 0) Atomics.store(cells, at, this.#capacity);
      return;
    }
    const earned = Math.floor((elapsed * this.#rate) / TICKS);
    if (earned <= 0) return;
    const missing = this.#capacity - Atomics.load(cells, at);
    const filled = earned >= missing ? now : (last + Math.ceil((earned * TICKS) / this.#rate)) | 0;
    if (Atomics.compareExchange(cells, at + 1, last, filled) !== last) return; // another worker was first
    if (missing > 0) Atomics.add(cells, at, Math.min(earned, missing));
  }

  /** How long it takes until something may be taken, in milliseconds. */
  get waitMs(): number {
    const { balance } = this;
    return balance > 0 ? 0 : ((1 - balance) * 1000) / this.#rate;
  }
}
