/**
 * What every command has in common that we answer: the call, its words, names and patterns.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { type Arguments, copyWords } from "../../resp/arguments.ts";
import { Encoder, encodeRequest } from "../../resp/encoder.ts";
import type { Client } from "../client/client.ts";
import type { Request } from "../request.ts";
import type { WorkerPeers } from "../worker_context.ts";

/** What a local command is answered from; `args` are borrowed during the call. */
export interface LocalCall {
  readonly client: Client;
  readonly command: Command;
  readonly args: Arguments;
}

/** Answers a call; null when it answers the client itself, now or later. */
export type LocalAnswer = (call: LocalCall) => Uint8Array | null;

const decoder = new TextDecoder();

/** Argument `i` as text. Copies it. */
export function argumentText(args: Arguments, i: number): string {
  return decoder.decode(args.bytes.subarray(args.start(i), args.end(i)));
}

/** A number as strictly as Redis takes it: 64 bits, no `+`, no leading zeros; else null. */
export function integerOf(text: string): bigint | null {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return null;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : null;
}

/** The client's own request, byte for byte. Copies it. */
export function requestOf({ args }: LocalCall): Uint8Array<ArrayBuffer> {
  return encodeRequest(copyWords(args));
}

/** Argument `i` in lower case, for words of the protocol. */
export function argumentWord(args: Arguments, i: number): string {
  return argumentText(args, i).toLowerCase();
}

/** Redis's text, byte for byte. */
export const BAD_CLIENT_NAME =
  "ERR Client names cannot contain spaces, newlines or special characters.";

/** Redis's rule: printable ASCII without spaces; empty takes the name away. */
export function isClientName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

/** Redis's glob as a regular expression: `*`, `?`, `[a-z]`, `[^a]`, `\x`. */
export function globPattern(glob: string): RegExp {
  let source = "";
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i]!;
    const close = glob.indexOf("]", i + 1);
    if (c === "*") source += "[^]*";
    else if (c === "?") source += "[^]";
    else if (c === "[" && close > i + 1) {
      const body = glob.slice(i + 1, close).replace(/[\\\]]/g, "\\$&");
      source += `[${body}]`;
      i = close;
    } else {
      const literal = c === "\\" && i + 1 < glob.length ? glob[++i]! : c;
      source += literal.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&");
    }
  }
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /^\b$/; // a range like [z-a] matches nothing
  }
}

/**
 * Answers a call now or later. What is answered later keeps its place among the replies, and what the
 * client sends after it waits.
 *
 * @param ask Calls `answer` once.
 */
export function answerWhen(
  { client, command }: LocalCall,
  ask: (answer: (reply: Uint8Array) => void) => void,
): Uint8Array | null {
  let now: Uint8Array | null = null;
  let parked: Request | null = null;
  let isNow = true;
  ask((reply) => {
    if (isNow) now = reply;
    else client.replies.completed(parked!, reply);
  });
  isNow = false;
  if (now !== null) return now;
  parked = client.replies.park(command);
  client.isAtBarrier = true;
  return null;
}

/**
 * Answers from what this worker has, and the others, which are asked. One that does not answer in time is
 * left out.
 */
export function answerFromAll<Part>(
  call: LocalCall,
  own: Part,
  ask: (peers: WorkerPeers) => Promise<readonly Part[]>,
  reply: (all: readonly Part[]) => Uint8Array,
): Uint8Array | null {
  const { peers } = call.client.shared.worker;
  if (peers === null) return reply([own]);
  return answerWhen(call, (answer) => {
    ask(peers).then(
      (others) => answer(reply([own, ...others])),
      () => answer(reply([own])),
    );
  });
}

/** Lines of HELP, as Redis answers them. */
export function help(lines: readonly string[]): Uint8Array {
  const out = new Encoder(2).array(lines.length);
  for (const line of lines) out.simple(line);
  return out.done();
}
