/**
 * The words of a command that blocks: where its time is, and how it is asked again with what is left of it.
 *
 *      BLPOP key … 5                     the last word, in seconds
 *      BLMPOP 5 2 key key LEFT           the first word, in seconds
 *      XREAD BLOCK 5000 STREAMS key $    after BLOCK, in milliseconds; `$` stands for the last id now
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { type Arguments, copyWords } from "../../resp/arguments.ts";
import { encodeRequest } from "../../resp/encoder.ts";

/** Which word the time is: negative from the end. */
const TIME_AT: Readonly<Record<string, number>> = { blmpop: 1, bzmpop: 1 };
/** The least that a server is asked to wait, in milliseconds: 0 would be for ever. */
const LEAST_MS = 10;

const decoder = new TextDecoder();

/** A stream that is read from its last entry on. */
export interface NewEntries {
  readonly key: Uint8Array;
  /** Which word its id is. */
  readonly idAt: number;
}

/** A command that blocks, kept to be asked more than once. */
export class BlockForm {
  /** Its time, in milliseconds: 0 for ever; NaN where it is none, or not known: it is asked as it is. */
  readonly timeMs: number;
  /** XREAD's streams with `$` for an id. */
  readonly newEntries: readonly NewEntries[];
  readonly #words: (string | Uint8Array)[];
  readonly #timeAt: number;
  readonly #isSeconds: boolean;

  /** Copies the arguments. */
  constructor(command: Command, args: Arguments) {
    const words = copyWords(args);
    const isStream = command.blockingOption !== "";
    this.#words = words;
    this.#isSeconds = !isStream;
    this.#timeAt = isStream ? blockAt(words) : TIME_AT[command.name] ?? words.length - 1;
    this.newEntries = command.name === "xread" ? newEntriesOf(words) : [];
    const text = decoder.decode(words[this.#timeAt] ?? new Uint8Array(0));
    // Of a command that only the servers know, nobody says which word the time is.
    const isUnknown = command.origin === "learned";
    this.timeMs = isUnknown || text === "" ? NaN : Number(text) * (this.#isSeconds ? 1000 : 1);
  }

  /** The command as the client sent it; with the ids that were put for `$`. */
  encode(): Uint8Array {
    return encodeRequest(this.#words);
  }

  /**
   * The command with another time.
   *
   * @param isWhole Whether the server takes whole seconds only.
   */
  encodeFor(timeMs: number, isWhole: boolean): Uint8Array {
    const ms = Math.max(LEAST_MS, Math.ceil(timeMs));
    const seconds = isWhole ? String(Math.ceil(ms / 1000)) : (ms / 1000).toFixed(3);
    return encodeRequest(
      this.#words.with(this.#timeAt, this.#isSeconds ? seconds : String(ms)),
    );
  }

  /** Puts an id where `$` was. */
  putId(stream: NewEntries, id: string): void {
    this.#words[stream.idAt] = id;
  }
}

function wordOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : decoder.decode(bytes).toLowerCase();
}

/** Where an option's value is among XREAD's and XREADGROUP's words; its last one counts, as in Redis. */
function blockAt(words: readonly Uint8Array[]): number {
  let at = -1;
  for (let i = 1; i < words.length; i++) {
    const word = wordOf(words[i]);
    if (word === "streams") break;
    if (word === "block") at = ++i;
    else if (word === "count") i += 1;
    else if (word === "group") i += 2;
  }
  return at;
}

function newEntriesOf(words: readonly Uint8Array[]): NewEntries[] {
  const first = words.findIndex((word) => wordOf(word) === "streams") + 1;
  const count = (words.length - first) / 2;
  if (first === 0 || !Number.isInteger(count)) return [];
  return Array.from({ length: count }, (_, i) => ({
    key: words[first + i]!,
    idAt: first + count + i,
  })).filter(({ idAt }) => words[idAt]!.length === 1 && words[idAt]![0] === 36 /* $ */);
}

/**
 * The id of a stream's last entry, also of one that is deleted.
 *
 * @param reply The server's reply to XINFO STREAM, one character for each byte.
 * @returns Null when the reply says something else.
 */
export function lastIdOf(reply: string): string | null {
  if (/^-ERR no such key/.test(reply)) return "0-0";
  const match = /^[*%]\d+\r\n[^]*?\$17\r\nlast-generated-id\r\n\$\d+\r\n(\d+-\d+)\r\n/.exec(reply);
  return match?.[1] ?? null;
}
