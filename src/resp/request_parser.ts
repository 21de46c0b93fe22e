/**
 * Finds requests in a client's bytes: multibulk or inline, as spans, resumable at any byte.
 *
 *     boundary ──'*'──► header ──► bulk length ──► bulk data ──┬─► … ──► request
 *        │                              ▲──────────────────────┘
 *        └──other──► inline line ──► request (re-encoded as multibulk in a buffer of its own)
 *
 * Invariant: requestStart ≤ requestStart + #at ≤ end; everything before #at is parsed and is never
 * read again, so a bulk that arrives in a thousand reads is scanned once. Positions
 * are kept relative to the request's first byte, so the buffer may slide or grow between reads.
 *
 * The parser is as strict about lengths as Redis (no `+`, no leading zeros, CR LF demanded), because
 * the client's own bytes are forwarded: the server must see the same request as we do.
 *
 * @module
 */

import type { Arguments } from "./arguments.ts";
import { splitInline } from "./inline.ts";

/** Largest bulk in a request, in bytes (Redis: proto-max-bulk-len). */
export const BULK_BYTES_MAX = 512 * 1024 * 1024;
/** Most elements in a request, as Redis 7. */
export const ELEMENTS_MAX = 2 ** 31 - 1;
/** Most elements that a server before Redis 7 accepts: with more, it closes the connection. */
export const ELEMENTS_MAX_BEFORE_7 = 1024 * 1024;
/** The fewest bytes of an element: an empty bulk. */
const ELEMENT_BYTES_MIN = 6;
/** Longest inline request, without the end of its line, or length line, in bytes (Redis: PROTO_INLINE_MAX_SIZE). */
export const INLINE_BYTES_MAX = 64 * 1024;
/** Most elements in a request before AUTH, as Redis. */
export const UNAUTHENTICATED_ELEMENTS_MAX = 10;
/** Largest bulk in a request before AUTH, in bytes, as Redis. */
export const UNAUTHENTICATED_BULK_BYTES_MAX = 16 * 1024;

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const STAR = 42;

/** Most digits of a length; below them a number is exact. */
const DIGITS_MAX = 15;
/** Arguments whose spans' memory is kept from one request to the next. */
const SPANS_KEPT = 1024;

/**
 * What {@linkcode RequestParser.parse} found: a whole `request`; `more` bytes are needed; or a protocol
 * `error`.
 */
export type ParseOutcome = "request" | "more" | "error";

/** Parses the requests of one session; see the drawing above. */
export class RequestParser implements Arguments {
  /** The buffer the spans of the current request index. Borrowed until the next read. */
  bytes: Uint8Array = EMPTY;
  /** Arguments of the current request; while it is incomplete, those that are complete. */
  count = 0;
  /** First byte of the current request in {@linkcode bytes}. */
  requestStart = 0;
  /** One past the last byte of the current request in {@linkcode bytes}. */
  requestEnd = 0;
  /** Where the next request begins in the buffer that was handed to {@linkcode parse}. */
  nextStart = 0;
  /** Elements announced by the current request's header; 0 between requests. */
  announced = 0;
  /** After `error`: the text of the error reply, without `-` and CR LF. */
  error = "";
  /** Whether the last {@linkcode parse} has skipped empty requests. */
  hasSkipped = false;
  /** Whether Redis's limits for clients that have not authenticated are lifted. */
  isAuthenticated = true;

  /** Where parsing continues, relative to requestStart. */
  #at = 0;
  /** Length of the bulk being received; -1 when a bulk header comes next. */
  #bulk = -1;
  #spans = new Int32Array(2 * 4);
  /** Offset of the spans: absolute for multibulk, 0 in the inline buffer. */
  #base = 0;

  start(i: number): number {
    return this.#base + this.#spans[2 * i]!;
  }

  end(i: number): number {
    return this.#base + this.#spans[2 * i + 1]!;
  }

  /** Length of the bulk that is being received; -1 when there is none. */
  get pendingBulk(): number {
    return this.#bulk;
  }

  /** Smallest size of the current request, in bytes, by what is parsed so far. */
  get leastBytes(): number {
    const isInBulk = this.#bulk >= 0;
    const left = this.announced - this.count - (isInBulk ? 1 : 0);
    return this.#at + (isInBulk ? this.#bulk + 2 : 0) + left * ELEMENT_BYTES_MIN;
  }

  /** Bytes of the current request understood so far. */
  get parsedBytes(): number {
    return this.#at;
  }

  /** Forgets the current request; call after each `request`. */
  next(): void {
    this.announced = 0;
    this.count = 0;
    this.#at = 0;
    this.#bulk = -1;
    if (this.#spans.length > 2 * SPANS_KEPT) this.#spans = new Int32Array(2 * 4);
  }

  /**
   * Continues to parse. Borrows `bytes` until the next read.
   *
   * @param bytes The read buffer.
   * @param start The first byte of the current request, or where one would begin.
   * @param end One past the last byte received.
   * @returns What was found. After `request` the spans are valid until the next read; the caller
   * calls {@linkcode next} when done with them. After `more`, {@linkcode nextStart} says what may be
   * dropped from the buffer (empty requests are skipped).
   */
  parse(bytes: Uint8Array, start: number, end: number): ParseOutcome {
    this.bytes = bytes;
    this.hasSkipped = false;
    for (;;) {
      this.requestStart = this.#base = start;
      this.nextStart = start;
      if (this.announced === 0) {
        if (start >= end) return "more";
        if (bytes[start] !== STAR) {
          const outcome = this.#parseInline(bytes, start, end);
          if (outcome !== "empty") return outcome;
          this.hasSkipped = true;
          start = this.nextStart;
          continue;
        }
        const length = this.#parseLength(
          bytes,
          start + 1,
          end,
          "too big mbulk count string",
          "invalid multibulk length",
        );
        if (length === INCOMPLETE) return "more";
        if (length === INVALID) return "error";
        if (length > ELEMENTS_MAX) return this.#fail("invalid multibulk length");
        if (length > UNAUTHENTICATED_ELEMENTS_MAX && !this.isAuthenticated) {
          return this.#fail("unauthenticated multibulk length");
        }
        if (length <= 0) {
          // "*0" and "*-1" ask for nothing: Redis skips them.
          start = this.#lengthEnd;
          this.#at = 0;
          this.hasSkipped = true;
          continue;
        }
        this.announced = length;
        this.#at = this.#lengthEnd - start;
      }
      return this.#parseBulks(bytes, start, end);
    }
  }

  /** Receives the bulks of a multibulk request. */
  #parseBulks(bytes: Uint8Array, start: number, end: number): ParseOutcome {
    let at = start + this.#at;
    while (this.count < this.announced) {
      if (this.#bulk < 0) {
        if (at >= end) break;
        if (bytes[at] !== DOLLAR) {
          return this.#fail(unexpectedByte(bytes[at]!));
        }
        // One or two digits are by far the most common length.
        const d1 = at + 3 < end ? bytes[at + 1]! - 48 : -1;
        if (d1 > 0 && d1 <= 9 && bytes[at + 2] === CR && bytes[at + 3] === LF) {
          this.#bulk = d1;
          at += 4;
        } else {
          const length = this.#parseLength(
            bytes,
            at + 1,
            end,
            "too big bulk count string",
            "invalid bulk length",
          );
          if (length === INCOMPLETE) break;
          if (length === INVALID) return "error";
          if (length < 0 || length > BULK_BYTES_MAX) return this.#fail("invalid bulk length");
          if (length > UNAUTHENTICATED_BULK_BYTES_MAX && !this.isAuthenticated) {
            return this.#fail("unauthenticated bulk length");
          }
          this.#bulk = length;
          at = this.#lengthEnd;
        }
        this.#at = at - start;
      }
      const dataEnd = at + this.#bulk;
      if (dataEnd + 2 > end) break;
      if (bytes[dataEnd] !== CR || bytes[dataEnd + 1] !== LF) {
        return this.#fail("bulk is not followed by CR LF");
      }
      const span = 2 * this.count;
      if (span >= this.#spans.length) this.#growSpans();
      this.#spans[span] = at - start;
      this.#spans[span + 1] = dataEnd - start;
      this.count++;
      this.#bulk = -1;
      at = dataEnd + 2;
      this.#at = at - start;
    }
    if (this.count < this.announced) return "more";
    this.requestEnd = this.nextStart = at;
    return "request";
  }

  #growSpans(): void {
    const grown = new Int32Array(this.#spans.length * 2);
    grown.set(this.#spans);
    this.#spans = grown;
  }

  #lengthEnd = 0;

  /** Reads `digits CR LF` at `at`; on success {@linkcode #lengthEnd} is one past the LF. */
  #parseLength(
    bytes: Uint8Array,
    at: number,
    end: number,
    tooLong: string,
    invalid: string,
  ): number {
    const from = at;
    let isNegative = false;
    if (at < end && bytes[at] === 45) {
      isNegative = true;
      at++;
    }
    let value = 0;
    const firstDigit = at;
    while (at < end) {
      const digit = bytes[at]! - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
      if (at - firstDigit > DIGITS_MAX) {
        // No length is that long. As Redis, say so when the line ends, or does not in 64 KB.
        const cr = bytes.indexOf(CR, at);
        const isEnded = cr >= 0 && cr < end;
        if (!isEnded && end - from <= INLINE_BYTES_MAX) return INCOMPLETE;
        this.#fail(isEnded ? invalid : tooLong);
        return INVALID;
      }
    }
    if (at >= end || (at + 1 >= end && bytes[at] === CR)) return INCOMPLETE;
    const digits = at - firstDigit;
    if (
      bytes[at] !== CR || bytes[at + 1] !== LF || digits === 0 ||
      (bytes[firstDigit] === 48 && (digits > 1 || isNegative))
    ) {
      this.#fail(invalid);
      return INVALID;
    }
    this.#lengthEnd = at + 2;
    return isNegative ? -value : value;
  }

  /** Parses one line of an inline request; `empty` when it held no word. */
  #parseInline(bytes: Uint8Array, start: number, end: number): ParseOutcome | "empty" {
    const newline = bytes.indexOf(LF, start + this.#at);
    const isWhole = newline >= 0 && newline < end;
    const here = isWhole ? newline : end;
    // A CR that is the last byte here may be of the line's end.
    const lineEnd = here > start && bytes[here - 1] === CR ? here - 1 : here;
    if (lineEnd - start > INLINE_BYTES_MAX) return this.#fail("too big inline request");
    if (!isWhole) {
      this.#at = end - start;
      return "more";
    }
    const inline = splitInline(bytes, start, lineEnd);
    this.#at = 0;
    if (inline === null) return this.#fail("unbalanced quotes in request");
    this.nextStart = newline + 1;
    if (inline.count === 0) return "empty";
    this.bytes = inline.bytes;
    this.#spans = inline.spans;
    this.#base = 0;
    this.count = this.announced = inline.count;
    this.requestStart = 0;
    this.requestEnd = inline.bytes.length;
    return "request";
  }

  #fail(text: string): "error" {
    this.error = `ERR Protocol error: ${text}`;
    return "error";
  }
}

const EMPTY = new Uint8Array(0);
const INCOMPLETE = Number.MIN_SAFE_INTEGER;
const INVALID = Number.MIN_SAFE_INTEGER + 1;

/** The error text for a byte in the place of a bulk's `$`. */
export function unexpectedByte(byte: number): string {
  const printable = byte >= 32 && byte < 127
    ? String.fromCharCode(byte)
    : `\\x${byte.toString(16).padStart(2, "0")}`;
  return `expected '$', got '${printable}'`;
}
