/**
 * Reads an RDB as it comes: keys with their values as they lie, and what else is in it.
 *
 *     "REDIS0010" ─► opcode ─┬─► database, expiry, eviction figures: kept for the next key
 *                            ├─► type, key, value ─► "key"
 *                            ├─► library ──────────► "function"
 *                            ├─► aux ──────────────► "aux"
 *                            └─► end, checksum ────► "end"
 *
 * Values are not decoded: only their lengths are followed, by the table of `value_shape.ts`, from where the
 * last call has stopped. Nothing is read twice.
 *
 * @module
 */

import { Crc64 } from "../../hash/crc64.ts";
import { quoted } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { ByteWindow } from "../byte_window.ts";
import { RdbCursor, RdbError, VALUE_BYTES_MAX } from "./rdb_cursor.ts";
import { ValueFollower } from "./value_follower.ts";
import { RDB_VERSION_MAX, VALUE_TYPES } from "./value_shape.ts";

/** What was read; `more`: nothing yet, more bytes are needed. */
export type RdbStep = "more" | "key" | "function" | "aux" | "end";

const SLOT_INFO = 244;
const FUNCTION = 245;
const MODULE_AUX = 247;
const IDLE = 248;
const FREQUENCY = 249;
const AUX = 250;
const RESIZE = 251;
const EXPIRY_MS = 252;
const EXPIRY_SECONDS = 253;
const DATABASE = 254;
const END = 255;

/** `REDIS` with four digits, or `VALKEY` with three. */
const HEADER_BYTES = 9;
/** First RDB version that ends with a checksum. */
const CHECKSUM_SINCE = 5;

const NOTHING = new Uint8Array(0);

/** Between `next` and `next`. */
type Outcome = RdbStep | "go on";

/** See the header. */
export class RdbReader {
  /** Version of the RDB; 0: not known yet. */
  version = 0;
  /** Database of the key. */
  database = 0;
  /** When the key expires, in Unix milliseconds; 0: never. */
  expiryMs = 0;
  /** Seconds since the key was used; -1: not known. */
  idleSeconds = -1;
  /** How often the key is used, as Redis counts it; -1: not known. */
  frequency = -1;
  /**
   * After `key`: where its name is; after `aux`: the name of the field; after `function`: the library's code.
   * Valid until the next step.
   */
  nameBytes: Uint8Array = NOTHING;
  nameStart = 0;
  nameEnd = 0;
  /** After `aux`: the value. */
  text = "";
  /** After `key`: the number of its type. */
  type = 0;
  /** After `key`: where the value begins and ends in {@linkcode bytes}. Valid until the next step. */
  valueStart = 0;
  valueEnd = 0;

  readonly #window: ByteWindow;
  /** Whether the value of a key is wanted; the others are passed over without being held. */
  readonly #wants: (reader: RdbReader) => boolean;
  readonly #cursor: RdbCursor;
  readonly #follower: ValueFollower;
  readonly #crc = new Crc64();
  /** How many bytes of the RDB are in the checksum: it is made of what was read between two reads from the source. */
  #summed = 0;
  /** What comes next: an opcode, the value of a key, or what a module wrote beside its keys. */
  #state: "header" | "opcode" | "value" | "module_aux" | "end" = "header";
  #isWanted = true;
  #isKeyRead = false;
  /** Distances from the window's start to the value, and to the name; -1: the name had to be decoded. */
  #valueAt = 0;
  #nameAt = 0;

  /**
   * @param window Where the bytes are.
   * @param wants Whether a key is wanted; called when its name, database, type and expiry are known.
   */
  constructor(window: ByteWindow, wants: (reader: RdbReader) => boolean = () => true) {
    this.#window = window;
    this.#summed = window.used;
    this.#wants = wants;
    this.#cursor = new RdbCursor(window);
    this.#follower = new ValueFollower(this.#cursor);
  }

  /** The window's bytes. */
  get bytes(): Uint8Array {
    return this.#window.bytes;
  }

  /** The name, see {@linkcode nameBytes}. Copies. */
  get name(): Uint8Array {
    return this.nameBytes.slice(this.nameStart, this.nameEnd);
  }

  /**
   * Reads on. What the last step has returned is used up, unless that was `more`.
   *
   * @throws {RdbError} When it is no RDB, a newer one, or damaged.
   */
  next(): RdbStep {
    if (this.#isKeyRead) this.#forgetKey();
    if (this.#state !== "value") this.#useUp();
    for (;;) {
      const outcome = this.#step();
      // The window's bytes may move before the next call.
      if (outcome === "more") this.#sum();
      if (outcome !== "go on") return outcome;
    }
  }

  /** What was said of one key does not hold for the next. */
  #forgetKey(): void {
    this.#isKeyRead = false;
    this.expiryMs = 0;
    this.idleSeconds = this.frequency = -1;
  }

  #step(): Outcome {
    switch (this.#state) {
      case "header":
        return this.#header();
      case "opcode":
        return this.#opcode();
      case "value":
        return this.#value();
      case "module_aux":
        return this.#moduleAux();
      case "end":
        return this.#end();
    }
  }

  /** Lets the window forget what was read. */
  #useUp(): void {
    this.#window.use(this.#cursor.at);
    this.#cursor.at = 0;
  }

  /** Adds to the checksum what was used since the last time; it is still there. */
  #sum(): void {
    const { bytes, start, used } = this.#window;
    this.#crc.add(bytes, start - (used - this.#summed), start);
    this.#summed = used;
  }

  #header(): Outcome {
    const cursor = this.#cursor;
    if (cursor.lacks(HEADER_BYTES)) return "more";
    const version = /^(?:REDIS(\d{4})|VALKEY(\d{3}))$/.exec(cursor.peek(HEADER_BYTES));
    if (version === null) throw cursor.failure("no RDB begins like this");
    this.version = Number(version[1] ?? version[2]);
    if (this.version < 1 || this.version > RDB_VERSION_MAX) {
      throw cursor.failure(
        `RDB version ${this.version} is not known, only versions up to ${RDB_VERSION_MAX} are`,
      );
    }
    cursor.passBytes(HEADER_BYTES);
    this.#useUp();
    this.#state = "opcode";
    return "go on";
  }

  #opcode(): Outcome {
    const cursor = this.#cursor;
    const from = cursor.at;
    if (cursor.lacks(1)) return "more";
    const outcome = this.#record(this.#window.bytes[cursor.taken(1)]!);
    if (outcome === "more") cursor.at = from;
    else if (outcome === "go on" && this.#state === "opcode") this.#useUp();
    return outcome;
  }

  /** Reads a record whose opcode was read; after `more` it is read anew. */
  #record(opcode: number): Outcome {
    const cursor = this.#cursor;
    switch (opcode) {
      case EXPIRY_MS:
        if (cursor.lacks(8)) return "more";
        this.expiryMs = Number(cursor.view.getBigInt64(cursor.taken(8), true));
        return "go on";
      case EXPIRY_SECONDS:
        if (cursor.lacks(4)) return "more";
        this.expiryMs = cursor.view.getInt32(cursor.taken(4), true) * 1000;
        return "go on";
      case FREQUENCY:
        if (cursor.lacks(1)) return "more";
        this.frequency = this.#window.bytes[cursor.taken(1)]!;
        return "go on";
      case IDLE:
        if (!cursor.readLength()) return "more";
        this.idleSeconds = cursor.length;
        return "go on";
      case DATABASE:
        if (!cursor.readLength()) return "more";
        this.database = cursor.length;
        return "go on";
      case RESIZE:
        return cursor.readLengths(2) ? "go on" : "more";
      case SLOT_INFO:
        return cursor.readLengths(3) ? "go on" : "more";
      case AUX:
        return this.#aux();
      case FUNCTION:
        return this.#readName() ? "function" : "more";
      case MODULE_AUX:
        // The module's id, and when it was written: before the keys or after them.
        if (!cursor.readLengths(3)) return "more";
        this.#follower.begin(["module"]);
        this.#state = "module_aux";
        return "go on";
      case END:
        this.#state = "end";
        this.#useUp();
        return "go on";
    }
    return this.#key(opcode);
  }

  #readName(): boolean {
    const cursor = this.#cursor;
    if (cursor.passPlainString()) {
      this.nameStart = 0;
      this.nameEnd = cursor.length;
      this.#nameAt = cursor.at - cursor.length;
      this.#placeName();
      return true;
    }
    const name = cursor.readString();
    if (name === null) return false;
    [this.nameBytes, this.nameStart, this.nameEnd, this.#nameAt] = [name, 0, name.length, -1];
    return true;
  }

  /** The window's bytes may have moved since the name was read. */
  #placeName(): void {
    if (this.#nameAt < 0) return;
    const { bytes, start } = this.#window;
    const length = this.nameEnd - this.nameStart;
    this.nameBytes = bytes;
    this.nameStart = start + this.#nameAt;
    this.nameEnd = this.nameStart + length;
  }

  #aux(): Outcome {
    if (!this.#readName()) return "more";
    const value = this.#cursor.readString();
    if (value === null) return "more";
    this.text = latin1(value);
    return "aux";
  }

  #key(type: number): Outcome {
    const known = VALUE_TYPES.get(type);
    if (known === undefined) throw this.#cursor.failure(`type ${type} is not known`);
    if (!this.#readName()) return "more";
    this.type = type;
    this.#isWanted = this.#wants(this);
    this.#follower.begin(known.parts);
    this.#valueAt = this.#cursor.at;
    this.#state = "value";
    return "go on";
  }

  #value(): Outcome {
    const isWhole = this.#follower.follow();
    if (this.#isWanted) {
      const bytes = this.#cursor.at - this.#valueAt + this.#follower.missing;
      if (bytes > VALUE_BYTES_MAX) throw this.#tooLarge();
    } else {
      this.#useUp();
    }
    if (!isWhole) return "more";
    this.#state = "opcode";
    if (!this.#isWanted) {
      this.#forgetKey();
      return "go on";
    }
    this.#placeName();
    const { start } = this.#window;
    this.valueStart = start + this.#valueAt;
    this.valueEnd = start + this.#cursor.at;
    this.#isKeyRead = true;
    return "key";
  }

  #tooLarge(): RdbError {
    this.#placeName();
    return new RdbError(
      `key "${
        quoted(this.nameBytes, this.nameStart, this.nameEnd)
      }" of database ${this.database}: its value has ` +
        "more than 512 MB, which no server takes in one piece: leave it out with --except, and copy it by itself",
    );
  }

  #moduleAux(): Outcome {
    const isWhole = this.#follower.follow();
    this.#useUp();
    if (!isWhole) return "more";
    this.#state = "opcode";
    return "go on";
  }

  #end(): RdbStep {
    if (this.version < CHECKSUM_SINCE) return "end";
    const cursor = this.#cursor;
    this.#sum();
    if (cursor.lacks(8)) return "more";
    const checksum = cursor.view.getBigUint64(cursor.taken(8), true);
    // A server may be told to write none.
    if (checksum !== 0n && checksum !== this.#crc.value) {
      throw cursor.failure(
        "the checksum at its end is wrong: it is damaged",
      );
    }
    this.#window.use(8);
    cursor.at = 0;
    return "end";
  }
}
