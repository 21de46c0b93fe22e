/**
 * A place in the bytes of an RDB, and what is read there: lengths, strings, numbers. Whatever needs more bytes
 * than there are reads nothing.
 *
 * @module
 */

import { latin1 } from "../../resp/latin1.ts";
import type { ByteWindow } from "../byte_window.ts";
import { uncompress } from "./lzf.ts";

/** An RDB that cannot be read; the message says where and why. */
export class RdbError extends Error {
  override readonly name = "RdbError";
}

/** Most bytes of a value: what a request may have at a Redis server, less what is sent beside it. */
export const VALUE_BYTES_MAX = 512 * 1024 * 1024 - 16;

/** The special encodings of strings: integers of 1, 2 and 4 bytes, and LZF. */
const LZF = 3;

/** See the header. */
export class RdbCursor {
  readonly window: ByteWindow;
  /** Distance from the window's start to what is read next. */
  at = 0;
  /** What the last length said. */
  length = 0;
  /** Whether it announces a string in a special encoding, whose number it is. */
  isEncoded = false;
  #view: DataView | undefined;

  constructor(window: ByteWindow) {
    this.window = window;
  }

  /** Whether fewer than `count` bytes are there. */
  lacks(count: number): boolean {
    return this.window.length - this.at < count;
  }

  /** Passes over `count` bytes, which are there; returns where they begin in the window. */
  taken(count: number): number {
    const at = this.window.start + this.at;
    this.at += count;
    return at;
  }

  /** The window's bytes as numbers. Valid until it is filled. */
  get view(): DataView {
    const { bytes } = this.window;
    if (this.#view?.buffer !== bytes.buffer) this.#view = new DataView(bytes.buffer);
    return this.#view!;
  }

  /** Passes over `count` bytes; false: they are not all there. */
  passBytes(count: number): boolean {
    if (this.lacks(count)) return false;
    this.at += count;
    return true;
  }

  /** Reads a length; false: more bytes are needed. */
  readLength(): boolean {
    const { bytes, start, end } = this.window;
    const at = start + this.at;
    if (at >= end) return false;
    const first = bytes[at]!;
    const kind = first >> 6;
    this.isEncoded = kind === 3;
    if (kind === 0 || kind === 3) {
      this.length = first & 63;
      this.at++;
      return true;
    }
    const size = kind === 1 ? 2 : first === 0x81 ? 9 : 5;
    if (at + size > end) return false;
    this.at += size;
    if (size === 2) this.length = (first & 63) << 8 | bytes[at + 1]!;
    else if (size === 5) this.length = this.view.getUint32(at + 1);
    else this.length = Number(this.view.getBigUint64(at + 1));
    return true;
  }

  /** Reads `count` lengths; {@linkcode length} is the first. False: more bytes are needed. */
  readLengths(count: number): boolean {
    const from = this.at;
    let first = 0;
    for (let i = 0; i < count; i++) {
      if (!this.readLength()) {
        this.at = from;
        return false;
      }
      if (i === 0) first = this.length;
    }
    this.length = first;
    return true;
  }

  /**
   * After the length of a string: how many bytes follow; the lengths of LZF are passed. -1: more bytes are
   * needed, and the string must be begun anew.
   */
  stringBytes(): number {
    if (!this.isEncoded) return this.length;
    if (this.length < LZF) return 1 << this.length;
    if (this.length > LZF) throw this.failure(`string encoding ${this.length} is not known`);
    if (!this.readLength()) return -1;
    const compressed = this.length;
    return this.readLength() ? compressed : -1;
  }

  /**
   * Passes over a whole string that lies as it is, of {@linkcode length} bytes; false: it is encoded or not whole,
   * and nothing was passed.
   */
  passPlainString(): boolean {
    const from = this.at;
    if (this.readLength() && !this.isEncoded && this.passBytes(this.length)) return true;
    this.at = from;
    return false;
  }

  /** Reads a whole string, decoded; null: more bytes are needed. Copies. */
  readString(): Uint8Array | null {
    const from = this.at;
    const text = this.#string();
    if (text === null) this.at = from;
    return text;
  }

  #string(): Uint8Array | null {
    if (!this.readLength()) return null;
    const [isEncoded, encoding] = [this.isEncoded, this.length];
    const count = this.stringBytes();
    const { length } = this;
    if (count > VALUE_BYTES_MAX || length > VALUE_BYTES_MAX) {
      throw this.failure(`a string of ${Math.max(count, length)} bytes is too long`);
    }
    if (count < 0 || this.lacks(count)) return null;
    const at = this.taken(count);
    if (!isEncoded) return this.window.bytes.slice(at, at + count);
    if (encoding === LZF) return this.#uncompressed(at, at + count, length);
    const { view } = this;
    if (encoding === 0) return ENCODER.encode(`${view.getInt8(at)}`);
    return ENCODER.encode(`${encoding === 1 ? view.getInt16(at, true) : view.getInt32(at, true)}`);
  }

  #uncompressed(start: number, end: number, length: number): Uint8Array {
    try {
      return uncompress(this.window.bytes, start, end, length);
    } catch (error) {
      throw this.failure((error as Error).message);
    }
  }

  /** An error that says where. */
  failure(cause: string): RdbError {
    return new RdbError(`RDB at byte ${this.window.used + this.at}: ${cause}`);
  }

  /** The next `count` bytes, one character for each. They must be there. */
  peek(count: number): string {
    const at = this.window.start + this.at;
    return latin1(this.window.bytes, at, at + count);
  }
}

const ENCODER = new TextEncoder();
