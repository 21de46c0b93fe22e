/**
 * The bytes that have come from a source and are not used yet: one buffer, which grows only for what is
 * larger than it.
 *
 *     0 ≤ start ≤ end ≤ bytes.length
 *     [0, start) used   [start, end) received, not yet used   [end, …) room for the next read
 *
 * @module
 */

import type { ByteReader } from "../io/byte_source.ts";

/** Bytes that are read at a time. */
const READ_BYTES = 256 * 1024;
/** A buffer that is larger is given up when it is empty. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/** See the header. */
export class ByteWindow {
  bytes: Uint8Array = new Uint8Array(2 * READ_BYTES);
  start = 0;
  end = 0;
  /** Bytes that were used since the beginning. */
  used = 0;

  /** How many bytes are there. */
  get length(): number {
    return this.end - this.start;
  }

  /** Uses `count` bytes. */
  use(count: number): void {
    this.start += count;
    this.used += count;
  }

  /** Forgets what is there. */
  clear(): void {
    this.start = this.end = this.used = 0;
  }

  /**
   * Reads once, at least one byte. Views of the bytes made before are dead.
   *
   * @returns How many bytes came; 0: the source has ended.
   */
  async fill(reader: ByteReader): Promise<number> {
    this.#makeRoom();
    const count = await reader.read(this.bytes.subarray(this.end));
    if (count === null) return 0;
    this.end += count;
    return count;
  }

  #makeRoom(): void {
    const { length } = this;
    if (length === 0 && this.bytes.length > KEPT_BYTES_MAX) {
      this.bytes = new Uint8Array(2 * READ_BYTES);
      this.start = this.end = 0;
      return;
    }
    if (this.bytes.length - this.end >= READ_BYTES) return;
    let target = this.bytes;
    if (length + READ_BYTES > target.length) target = new Uint8Array(2 * target.length);
    if (target === this.bytes) target.copyWithin(0, this.start, this.end);
    else target.set(this.bytes.subarray(this.start, this.end));
    this.bytes = target;
    this.start = 0;
    this.end = length;
  }
}
