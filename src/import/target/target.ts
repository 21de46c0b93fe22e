/**
 * The product that keys are written to, through its proxies: they know where each key is, also while slots
 * move. Or the one server that they are exported to.
 *
 *     key ─► slot ─► lane ─► proxy, or server
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { Placement } from "../../hash/placement.ts";
import { RDB_VERSION_MIN } from "../../redis/rdb_version.ts";
import { quoted } from "../../resp/encoder.ts";
import { VALUE_TYPES } from "../rdb/value_shape.ts";
import { Lane, type TargetAccess } from "./lane.ts";
import type { RequestBatch, SentRequest } from "./request_batch.ts";

/** What the servers of the product can do: what the oldest of them can. */
export interface TargetServers {
  /** The oldest version. */
  readonly version: string;
  /** The newest RDB version that all of them read. */
  readonly rdbVersion: number;
  /** How many databases they have; undefined: as many as are asked for. */
  readonly databases?: number;
}

/** A value that is to be written, as it lies in an RDB or in a dump. */
export interface StoredValue {
  readonly type: number;
  /** The value is `bytes[valueStart, valueEnd)`. */
  readonly bytes: Uint8Array;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Unix milliseconds; 0: it does not expire. */
  readonly expiryMs: number;
  readonly idleSeconds: number;
  readonly frequency: number;
}

/** A server has refused a request, and will again. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** First RDB version whose servers know `RESTORE … ABSTTL IDLETIME FREQ`. */
const ABSOLUTE_TTL_SINCE = 9;
/** First RDB version whose servers all know `RESTORE … REPLACE`: Redis 3.2. */
const REPLACE_SINCE = 7;
/** A larger value is sent when all others are answered, so that few of them are held at a time. */
const LARGE_BYTES = 8 * 1024 * 1024;

/** See the header. */
export class Target {
  readonly servers: TargetServers;
  readonly placement: Placement;
  readonly lanes: readonly Lane[];
  /** Whether RESTORE can replace a key. */
  readonly hasReplace: boolean;
  readonly #hasAbsoluteTtl: boolean;

  /**
   * @param placement Where keys are placed.
   * @param laneCount How many connections.
   */
  constructor(
    access: TargetAccess,
    servers: TargetServers,
    placement: Placement,
    laneCount: number,
  ) {
    this.servers = servers;
    this.placement = placement;
    this.lanes = Array.from({ length: laneCount }, (_, i) => new Lane(access, i));
    this.hasReplace = servers.rdbVersion >= REPLACE_SINCE;
    this.#hasAbsoluteTtl = servers.rdbVersion >= ABSOLUTE_TTL_SINCE;
  }

  /** Connects; closes all when that fails. */
  async open(): Promise<void> {
    try {
      await Promise.all(this.lanes.map((lane) => lane.open()));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Closes all connections. */
  close(): void {
    for (const lane of this.lanes) lane.close();
  }

  /** The lane of the key `key[start, end)`. Borrows it. */
  laneOf(key: Uint8Array, start = 0, end: number = key.length): Lane {
    return this.laneOfSlot(this.placement.slotIdOf(key, start, end));
  }

  /** The lane of a slot. */
  laneOfSlot(slotId: number): Lane {
    return this.lanes[slotId % this.lanes.length]!;
  }

  /** Sends what was written. */
  flush(): void {
    for (const lane of this.lanes) lane.flush();
  }

  /** Waits until all is answered. */
  async drain(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.drain()));
  }

  /** Waits until all that was written up to now is answered, well or not. */
  async answered(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.answered()));
  }

  /** Whether a lane has trouble. */
  get isTroubled(): boolean {
    return this.lanes.some((lane) => lane.isTroubled);
  }

  /** Waits until all is answered, and takes what failed and what followed it. */
  async takeTrouble(): Promise<SentRequest[]> {
    await this.drain();
    return this.lanes.flatMap((lane) => lane.takeTrouble());
  }

  /** Whether {@linkcode room} must be asked for before a value of `bytes` bytes is written. */
  mustWait(lane: Lane, bytes: number): boolean {
    return lane.isFull || bytes > LARGE_BYTES;
  }

  /** Waits until a value of `bytes` bytes may be written to a lane, or there is trouble. */
  async room(lane: Lane, bytes: number): Promise<void> {
    if (bytes > LARGE_BYTES) await this.drain();
    else if (lane.isFull) await lane.room();
  }

  /** Sends what was written, and waits until each lane can take more, or has trouble. */
  async roomEverywhere(): Promise<void> {
    this.flush();
    for (const lane of this.lanes) if (lane.isFull) await lane.room();
  }

  /** Whether there is a database of this number. */
  hasDatabase(database: number): boolean {
    return database < (this.servers.databases ?? Infinity);
  }

  /** What to do when a database is used that is not there. */
  get fewDatabases(): string {
    return `the target has ${
      countOf(this.servers.databases!, "database")
    }: start it with more of them ("databases" in its ` +
      "configuration), or choose one with --db";
  }

  /** Whether all servers know a type. */
  knows(type: number): boolean {
    return VALUE_TYPES.get(type)!.since <= this.servers.rdbVersion;
  }

  /**
   * Why a value cannot be written; undefined: it can be.
   *
   * @param where Where the value comes from, for the message.
   */
  objection(type: number, database: number, key: Uint8Array): string | undefined {
    const text = `key "${quoted(key, 0, key.length)}" of database ${database}`;
    if (!this.hasDatabase(database)) return `${text} has no place: ${this.fewDatabases}`;
    if (this.knows(type)) return undefined;
    const { name } = VALUE_TYPES.get(type)!;
    return `${text} is a ${name}, which the servers written to do not know (the oldest is ${this.servers.version}): ` +
      "leave it out with --except, or use newer servers";
  }

  /** Writes a key, in place of what is there. Copies all. */
  restore(database: number, key: Uint8Array, value: StoredValue): void {
    this.restoreOn(this.laneOf(key), database, key, 0, key.length, value);
  }

  /** Writes the key `names[start, end)` to its lane, in place of what is there. Copies all. */
  restoreOn(
    lane: Lane,
    database: number,
    names: Uint8Array,
    start: number,
    end: number,
    value: StoredValue,
  ): void {
    const { type, expiryMs, idleSeconds, frequency } = value;
    const leftMs = expiryMs === 0 ? 1 : expiryMs - Date.now();
    const isOver = leftMs <= 0;
    if (isOver || !this.hasReplace) {
      lane.begin(database).request(2).word("DEL").part(names, start, end);
      if (isOver) return;
    }
    const isKept = this.#hasAbsoluteTtl && (idleSeconds >= 0 || frequency >= 0);
    const isAbsolute = this.#hasAbsoluteTtl && expiryMs !== 0;
    const words = 4 + (this.hasReplace ? 1 : 0) + (isAbsolute ? 1 : 0) + (isKept ? 2 : 0);
    const batch = lane.begin(database).request(words).word("RESTORE").part(names, start, end);
    batch.time(expiryMs === 0 ? 0 : isAbsolute ? expiryMs : leftMs);
    batch.dump(type, value.bytes, value.valueStart, value.valueEnd, dumpVersion(type));
    if (this.hasReplace) batch.word("REPLACE");
    if (isAbsolute) batch.word("ABSTTL");
    if (isKept && frequency >= 0) batch.word("FREQ").word(frequency);
    else if (isKept) batch.word("IDLETIME").word(idleSeconds);
  }

  /** Deletes a key. Copies it. */
  delete(database: number, key: Uint8Array): void {
    this.laneOf(key).begin(database).request(2).word("DEL").word(key);
  }

  /** Begins a request that concerns no key, or all of them. */
  beginAnywhere(database: number): RequestBatch {
    return this.lanes[0]!.begin(database);
  }
}

/**
 * The version that a dump says it has. Servers refuse dumps of newer versions than their own, and read all
 * older ones: so each has the version in which its type began, and goes wherever the type is known.
 */
function dumpVersion(type: number): number {
  return Math.max(RDB_VERSION_MIN, VALUE_TYPES.get(type)!.since);
}

/** How long requests that fail are repeated, in milliseconds. */
export const REPEATED_MS = 60_000;
/** How long it is waited before that, in milliseconds. */
export const REPEAT_DELAY_MS = 500;

/**
 * Error replies that do not pass by themselves. BUSYKEY does: without REPLACE a key is deleted first, and both are
 * repeated.
 */
const LASTING =
  /^(NOAUTH|NOPERM|WRONGPASS|OOM|MISCONF|WRONGTYPE|EXECABORT|CROSSSLOT|NOSCRIPT)|Bad data format|payload version|unknown (sub)?command|not allowed|syntax error|out of range|Invalid|wrong number|is larger than|index is out/;

/** Whether a request was refused, and the same one would be a moment later. */
export function isLasting({ error }: SentRequest): boolean {
  return error !== undefined && LASTING.test(error);
}

/** Says that a request was refused. */
export function refusal(request: SentRequest): RefusedError {
  return new RefusedError(`${requestText(request)} was refused: ${request.error ?? "no reply"}`);
}

/** What a request was, for a message: its name, and the key. */
export function requestText({ words: [name, key], database }: SentRequest): string {
  const text = quoted(name!, 0, name!.length);
  return key === undefined
    ? text
    : `${text} of key "${quoted(key, 0, key.length)}" (database ${database})`;
}
