/**
 * Keys of sampled requests until they are counted, many at a time: one alone, between requests, takes three
 * times as long, since nothing of it is in the processor's cache.
 *
 * @module
 */

import { copyBytes } from "../../io/copy_bytes.ts";

/** Keys that are counted at a time. */
const KEYS_MAX = 256;
/** Bytes of all of them. */
const BYTES_MAX = 32 * 1024;

/** See the header. Key `i` is bytes[start(i), end(i)). */
export class KeyBatch {
  readonly bytes = new Uint8Array(BYTES_MAX);
  count = 0;
  /** When the first of them came, in clock milliseconds. */
  sinceMs = 0;
  readonly #ends = new Int32Array(KEYS_MAX);
  readonly #databases = new Int32Array(KEYS_MAX);
  readonly #areWrites = new Uint8Array(KEYS_MAX);
  readonly #weights = new Float64Array(KEYS_MAX);
  #byteCount = 0;

  /** Whether there is room for one more of so many bytes. */
  hasRoomFor(bytes: number): boolean {
    return this.count < KEYS_MAX && this.#byteCount + bytes <= BYTES_MAX;
  }

  /**
   * Copies a key, for which there must be room.
   *
   * @param weight For how many requests it stands.
   */
  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    database: number,
    isWrite: boolean,
    weight: number,
  ): void {
    const i = this.count++;
    copyBytes(this.bytes, this.#byteCount, bytes, start, end);
    this.#byteCount += end - start;
    this.#ends[i] = this.#byteCount;
    this.#databases[i] = database;
    this.#areWrites[i] = isWrite ? 1 : 0;
    this.#weights[i] = weight;
  }

  start(i: number): number {
    return i === 0 ? 0 : this.#ends[i - 1]!;
  }

  end(i: number): number {
    return this.#ends[i]!;
  }

  database(i: number): number {
    return this.#databases[i]!;
  }

  isWrite(i: number): boolean {
    return this.#areWrites[i] === 1;
  }

  weight(i: number): number {
    return this.#weights[i]!;
  }

  /** Forgets all. */
  clear(): void {
    this.count = this.#byteCount = 0;
  }
}
