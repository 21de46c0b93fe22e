/**
 * What a server sends over a connection that subscribes: messages, acknowledgements, answers to PING, errors.
 *
 * @module
 */

import { latin1 } from "../../resp/latin1.ts";

const LF = 10;
const MINUS = 45;

/** One of them, in views of the bytes that it was read from. */
export interface PushedFrame {
  /** `message`, `subscribe`, `pong` …; `error` for an error. */
  readonly word: string;
  /** The channel or pattern that was subscribed to, as latin1; the text of an error. */
  readonly name: string;
  /** Where the channel of a message is: `bytes[channelStart, channelEnd)`. */
  readonly channelStart: number;
  readonly channelEnd: number;
}

/** Reads a whole frame. Borrows `bytes`. */
export function readPushedFrame(bytes: Uint8Array): PushedFrame {
  if (bytes[0] === MINUS) return simple("error", latin1(bytes, 1, bytes.length - 2));
  // Before the first subscription, and after the last one, PING is answered as everywhere.
  if (bytes[0] !== 42 /* * */ && bytes[0] !== 62 /* > */) return simple("pong", "");
  const word = bulkAt(bytes, bytes.indexOf(LF) + 1);
  if (word === null) return simple("", "");
  const text = latin1(bytes, word.start, word.end);
  const name = bulkAt(bytes, word.end + 2);
  if (name === null) return simple(text, "");
  const channel = text === "pmessage" ? bulkAt(bytes, name.end + 2) ?? name : name;
  return {
    word: text,
    name: latin1(bytes, name.start, name.end),
    channelStart: channel.start,
    channelEnd: channel.end,
  };
}

function simple(word: string, name: string): PushedFrame {
  return { word, name, channelStart: 0, channelEnd: 0 };
}

/** The bulk string at `at`; null when there is another value, or null. */
function bulkAt(bytes: Uint8Array, at: number): { start: number; end: number } | null {
  if (bytes[at] !== 36 /* $ */) return null;
  let length = 0;
  for (at++; bytes[at] !== 13; at++) {
    const digit = bytes[at]! - 48;
    if (!(digit >= 0 && digit <= 9)) return null;
    length = length * 10 + digit;
  }
  return { start: at + 2, end: at + 2 + length };
}
