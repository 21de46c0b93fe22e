/**
 * Finds where one multibulk request ends without keeping any of it, resumable at any byte: for a
 * request too large to be held.
 *
 *     type ──► length line ──► bulk data ─┬─► done
 *      ▲ `*` once, then `$`               │
 *      └──────────────────────────────────┘
 *
 * As strict as the request parser, with the same error texts: a server must see the same request ends.
 *
 * @module
 */

import { BULK_BYTES_MAX, ELEMENTS_MAX, unexpectedByte } from "./request_parser.ts";

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const STAR = 42;
/** Most digits of a valid length. */
const DIGITS_MAX = 10;

const TYPE = 0;
const DIGITS = 1;
const LENGTH_LF = 2;
const BULK = 3;
const BULK_CR = 4;
const BULK_LF = 5;

/** Follows one request; see the drawing above. */
export class RequestFramer {
  /** After {@linkcode feed}: whether the request ended at the returned position. */
  isDone = false;
  /** The protocol error, as Redis words it after `Protocol error: `; else empty. */
  error = "";

  #state = TYPE;
  /** Bulks still to come; -1 before the header. */
  #left = -1;
  #length = 0;
  #digits = 0;
  /** Bytes of the current bulk still to come. */
  #missing = 0;

  /**
   * Consumes bytes of the request. Borrows `bytes[at, end)` during the call.
   *
   * @returns Where the request ended ({@linkcode isDone} is true), or `end` when it needs more; when
   * {@linkcode error} is set the position means nothing.
   */
  feed(bytes: Uint8Array, at: number, end: number): number {
    while (at < end && !this.isDone && this.error === "") {
      if (this.#state === BULK) {
        const here = Math.min(this.#missing, end - at);
        this.#missing -= here;
        at += here;
        if (this.#missing === 0) this.#state = BULK_CR;
      } else {
        this.#step(bytes[at++]!);
      }
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case TYPE:
        if (byte !== (this.#left < 0 ? STAR : DOLLAR)) this.error = unexpectedByte(byte);
        this.#state = DIGITS;
        this.#length = this.#digits = 0;
        return;
      case DIGITS:
        if (byte === CR && this.#digits > 0) this.#state = LENGTH_LF;
        else this.#digit(byte - 48);
        return;
      case LENGTH_LF:
        if (byte === LF) this.#lengthEnded();
        else this.#badLength();
        return;
      case BULK_CR:
        if (byte !== CR) this.error = "bulk is not followed by CR LF";
        this.#state = BULK_LF;
        return;
      case BULK_LF:
        this.#state = TYPE;
        if (byte !== LF) this.error = "bulk is not followed by CR LF";
        else if (--this.#left === 0) this.isDone = true;
    }
  }

  #digit(digit: number): void {
    const isLeadingZero = this.#digits === 1 && this.#length === 0;
    if (digit < 0 || digit > 9 || isLeadingZero || ++this.#digits > DIGITS_MAX) {
      return this.#badLength();
    }
    this.#length = this.#length * 10 + digit;
  }

  #lengthEnded(): void {
    if (this.#left >= 0) {
      if (this.#length > BULK_BYTES_MAX) return this.#badLength();
      this.#missing = this.#length;
      this.#state = this.#length === 0 ? BULK_CR : BULK;
    } else {
      if (this.#length === 0 || this.#length > ELEMENTS_MAX) return this.#badLength();
      this.#left = this.#length;
      this.#state = TYPE;
    }
  }

  #badLength(): void {
    this.error = this.#left < 0 ? "invalid multibulk length" : "invalid bulk length";
  }
}
