/**
 * The progress of one slot's migration: keys moved and left, and the speed.
 *
 * @module
 */

/** Least time over which a speed is measured, in milliseconds; at most twice that. */
const WINDOW_MS = 3_000;
/** Least time before a speed is known, in milliseconds. */
const WINDOW_MS_MIN = 200;
/** Share of a scan that is needed before the number of keys left can be estimated, 0 to 1. */
const FRACTION_MIN = 0.02;

/** What was moved by all migrations together, since this dashboard leads. */
export interface MovedKeys {
  slots: number;
  keys: number;
  /** Memory that the keys took at their sources, as far as it was measured. */
  bytes: number;
}

/** Counts the keys of one slot, and their bytes. */
export class MoveProgress {
  keysMoved = 0;
  /** Memory that the moved keys took at the source; null: not known. */
  bytesMoved: number | null = null;
  /** Still to move; null: not known yet. */
  keysLeft: number | null = null;
  readonly #keys: Speed;
  readonly #bytes: Speed;
  /** Keys that the present scan has seen, and that were moved since it started. */
  #seen = 0;
  #movedOfScan = 0;

  readonly #moved: MovedKeys | undefined;
  readonly #onMoved: () => void;

  /**
   * @param now The monotonic clock, in milliseconds. @default performance.now
   * @param moved Counts these keys, too.
   * @param onMoved Called when keys have been moved.
   */
  constructor(
    now: () => number = () => performance.now(),
    moved?: MovedKeys,
    onMoved: () => void = () => {},
  ) {
    this.#moved = moved;
    this.#onMoved = onMoved;
    this.#keys = new Speed(now);
    this.#bytes = new Speed(now);
  }

  /**
   * Keys have been moved.
   *
   * @param bytes Memory that they took at the source; left out: not known.
   */
  moved(keys: number, bytes?: number): void {
    this.keysMoved += keys;
    this.#movedOfScan += keys;
    if (this.keysLeft !== null) this.keysLeft = Math.max(0, this.keysLeft - keys);
    this.#keys.add(keys);
    this.#onMoved();
    if (this.#moved !== undefined) {
      this.#moved.keys += keys;
      this.#moved.bytes += bytes ?? 0;
    }
    if (bytes === undefined) return;
    this.bytesMoved = (this.bytesMoved ?? 0) + bytes;
    this.#bytes.add(bytes);
  }

  /** A scan of all keys of the source starts. */
  scanStarted(): void {
    this.#seen = 0;
    this.#movedOfScan = 0;
  }

  /** The scan has seen keys of the slot. */
  seen(keys: number): void {
    this.#seen += keys;
  }

  /** The scan has come so far, 0 to 1: keys are spread evenly over it. */
  scanned(fraction: number): void {
    if (fraction < FRACTION_MIN) return;
    this.keysLeft = Math.max(0, Math.round(this.#seen / fraction) - this.#movedOfScan);
  }

  /** Recent keys per second; null: not known yet. */
  get keysPerSecond(): number | null {
    return this.#keys.perSecond;
  }

  /** Recent bytes per second; null: not known yet. */
  get bytesPerSecond(): number | null {
    return this.#bytes.perSecond;
  }

  /** Seconds until all keys are moved at this speed; null: not known. */
  get etaSeconds(): number | null {
    const rate = this.keysPerSecond;
    if (this.keysLeft === null || rate === null || rate === 0) return null;
    return Math.ceil(this.keysLeft / rate);
  }
}

/** How many of something there were per second, recently. */
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

  /** Null: not known yet. */
  get perSecond(): number | null {
    if (this.#beganMs === 0) return null;
    const tookMs = this.#lastMs + this.#now() - this.#beganMs;
    if (tookMs < WINDOW_MS_MIN) return null;
    return Math.round((this.#lastCount + this.#count) / tookMs * 1000);
  }
}
