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

/** Counts the keys of one slot, and their bytes. */
export class MoveProgress {
  keysMoved = 0;
  /** By the memory that keys took at the source, as far as that was told; null: nobody tells. */
  bytesMoved: number | null = null;
  /** Still to move; null before it can be told. */
  keysLeft: number | null = null;
  readonly #keys: Speed;
  readonly #bytes: Speed;
  /** Keys that the present look has seen, and moved. */
  #seen = 0;
  #movedOfLook = 0;

  /** @param now The monotonic clock, in milliseconds. @default performance.now */
  constructor(now: () => number = () => performance.now()) {
    this.#keys = new Speed(now);
    this.#bytes = new Speed(now);
  }

  /**
   * Keys have been moved.
   *
   * @param bytes What they took at the source; left out: that is not known.
   */
  moved(keys: number, bytes?: number): void {
    this.keysMoved += keys;
    this.#movedOfLook += keys;
    if (this.keysLeft !== null) this.keysLeft = Math.max(0, this.keysLeft - keys);
    this.#keys.add(keys);
    if (bytes === undefined) return;
    this.bytesMoved = (this.bytesMoved ?? 0) + bytes;
    this.#bytes.add(bytes);
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
    return this.#keys.perSecond;
  }

  /** Bytes per second of late; null before it can be told. */
  get bytesPerSecond(): number | null {
    return this.#bytes.perSecond;
  }

  /** Seconds until all keys are moved at this speed; null when that cannot be told. */
  get etaSeconds(): number | null {
    const rate = this.keysPerSecond;
    if (this.keysLeft === null || rate === null || rate === 0) return null;
    return Math.ceil(this.keysLeft / rate);
  }
}

/** How many of something there were per second, of late. */
class Speed {
  readonly #now: () => number;
  /** The present window, and the one before it. */
  #beganMs = 0;
  #count = 0;
  #lastMs = 0;
  #lastCount = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(count: number): void {
    const nowMs = this.#now();
    if (this.#beganMs === 0) this.#beganMs = nowMs;
    this.#count += count;
    if (nowMs - this.#beganMs < WINDOW_MS) return;
    this.#lastMs = nowMs - this.#beganMs;
    this.#lastCount = this.#count;
    this.#beganMs = nowMs;
    this.#count = 0;
  }

  /** Null before it can be told. */
  get perSecond(): number | null {
    if (this.#beganMs === 0) return null;
    const tookMs = this.#lastMs + this.#now() - this.#beganMs;
    if (tookMs < WINDOW_MS_MIN) return null;
    return Math.round((this.#lastCount + this.#count) / tookMs * 1000);
  }
}
