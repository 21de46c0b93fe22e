/**
 * Finds where replies end in a server's bytes, RESP2 and RESP3, resumable at any byte.
 *
 * Replies are framed, not decoded. Nesting needs no recursion and no stack: an aggregate of n only
 * adds n to the number of values still owed, so depth costs nothing and cannot overflow anything.
 *
 *     type ──► line (simple values)  ──┐
 *       │                              ├─► owed − 1 ──► 0 means the reply is complete
 *       └────► length ──► bulk data  ──┘
 *                   └───► aggregate: owed − 1 + n
 *
 * Every byte handed in is consumed, so the caller never keeps a tail.
 *
 * @module
 */

const CR = 13;
const LF = 10;

/** Largest bulk accepted from a server, in bytes: proto-max-bulk-len may be raised there. */
export const REPLY_BULK_BYTES_MAX = 4 * 1024 * 1024 * 1024;
/** Most elements accepted in one aggregate. */
export const REPLY_ELEMENTS_MAX = 2 ** 32;

const TYPE = 0;
const LINE = 1;
const LENGTH = 2;
const BULK = 3;

/** Follows the replies of one connection; see the drawing above. */
export class ReplyFramer {
  /** After {@linkcode feed}: whether a reply ended at the returned position. */
  isDone = false;
  /** First byte of the current reply (`+`, `-`, `$`, …); 0 before it came. */
  type = 0;
  /** The protocol error; empty while the bytes are well-formed. */
  error = "";

  #state = TYPE;
  /** Values still to come before the reply is complete. */
  #owed = 1;
  /** Type of the value whose length is being read. */
  #lengthType = 0;
  #length = 0;
  #digits = 0;
  #isNegative = false;
  /** Bytes of the current bulk, with its CR LF, still to come. */
  #missing = 0;

  /** Missing bytes of the bulk that is being received, with its CR LF; 0 when there is none. */
  get missingBytes(): number {
    return this.#state === BULK ? this.#missing : 0;
  }

  /** Prepares for the next reply. */
  reset(): void {
    this.isDone = false;
    this.type = 0;
    this.#state = TYPE;
    this.#owed = 1;
  }

  /**
   * Consumes bytes of the current reply. Borrows `bytes[at, end)` during the call.
   *
   * @returns Where the reply ended ({@linkcode isDone} is true), or `end` when it needs more; on a
   * protocol error {@linkcode error} is set and the position means nothing.
   */
  feed(bytes: Uint8Array, at: number, end: number): number {
    while (at < end) {
      switch (this.#state) {
        case TYPE: {
          const type = bytes[at++]!;
          if (this.type === 0) this.type = type;
          if (type === 36 /* $ */) {
            at = this.#bulkAtOnce(bytes, at, end);
            if (this.isDone) return at;
          } else if (isLine(type)) {
            this.#state = LINE;
          } else if (isCounted(type)) {
            this.#startLength(type);
          } else {
            const byte = `0x${type.toString(16).padStart(2, "0")}`;
            this.error = `not Redis's protocol: a reply begins with byte ${byte}`;
            return at;
          }
          break;
        }
        case LINE:
          at = endOfLine(bytes, at, end);
          if (at < 0) return end;
          if (this.#valueEnded()) return at;
          break;
        case LENGTH:
          at = this.#readLength(bytes, at, end);
          if (this.isDone || this.error !== "") return at;
          break;
        case BULK: {
          const here = end - at;
          if (here < this.#missing) {
            this.#missing -= here;
            return end;
          }
          at += this.#missing;
          if (bytes[at - 1] !== LF) {
            this.error = "bulk is not followed by CR LF";
            return at;
          }
          if (this.#valueEnded()) return at;
          break;
        }
      }
    }
    return end;
  }

  /** A bulk that is complete in the buffer, the common case; else uses the slow states. */
  #bulkAtOnce(bytes: Uint8Array, at: number, end: number): number {
    let length = 0;
    let p = at;
    while (p < end) {
      const digit = bytes[p]! - 48;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
      p++;
    }
    const next = p + 2 + length + 2;
    if (
      p > at && p - at < 10 && next <= end && bytes[p] === CR && bytes[p + 1] === LF &&
      bytes[next - 1] === LF
    ) {
      this.#valueEnded();
      return next;
    }
    this.#startLength(36);
    return at;
  }

  #startLength(type: number): void {
    this.#state = LENGTH;
    this.#lengthType = type;
    this.#length = 0;
    this.#digits = 0;
    this.#isNegative = false;
  }

  #readLength(bytes: Uint8Array, at: number, end: number): number {
    while (at < end) {
      const byte = bytes[at++]!;
      const digit = byte - 48;
      if (digit >= 0 && digit <= 9) {
        this.#length = this.#length * 10 + digit;
        if (++this.#digits > 12) {
          this.error = "length is too long";
          return at;
        }
      } else if (byte === 45 && this.#digits === 0 && !this.#isNegative) {
        this.#isNegative = true;
      } else if (byte === LF && this.#digits > 0) {
        this.#lengthRead();
        return at;
      } else if (byte !== CR) {
        this.error = `unexpected byte 0x${byte.toString(16).padStart(2, "0")} in a length`;
        return at;
      }
    }
    return at;
  }

  /** A length line ended: a bulk begins, or an aggregate owes its elements. */
  #lengthRead(): void {
    const type = this.#lengthType;
    const length = this.#isNegative ? -this.#length : this.#length;
    if (length < 0) {
      if (length !== -1) this.error = `negative length ${length}`;
      else this.#valueEnded(); // a RESP2 null
      return;
    }
    if (isBulk(type)) {
      if (length > REPLY_BULK_BYTES_MAX) {
        this.error = `bulk of ${length} bytes is too large`;
        return;
      }
      this.#missing = length + 2;
      this.#state = BULK;
      return;
    }
    if (length > REPLY_ELEMENTS_MAX) {
      this.error = `aggregate of ${length} elements is too large`;
      return;
    }
    // A map has two values per entry; attributes come before the value they describe.
    const values = type === 37 /* % */ || type === 124 /* | */ ? 2 * length : length;
    this.#owed += type === 124 /* | */ ? values + 1 : values;
    this.#valueEnded();
  }

  /** One value is complete; returns whether the reply is. */
  #valueEnded(): boolean {
    this.#state = TYPE;
    if (--this.#owed === 0) this.isDone = true;
    return this.isDone;
  }
}

/** `+` `-` `:` and RESP3's `_` null, `#` boolean, `,` double, `(` big number: one line each. */
function isLine(type: number): boolean {
  return type === 43 || type === 45 || type === 58 || type === 95 || type === 35 ||
    type === 44 || type === 40;
}

/** `*` array, `%` map, `~` set, `>` push, `|` attribute, `=` verbatim, `!` blob error. */
function isCounted(type: number): boolean {
  return type === 42 || type === 37 || type === 126 || type === 62 || type === 124 ||
    type === 61 || type === 33;
}

/** `$` bulk, `=` verbatim, `!` blob error: a length, then that many bytes. */
function isBulk(type: number): boolean {
  return type === 36 || type === 61 || type === 33;
}

/** Position after the next LF, or -1. Short lines are the rule, so a plain loop wins. */
function endOfLine(bytes: Uint8Array, at: number, end: number): number {
  const near = at + 32 < end ? at + 32 : end;
  while (at < near) {
    if (bytes[at++] === LF) return at;
  }
  if (at >= end) return -1;
  const lf = bytes.indexOf(LF, at);
  return lf < 0 || lf >= end ? -1 : lf + 1;
}
