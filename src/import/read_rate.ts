/**
 * Slows down reading to so many bytes a second, all sources together.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { ByteReader } from "../io/byte_source.ts";

/** Longest time for which unused bytes are saved up, in milliseconds. */
const SAVED_MS = 100;

/** See the header. */
export class ReadRate {
  readonly #bytesPerMs: number;
  /** When the bytes that were read are paid for, in monotonic milliseconds. */
  #paidMs = 0;

  /** @param bytesPerSecond 0: as fast as it goes. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** A reader that waits before it reads, as long as too much was read. */
  readonly slowed = (reader: ByteReader): ByteReader => {
    if (this.#bytesPerMs === 0) return reader;
    return {
      read: async (bytes) => {
        const waitMs = this.#paidMs - performance.now();
        if (waitMs > 0) await delay(waitMs);
        const most = Math.max(1024, Math.floor(this.#bytesPerMs * SAVED_MS));
        const count = await reader.read(bytes.subarray(0, most));
        const fromMs = Math.max(this.#paidMs, performance.now() - SAVED_MS);
        this.#paidMs = fromMs + (count ?? 0) / this.#bytesPerMs;
        return count;
      },
    };
  };
}
