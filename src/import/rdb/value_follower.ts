/**
 * Finds where a value ends, by the parts of its type, and goes on where it has stopped for more bytes.
 *
 * @module
 */

import type { RdbCursor } from "./rdb_cursor.ts";
import type { Part } from "./value_shape.ts";

/** What a module wrote: integers, a float, a double, a string. */
const MODULE_PARTS: Readonly<Record<number, Part | undefined>> = {
  1: "length",
  2: "length",
  3: 4,
  4: 8,
  5: "string",
};
const MODULE_END = 0;
/** Doubles as text: from here on, the length stands for infinity or no number. */
const NO_NUMBER = 253;

/** A list of parts that is being followed. */
interface Frame {
  parts: readonly Part[];
  at: number;
  left: number;
}

/** See the header. */
export class ValueFollower {
  /** Bytes of a string that are still to come. */
  missing = 0;
  readonly #cursor: RdbCursor;
  readonly #frames: Frame[] = [];
  #depth = 0;
  /** Whether the parts of a module go on. */
  #isInModule = false;

  constructor(cursor: RdbCursor) {
    this.#cursor = cursor;
  }

  /** A value of these parts begins at the cursor. */
  begin(parts: readonly Part[]): void {
    this.#depth = 0;
    this.missing = 0;
    this.#push(parts, 1);
  }

  /** Moves the cursor to the end of the value; false: more bytes are needed. */
  follow(): boolean {
    if (this.missing > 0) {
      if (!this.#passMissing()) return false;
      // A string of a module is not a part of its own here.
      if (!this.#isInModule) this.#frames[this.#depth - 1]!.at++;
    }
    while (this.#depth > 0) {
      const frame = this.#frames[this.#depth - 1]!;
      if (frame.at === frame.parts.length) {
        if (--frame.left > 0) frame.at = 0;
        else this.#depth--;
        continue;
      }
      const part = frame.parts[frame.at]!;
      if (typeof part !== "object") {
        if (!this.#pass(part)) return false;
        frame.at++;
        continue;
      }
      const cursor = this.#cursor;
      if (!cursor.readLength()) return false;
      frame.at++;
      if (cursor.length > 0) this.#push(part, cursor.length);
    }
    return true;
  }

  #push(parts: readonly Part[], left: number): void {
    const frame = this.#frames[this.#depth] ??= { parts, at: 0, left };
    frame.parts = parts;
    frame.at = 0;
    frame.left = left;
    this.#depth++;
  }

  /** Passes over one part; false: more bytes are needed. */
  #pass(part: Part): boolean {
    const cursor = this.#cursor;
    if (part === "string") return this.#passString();
    if (part === "length") return cursor.readLength();
    if (typeof part === "number") return cursor.passBytes(part);
    if (part === "module") return this.#followModule();
    if (cursor.lacks(1)) return false;
    const length = cursor.window.bytes[cursor.window.start + cursor.at]!;
    return cursor.passBytes(length >= NO_NUMBER ? 1 : 1 + length);
  }

  #followModule(): boolean {
    this.#isInModule = true;
    while (this.#isInModule) {
      const cursor = this.#cursor;
      const from = cursor.at;
      if (!cursor.readLength()) return false;
      if (cursor.length === MODULE_END) {
        this.#isInModule = false;
        break;
      }
      const part = MODULE_PARTS[cursor.length];
      if (part === undefined) {
        throw cursor.failure(`a module wrote part ${cursor.length}, which is not known`);
      }
      if (this.#pass(part)) continue;
      // Within a string, it goes on there.
      if (this.missing === 0) cursor.at = from;
      return false;
    }
    return true;
  }

  /** Passes over a string; of a long one, what is there, so that it need not be held when nobody wants it. */
  #passString(): boolean {
    const cursor = this.#cursor;
    const from = cursor.at;
    const count = cursor.readLength() ? cursor.stringBytes() : -1;
    if (count < 0) {
      cursor.at = from;
      return false;
    }
    this.missing = count;
    return this.#passMissing();
  }

  #passMissing(): boolean {
    const { window, at } = this.#cursor;
    const here = Math.min(this.missing, window.length - at);
    this.#cursor.at += here;
    this.missing -= here;
    return this.missing === 0;
  }
}
