/**
 * The request side of the protocol once more, as plainly as it can be written: over the whole text,
 * without haste. Fuzzers hold the real parser to it.
 *
 * @module
 */

import { BULK_BYTES_MAX, ELEMENTS_MAX, INLINE_BYTES_MAX } from "../../src/resp/request_parser.ts";
import { splitInline } from "../../src/resp/inline.ts";
import type { Parsed } from "./parsed.ts";
import { latin1, textOf } from "./pieces.ts";

class Incomplete extends Error {}
class Refused extends Error {}

/** Parses a text, one character for each byte. */
export function parsePlainly(text: string): Omit<Parsed, "forwarded"> {
  const requests: string[][] = [];
  let at = 0;
  try {
    while (at < text.length) {
      const [words, end] = text[at] === "*" ? multibulk(text, at) : inline(text, at);
      if (words.length > 0) requests.push(words);
      at = end;
    }
  } catch (problem) {
    if (problem instanceof Incomplete) return { requests, error: "", isInRequest: true };
    if (!(problem instanceof Refused)) throw problem;
    return { requests, error: `ERR Protocol error: ${problem.message}`, isInRequest: false };
  }
  return { requests, error: "", isInRequest: false };
}

function multibulk(text: string, at: number): [string[], number] {
  const [count, first] = length(text, at + 1, "multibulk", "mbulk");
  if (count > ELEMENTS_MAX) throw new Refused("invalid multibulk length");
  const words: string[] = [];
  at = first;
  while (words.length < count) {
    if (at >= text.length) throw new Incomplete();
    if (text[at] !== "$") {
      const byte = text.charCodeAt(at);
      const shown = byte >= 32 && byte < 127
        ? text[at]
        : `\\x${byte.toString(16).padStart(2, "0")}`;
      throw new Refused(`expected '$', got '${shown}'`);
    }
    const [size, start] = length(text, at + 1, "bulk", "bulk");
    if (size < 0 || size > BULK_BYTES_MAX) throw new Refused("invalid bulk length");
    if (start + size + 2 > text.length) throw new Incomplete();
    if (text.slice(start + size, start + size + 2) !== "\r\n") {
      throw new Refused("bulk is not followed by CR LF");
    }
    words.push(text.slice(start, start + size));
    at = start + size + 2;
  }
  return [words, at];
}

/** Reads a length and the end of its line. */
function length(text: string, at: number, what: string, short: string): [number, number] {
  const rest = text.slice(at, at + INLINE_BYTES_MAX + 3);
  const good = /^(0|-?[1-9]\d{0,14})\r\n/.exec(rest);
  if (good !== null) return [Number(good[1]), at + good[0].length];
  const digits = /^-?\d*/.exec(rest)![0].replace("-", "").length;
  if (digits > 15) {
    const isEnded = rest.includes("\r");
    if (!isEnded && rest.length <= INLINE_BYTES_MAX) throw new Incomplete();
    throw new Refused(isEnded ? `invalid ${what} length` : `too big ${short} count string`);
  }
  // Digits are judged together, at the end of their line.
  if (/^-?\d*\r?$/.test(rest)) throw new Incomplete();
  throw new Refused(`invalid ${what} length`);
}

function inline(text: string, at: number): [string[], number] {
  const newline = text.indexOf("\n", at);
  const line = text.slice(at, newline < 0 ? text.length : newline).replace(/\r$/, "");
  if (line.length > INLINE_BYTES_MAX) throw new Refused("too big inline request");
  if (newline < 0) throw new Incomplete();
  // The rules of quoting have a redis-server for reference.
  const bytes = latin1(line);
  const words = splitInline(bytes, 0, bytes.length);
  if (words === null) throw new Refused("unbalanced quotes in request");
  const { spans } = words;
  return [
    Array.from(
      { length: words.count },
      (_, i) => textOf(words.bytes.subarray(spans[2 * i], spans[2 * i + 1])),
    ),
    newline + 1,
  ];
}
