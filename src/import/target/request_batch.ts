/**
 * Requests that go to a proxy in one write, kept until all of them are answered.
 *
 * @module
 */

import { Crc64 } from "../../hash/crc64.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import { DUMP_END_BYTES } from "../rdb/value_shape.ts";

/** Bytes after which a batch is sent. */
export const BATCH_BYTES = 128 * 1024;
/** Room that the first batch has. */
const FIRST_BYTES = 4 * 1024;
/** Room of a batch that will be full: with some for the request that fills it. */
const FULL_BYTES = BATCH_BYTES + 16 * 1024;
/** A batch with more room is not used again. */
const KEPT_BYTES_MAX = 4 * BATCH_BYTES;
/** Fewer bytes are copied faster one by one. */
const FEW_BYTES = 48;
/** The last point in time that servers know. */
const TIME_MAX = 2n ** 63n - 1n;
const TIME_END = Number(TIME_MAX);

/** Texts that are kept encoded, as most of them are the same few. */
const TEXTS_MAX = 64;

const ENCODER = new TextEncoder();
const TEXTS = new Map<string, Uint8Array>();
const CRC = new Crc64();

/** A request that was not answered well. */
export interface SentRequest {
  readonly database: number;
  readonly words: readonly Uint8Array[];
  /** The error reply; `""`: it was answered well, but after another that was not; undefined: not answered. */
  readonly error: string | undefined;
}

/** See the header. */
export class RequestBatch {
  bytes: Uint8Array;
  length = 0;
  /** Requests in it. */
  count = 0;
  /** How many of them are answered. */
  answered = 0;
  /** The database that its requests are for; -1: none was selected yet. */
  database = -1;
  /** Requests, by number, that must not be answered with 0: at the source they have changed something. */
  readonly effective = new Set<number>();
  /** Error replies, by the number of the request. */
  readonly errors = new Map<number, string>();

  /** @param before The batch before it: this one will be as large. */
  constructor(before?: RequestBatch) {
    const room = before === undefined ? FIRST_BYTES : 2 * before.length;
    this.bytes = new Uint8Array(room > BATCH_BYTES ? FULL_BYTES : room);
  }

  /** Forgets all, to be used again; false: it is too large to be kept. */
  clear(): boolean {
    if (this.bytes.length > KEPT_BYTES_MAX) return false;
    this.length = this.count = this.answered = 0;
    this.database = -1;
    this.effective.clear();
    this.errors.clear();
    return true;
  }

  /** The request that was begun last must not be answered with 0. */
  mustChange(): void {
    this.effective.add(this.count - 1);
  }

  /** Begins a request of `words` words; returns itself for them. */
  request(words: number): this {
    this.count++;
    this.#header(42, words);
    return this;
  }

  /** Adds a word. Copies it. */
  word(word: string | number | Uint8Array): this {
    if (word instanceof Uint8Array) return this.part(word, 0, word.length);
    if (typeof word === "string") return this.#text(word);
    return word >= 0 && Number.isSafeInteger(word) ? this.#number(word) : this.#text(`${word}`);
  }

  /** Adds a point in time, in Unix milliseconds: the last one that servers know, if it is later than that. */
  time(ms: number): this {
    if (ms >= TIME_END) return this.#text(`${TIME_MAX}`);
    const whole = Math.trunc(ms);
    return Number.isSafeInteger(whole) ? this.word(whole) : this.#text(`${BigInt(whole)}`);
  }

  /** Adds a word that is `bytes[start, end)`. Copies it. */
  part(bytes: Uint8Array, start: number, end: number): this {
    this.#header(36, end - start);
    this.#raw(bytes, start, end);
    return this.#lineEnd();
  }

  /**
   * Adds a word that is a dump, as DUMP makes it, of a value as it lies in an RDB. Copies it.
   *
   * @param version The RDB version that the dump says it has.
   */
  dump(type: number, bytes: Uint8Array, start: number, end: number, version: number): this {
    this.#header(36, 1 + end - start + DUMP_END_BYTES);
    const from = this.length;
    this.#reserve(1 + end - start + DUMP_END_BYTES);
    this.bytes[this.length++] = type;
    this.#raw(bytes, start, end);
    this.bytes[this.length++] = version & 255;
    this.bytes[this.length++] = version >> 8;
    CRC.reset();
    CRC.add(this.bytes, from, this.length);
    CRC.write(this.bytes, this.length);
    this.length += 8;
    return this.#lineEnd();
  }

  /** Adds a whole request as it lies in `bytes[start, end)`. Copies it. */
  whole(bytes: Uint8Array, start: number, end: number): void {
    this.count++;
    this.#raw(bytes, start, end);
  }

  /** The requests from the `first`-th on, with their error replies. */
  requests(first: number): SentRequest[] {
    const parser = new RequestParser();
    const found: SentRequest[] = [];
    for (let at = 0, i = 0; parser.parse(this.bytes, at, this.length) === "request"; i++) {
      const words: Uint8Array[] = [];
      for (let w = 0; w < parser.count; w++) {
        words.push(this.bytes.slice(parser.start(w), parser.end(w)));
      }
      const error = i < this.answered ? this.errors.get(i) ?? "" : undefined;
      // The first one selects the database.
      if (i >= first && i > 0) found.push({ database: this.database, words, error });
      at = parser.nextStart;
      parser.next();
    }
    return found;
  }

  #text(text: string): this {
    let bytes = TEXTS.get(text);
    if (bytes === undefined) {
      bytes = ENCODER.encode(text);
      if (TEXTS.size < TEXTS_MAX) TEXTS.set(text, bytes);
    }
    return this.part(bytes, 0, bytes.length);
  }

  #number(value: number): this {
    this.#header(36, digitsOf(value));
    this.#reserve(20);
    this.#digits(value);
    return this.#lineEnd();
  }

  #header(type: number, value: number): void {
    this.#reserve(20);
    this.bytes[this.length++] = type;
    this.#digits(value);
    this.#lineEnd();
  }

  /** Writes a number that is whole and not negative; the room is there. */
  #digits(value: number): void {
    const { bytes, length } = this;
    const end = length + digitsOf(value);
    let rest = value;
    for (let at = end - 1; at >= length; at--) {
      const tenth = Math.floor(rest / 10);
      bytes[at] = 48 + (rest - 10 * tenth);
      rest = tenth;
    }
    this.length = end;
  }

  #raw(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    if (end - start > FEW_BYTES) {
      this.bytes.set(bytes.subarray(start, end), this.length);
    } else {
      const own = this.bytes;
      let at = this.length;
      for (let from = start; from < end; from++) own[at++] = bytes[from]!;
    }
    this.length += end - start;
  }

  #lineEnd(): this {
    this.#reserve(2);
    this.bytes[this.length++] = 13;
    this.bytes[this.length++] = 10;
    return this;
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, needed + 64));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

function digitsOf(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  return value < 1_000 ? 3 : `${value}`.length;
}
