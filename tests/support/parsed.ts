/**
 * Runs a request parser as a session does: over a buffer that slides and grows between reads.
 *
 * @module
 */

import { RequestParser } from "../../src/resp/request_parser.ts";
import { textOf } from "./pieces.ts";

/** What a parser found. */
export interface Parsed {
  /** Each request's words, one character for each byte. */
  readonly requests: string[][];
  /** The bytes that would be forwarded for each request. */
  readonly forwarded: string[];
  /** The error reply's text; empty for none. */
  error: string;
  /** Whether bytes of an unfinished request are left. */
  isInRequest: boolean;
}

/** Parses pieces as they arrive, until they are used up or the parser gives up. */
export function parsePieces(
  pieces: Iterable<Uint8Array>,
  isAuthenticated = true,
): Parsed {
  const parser = new RequestParser();
  parser.isAuthenticated = isAuthenticated;
  const parsed: Parsed = { requests: [], forwarded: [], error: "", isInRequest: false };
  let buffer = new Uint8Array(64);
  let start = 0;
  let end = 0;
  for (const piece of pieces) {
    const left = end - start;
    if (end + piece.length > buffer.length) {
      // As a read buffer does: what is unfinished goes to the front of a larger one.
      const grown = new Uint8Array(Math.max(buffer.length, 2 * (left + piece.length)));
      grown.set(buffer.subarray(start, end));
      buffer = grown;
      start = 0;
      end = left;
    }
    buffer.set(piece, end);
    end += piece.length;
    for (let isHungry = false; !isHungry;) {
      switch (parser.parse(buffer, start, end)) {
        case "request": {
          const { bytes, count, requestStart, requestEnd } = parser;
          parsed.requests.push(Array.from(
            { length: count },
            (_, i) => textOf(bytes.subarray(parser.start(i), parser.end(i))),
          ));
          parsed.forwarded.push(textOf(bytes.subarray(requestStart, requestEnd)));
          start = parser.nextStart;
          parser.next();
          break;
        }
        case "error":
          parsed.error = parser.error;
          return parsed;
        case "more":
          start = parser.nextStart;
          isHungry = true;
      }
    }
  }
  parsed.isInRequest = start < end;
  return parsed;
}
