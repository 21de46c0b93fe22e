/**
 * Inline requests: a line of words with Redis's quoting rules, turned into a multibulk request.
 *
 * @module
 */

/** An inline request re-encoded as multibulk. */
export interface InlineRequest {
  /** The multibulk bytes; a fresh buffer that belongs to the caller. */
  readonly bytes: Uint8Array;
  /** Start and end offset of each argument in `bytes`, in pairs. */
  readonly spans: Int32Array<ArrayBuffer>;
  /** Number of arguments; 0 for a blank line. */
  readonly count: number;
}

const BACKSLASH = 92;
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;

/**
 * Splits a line as Redis's `sdssplitargs` does: words between blanks; in `"…"` the escapes
 * `\n \r \t \b \a \xHH`, in `'…'` only `\'`; a closing quote must be followed by a blank; a NUL
 * byte ends the line.
 *
 * Borrows `bytes[start, end)` during the call.
 *
 * @returns The request, or null when quotes are unbalanced.
 */
export function splitInline(bytes: Uint8Array, start: number, end: number): InlineRequest | null {
  const words: Uint8Array[] = [];
  const word = new Uint8Array(end - start);
  // To Redis, the line is a C string: a NUL byte ends it.
  const nul = bytes.subarray(start, end).indexOf(0);
  if (nul >= 0) end = start + nul;
  let at = start;
  for (;;) {
    while (at < end && isBlank(bytes[at]!)) at++;
    if (at >= end) return encode(words);
    at = readWord(bytes, at, end, word);
    if (at < 0) return null;
    words.push(word.slice(0, wordLength));
  }
}

/** Length of the word that {@linkcode readWord} read last. */
let wordLength = 0;

/** Unquotes one word into `out`; returns where it ends, or -1 when quotes are unbalanced. */
function readWord(bytes: Uint8Array, at: number, end: number, out: Uint8Array): number {
  let length = 0;
  let quote = 0;
  for (;;) {
    if (at >= end) {
      if (quote !== 0) return -1;
      break;
    }
    const byte = bytes[at]!;
    if (quote === DOUBLE_QUOTE && byte === BACKSLASH && at + 1 < end) {
      const high = at + 3 < end && bytes[at + 1] === 120 ? hexDigit(bytes[at + 2]!) : -1;
      const low = high >= 0 ? hexDigit(bytes[at + 3]!) : -1;
      if (low >= 0) {
        out[length++] = high * 16 + low;
        at += 4;
      } else {
        out[length++] = unescape(bytes[at + 1]!);
        at += 2;
      }
    } else if (
      quote === SINGLE_QUOTE && byte === BACKSLASH && at + 1 < end &&
      bytes[at + 1] === SINGLE_QUOTE
    ) {
      out[length++] = SINGLE_QUOTE;
      at += 2;
    } else if (quote !== 0 && byte === quote) {
      if (at + 1 < end && !isBlank(bytes[at + 1]!)) return -1;
      at++;
      break;
    } else if (quote === 0 && endsWord(byte)) {
      break;
    } else if (quote === 0 && (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE)) {
      quote = byte;
      at++;
    } else {
      out[length++] = byte;
      at++;
    }
  }
  wordLength = length;
  return at;
}

/** C's isspace: separates words, and follows a closing quote. */
function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/** The bytes that end a word without quotes; in Redis, not all blanks do. */
function endsWord(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 10 || byte === 13;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function unescape(byte: number): number {
  switch (byte) {
    case 110: // n
      return 10;
    case 114: // r
      return 13;
    case 116: // t
      return 9;
    case 98: // b
      return 8;
    case 97: // a
      return 7;
    default:
      return byte;
  }
}

const encoder = new TextEncoder();

function encode(words: readonly Uint8Array[]): InlineRequest {
  const headers = words.map((word) => encoder.encode(`$${word.length}\r\n`));
  const first = encoder.encode(`*${words.length}\r\n`);
  let size = first.length;
  for (let i = 0; i < words.length; i++) size += headers[i]!.length + words[i]!.length + 2;
  const bytes = new Uint8Array(size);
  const spans = new Int32Array(Math.max(8, 2 * words.length));
  bytes.set(first);
  let at = first.length;
  for (let i = 0; i < words.length; i++) {
    bytes.set(headers[i]!, at);
    at += headers[i]!.length;
    spans[2 * i] = at;
    bytes.set(words[i]!, at);
    at += words[i]!.length;
    spans[2 * i + 1] = at;
    bytes[at++] = 13;
    bytes[at++] = 10;
  }
  return { bytes, spans, count: words.length };
}
