/**
 * Replies of servers as plain values, for the few that are read whole and put together anew.
 *
 * @module
 */

import { latin1 } from "./latin1.ts";

/**
 * A decoded reply of RESP2 or RESP3. Texts have one character for each byte; maps and sets are arrays, as
 * they are in RESP2; both kinds of null are null.
 */
export type ReplyValue = string | number | boolean | null | ReplyFailure | ReplyValue[];

/** An error reply; `text` is without the leading `-`. */
export class ReplyFailure {
  constructor(readonly text: string) {}
}

interface Place {
  at: number;
}

/**
 * Decodes one complete reply. Copies what it returns.
 *
 * @throws {SyntaxError} When the bytes are not a reply.
 */
export function parseReply(bytes: Uint8Array): ReplyValue {
  return valueAt(bytes, { at: 0 });
}

function valueAt(bytes: Uint8Array, place: Place): ReplyValue {
  const type = String.fromCharCode(bytes[place.at] ?? 0);
  const lineEnd = bytes.indexOf(10, place.at);
  if (lineEnd < 0) throw new SyntaxError("half a reply");
  const line = latin1(bytes, place.at + 1, lineEnd - 1);
  place.at = lineEnd + 1;
  switch (type) {
    case "+":
    case "(":
      return line;
    case "-":
      return new ReplyFailure(line);
    case ":":
    case ",":
      return Number(line);
    case "#":
      return line === "t";
    case "_":
      return null;
    case "$":
    case "=":
    case "!":
      return bulkAt(bytes, place, type, Number(line));
    case "*":
    case "~":
    case ">":
    case "%":
      return arrayAt(bytes, place, Number(line) * (type === "%" ? 2 : 1));
  }
  throw new SyntaxError(`no reply begins with "${type}"`);
}

function bulkAt(bytes: Uint8Array, place: Place, type: string, length: number): ReplyValue {
  if (length < 0) return null;
  const start = place.at;
  place.at += length + 2;
  const text = latin1(bytes, type === "=" ? start + 4 : start, start + length);
  return type === "!" ? new ReplyFailure(text) : text;
}

function arrayAt(bytes: Uint8Array, place: Place, length: number): ReplyValue {
  if (length < 0) return null;
  const values: ReplyValue[] = [];
  for (let i = 0; i < length; i++) values.push(valueAt(bytes, place));
  return values;
}

/** The value after a name in a flat list of names and values; undefined when it has none. */
export function fieldOf(map: ReplyValue | undefined, name: string): ReplyValue | undefined {
  if (!Array.isArray(map)) return undefined;
  for (let i = 0; i + 1 < map.length; i += 2) if (map[i] === name) return map[i + 1];
  return undefined;
}
