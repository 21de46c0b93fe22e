/**
 * How far the move of one slot's keys is.
 *
 * @module
 */

/** Time over which the speed is measured, in milliseconds. */
const WINDOW_MS = 5_000;
/** A look at the source must have come this far before what is left can be told from it. */
const FRACTION_MIN = 0.02;

/** Counts the keys of one slot. */
export class MoveProgress {
  keysMoved = 0;
  /** Still to move; null before it can be told. */
  keysLeft: number | null = null;
  #windowMs = 0;
  #windowKeys = 0;
  #rate: number | null = null;
  /** Keys moved when the present look at the source began. */
  #movedBefore = 0;

  /** Keys have arrived. */
  moved(keys: number, nowMs: number = performance.now()): void {
    if (this.#windowMs === 0) this.#windowMs = nowMs;
    this.keysMoved += keys;
    this.#windowKeys += keys;
    if (this.keysLeft !== null) this.keysLeft = Math.max(0, this.keysLeft - keys);
    const tookMs = nowMs - this.#windowMs;
    if (tookMs < WINDOW_MS && this.#rate !== null) return;
    if (tookMs > 0) this.#rate = this.#windowKeys / tookMs * 1000;
    if (tookMs < WINDOW_MS) return;
    this.#windowMs = nowMs;
    this.#windowKeys = 0;
  }

  /** A look at all of the source's keys begins. */
  lookBegins(): void {
    this.#movedBefore = this.keysMoved;
  }

  /** The look at the source has come so far, 0 to 1: keys are spread evenly over it. */
  looked(fraction: number): void {
    if (fraction < FRACTION_MIN) return;
    const found = this.keysMoved - this.#movedBefore;
    this.keysLeft = Math.round(found / fraction * (1 - fraction));
  }

  /** Keys per second of late; null before it can be told. */
  get keysPerSecond(): number | null {
    return this.#rate === null ? null : Math.round(this.#rate);
  }

  /** Seconds until all keys are moved at this speed; null when that cannot be told. */
  get etaSeconds(): number | null {
    if (this.keysLeft === null || this.#rate === null || this.#rate === 0) return null;
    return Math.ceil(this.keysLeft / this.#rate);
  }
}
