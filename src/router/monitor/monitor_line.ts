/**
 * A line of MONITOR, as Redis writes it; with SLOW it says where the time went, too.
 *
 * @module
 */

import type { Arguments } from "../../resp/arguments.ts";
import type { ShownRequest } from "../slow_log/done_request.ts";
import { longestStage } from "../slow_log/stages.ts";

/** Redis's line, byte for byte; one character for each byte. */
export function monitorLine(
  nowMs: number,
  { database, remote }: { readonly database: number; readonly remote: string },
  args: Arguments,
  isSecret: (i: number) => boolean,
): string {
  let line = `+${monitorTime(nowMs)} [${database} ${remote}]`;
  for (let i = 0; i < args.count; i++) {
    line += isSecret(i) ? ` "(redacted)"` : ` ${quoted(args.bytes, args.start(i), args.end(i))}`;
  }
  return `${line}\r\n`;
}

/** The line of a large request of which this is shown: its end has not come yet. */
export function beginningLine(
  nowMs: number,
  { database, remote }: { readonly database: number; readonly remote: string },
  args: readonly string[],
): string {
  return `+${monitorTime(nowMs)} [${database} ${remote}]${quotedWords(args)}\r\n`;
}

/** The line of a slow request: what Redis has, how long it took, its longest stage and its server. */
export function slowLine(
  nowMs: number,
  { database, client, args, usecs, stages, server }: ShownRequest,
): string {
  const words = quotedWords(args);
  const stage = longestStage(stages);
  const most = stages[stage] === undefined ? "" : `, ${stage} ${inMs(stages[stage])}`;
  const where = server === "" ? "" : `, ${server}`;
  return `+${monitorTime(nowMs)} [${database} ${client}]${words} (${
    inMs(usecs)
  }${most}${where})\r\n`;
}

/** Seconds as MONITOR has them. */
export function monitorTime(nowMs: number): string {
  return `${Math.floor(nowMs / 1000)}.${String(nowMs % 1000).padStart(3, "0")}000`;
}

function quotedWords(args: readonly string[]): string {
  return args.map((arg) => ` "${arg.replace(MARKED, escaped)}"`).join("");
}

function inMs(usecs: number): string {
  return `${(usecs / 1000).toFixed(3)} ms`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\x07": "\\a",
  "\b": "\\b",
};
/** What is not written as it is. */
const MARKED = /[^ !#-[\]-~]/g;

function escaped(char: string): string {
  return ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** An argument as Redis's sdscatrepr writes it. */
function quoted(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x22 && byte !== 0x5c;
    const char = String.fromCharCode(byte);
    text += isPlain ? char : escaped(char);
  }
  return `"${text}"`;
}
