/**
 * How far the move of one slot's keys is.
 *
 * @module
 */

/** Time over which the speed is measured, in milliseconds; twice that at most. */
const WINDOW_MS = 3_000;
/** Least time after which a speed can be told, in milliseconds. */
const WINDOW_MS_MIN = 200;
/** A look at the source must have come this far before what is left can be told from it. */
const FRACTION_MIN = 0.02;

/** Counts the keys of one slot. */
export class MoveProgress {
  keysMoved = 0;
  /** Still to move; null before it can be told. */
  keysLeft: number | null = null;
  readonly #now: () => number;
  /** Keys that the present look has seen, and moved. */
  #seen = 0;
  #movedOfLook = 0;
  /** The present window, and the one before it. */
  #beganMs = 0;
  #keys = 0;
  #lastMs = 0;
  #lastKeys = 0;

  /** @param now The monotonic clock, in milliseconds. @default performance.now */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Keys have been moved. */
  moved(keys: number): void {
    this.keysMoved += keys;
    this.#movedOfLook += keys;
    if (this.keysLeft !== null) this.keysLeft = Math.max(0, this.keysLeft - keys);
    const nowMs = this.#now();
    if (this.#beganMs === 0) this.#beganMs = nowMs;
    this.#keys += keys;
    if (nowMs - this.#beganMs < WINDOW_MS) return;
    this.#lastMs = nowMs - this.#beganMs;
    this.#lastKeys = this.#keys;
    this.#beganMs = nowMs;
    this.#keys = 0;
  }

  /** A look at all of the source's keys begins. */
  lookBegins(): void {
    this.#seen = 0;
    this.#movedOfLook = 0;
  }

  /** The look has seen keys of the slot. */
  seen(keys: number): void {
    this.#seen += keys;
  }

  /** The look has come so far, 0 to 1: keys are spread evenly over it. */
  looked(fraction: number): void {
    if (fraction < FRACTION_MIN) return;
    this.keysLeft = Math.max(0, Math.round(this.#seen / fraction) - this.#movedOfLook);
  }

  /** Keys per second of late; null before it can be told. */
  get keysPerSecond(): number | null {
    if (this.#beganMs === 0) return null;
    const tookMs = this.#lastMs + this.#now() - this.#beganMs;
    if (tookMs < WINDOW_MS_MIN) return null;
    return Math.round((this.#lastKeys + this.#keys) / tookMs * 1000);
  }

  /** Seconds until all keys are moved at this speed; null when that cannot be told. */
  get etaSeconds(): number | null {
    const rate = this.keysPerSecond;
    if (this.keysLeft === null || rate === null || rate === 0) return null;
    return Math.ceil(this.keysLeft / rate);
  }
}
