/**
 * Follows the changes of one source, and knows which of them are stored at the product.
 *
 *     link ─► window ─► request ─► writer ─► lanes ─► answered ─► applied
 *               ▲                    │          └─ failed, unknown ─► marks ─┐
 *               │                    └─ cannot be repeated ─► marks ─────────┤
 *               └──────────────── all keys with marks are read again ◄───────┘
 *
 * Reading a key again is right at any time: the source says up to which change its value has come, and
 * changes of the key up to there are skipped.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { encodeRequest } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { RequestParser } from "../../resp/request_parser.ts";
import { RedisError } from "../../redis/reply.ts";
import type { ImportCounts } from "../import_counts.ts";
import type { KeyChoice } from "../key_choice.ts";
import { DUMP_END_BYTES } from "../rdb/value_shape.ts";
import type { ReplicaLink } from "../source/replica_link.ts";
import type { ReadValue, SourceControl, SourceKey } from "../source/source_control.ts";
import { findCommand } from "../../command/command_table.ts";
import { Turns } from "../../base/turns.ts";
import { isOlder } from "../../base/version.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import {
  isLasting,
  refusal,
  RefusedError,
  REPEAT_DELAY_MS,
  REPEATED_MS,
  type Target,
} from "../target/target.ts";
import { NOT_THERE } from "../target/lane.ts";
import type { SentRequest } from "../target/request_batch.ts";
import { ChangeError, ChangeWriter, type WriterPause } from "./change_writer.ts";
import type { ExpiryTimes } from "./expiry_times.ts";
import { idOf, KeyMarks, type KeyShare } from "./key_marks.ts";
import { callsLoaded, Libraries, sendAnywhere } from "./libraries.ts";

/** What a follower works with. */
export interface FollowOptions {
  readonly target: Target;
  readonly choice: KeyChoice;
  readonly counts: ImportCounts;
  readonly control: SourceControl;
  /** When keys expire that were copied. */
  readonly times: ExpiryTimes;
  /** Whether FLUSHALL and FLUSHDB are followed. */
  readonly flushes: boolean;
  /**
   * Deletes all keys that the source had, in one database or in all. Undefined: everything at the target is of
   * this source, and its command can be repeated.
   */
  flush?: ((database: number | undefined) => Promise<void>) | undefined;
  /** Which keys are the source's own; undefined: all are. */
  readonly share?: KeyShare | undefined;
  /** Called before changes up to `offset` are sent, or values that have them. */
  beforeSending(offset: number): void;
}

/** Keys that are read at a time. */
const KEYS_AT_ONCE = 64;
/** So many times at the same time. */
const READS_AT_ONCE = 4;
/** First Redis all of whose releases replicate INCRBYFLOAT with KEEPTTL. */
const KEEPTTL_SINCE = "6.2.0";
const KEYS = new KeyIndexes();

/** Requests that were sent, and the offset that is applied when they are answered. */
interface SentMark {
  readonly offset: number;
  /** Which database is selected there. */
  readonly database: number;
  readonly begun: readonly number[];
}

/** See the header. */
export class StreamFollower {
  /** All changes up to this offset are stored at the product. */
  applied = 0;
  /** Which database is selected there. */
  appliedDatabase = 0;
  readonly #options: FollowOptions;
  readonly #marks: KeyMarks;
  readonly #writer: ChangeWriter;
  readonly #libraries = new Libraries();
  readonly #parser = new RequestParser();
  #sent: SentMark[] = [];
  /** The end of the changes that have come. */
  #end = { offset: 0, database: 0 };
  /** Since when requests fail, in monotonic milliseconds; 0: they do not. */
  #troubleMs = 0;
  /** One at a time: changes, or reading again. */
  readonly #turns = new Turns(1);

  constructor(options: FollowOptions) {
    this.#options = options;
    const { target, choice, counts, share, times } = options;
    this.#marks = new KeyMarks(share);
    this.#writer = new ChangeWriter(target, choice, this.#marks, times, counts);
  }

  /**
   * Begins at an offset. Keys with marks keep them.
   *
   * @param offset All changes up to there are stored.
   * @param doubtfulUntil Later changes up to there may be stored, too.
   */
  begin(offset: number, database = 0, doubtfulUntil = -1): void {
    this.#parser.next();
    this.#sent = [];
    this.#end = { offset, database };
    this.applied = offset;
    this.appliedDatabase = this.#writer.database = database;
    this.#writer.doubtfulUntil = doubtfulUntil;
    this.#writer.setMayKeepTtl = isOlder(this.#options.control.version, KEEPTTL_SINCE);
  }

  /** Changes behind this offset are in no value that was written. */
  get writtenUntil(): number {
    return Math.max(this.applied, this.#marks.newestOffset);
  }

  /** How far we are behind, in milliseconds. */
  set lagMs(ms: number) {
    this.#writer.sawLag(ms);
  }

  /** A key must be read again before anything else. */
  defer({ database, key }: SourceKey): void {
    this.#marks.add(database, key);
  }

  /** A key was read at the source by others, and written: changes up to then are not made to it. */
  wasRead(value: ReadValue): void {
    const { database, key, expiryMs, offset } = value;
    this.#options.beforeSending(offset);
    this.#options.times.set(database, key, 0, key.length, expiryMs);
    this.#marks.wasRead(value, offset);
  }

  /** Whether changes that come may have been made before. */
  get isDoubtful(): boolean {
    return this.#writer.doubtfulUntil > this.#end.offset;
  }

  /**
   * The source's history goes on from an earlier place, with another master: what was read behind it, it may
   * never have had.
   */
  redoNewer(): void {
    this.#marks.redoNewer();
  }

  /** All keys are copied anew: no mark holds any more. */
  forget(): void {
    this.#marks.clear();
    this.#sent = [];
  }

  /** The link was lost: what came of a request that is not whole is forgotten. */
  linkLost(): void {
    this.#parser.next();
  }

  /**
   * Follows all changes that are in the link's window.
   *
   * @throws {ChangeError} When one cannot be followed.
   * @throws {RefusedError} When a server refuses one for good.
   * @throws {SourceError} When keys cannot be read again.
   */
  async follow(link: Pick<ReplicaLink, "window" | "offset">): Promise<void> {
    await this.#turns.take(async () => {
      this.#options.beforeSending(link.offset + link.window.length);
      await this.#followWindow(link);
      this.#end = { offset: link.offset, database: this.#writer.database };
      await this.#settle();
      await this.#load();
      this.#note();
    });
  }

  /** Reads keys again, and writes them. */
  async reread(keys: readonly SourceKey[]): Promise<void> {
    await this.#turns.take(async () => {
      for (const { database, key } of keys) this.#marks.add(database, key);
      await this.#settle();
      await this.#load();
      this.#note();
    });
  }

  /** Waits until all that has come is stored. */
  async finish(): Promise<void> {
    await this.#turns.take(async () => {
      await this.#settleAll();
      await this.#load();
      this.#note();
    });
  }

  /** All that has come was sent: when that is answered, all is stored. */
  #note(): void {
    this.#sent.push({ ...this.#end, begun: this.#options.target.lanes.map((lane) => lane.begun) });
    this.update();
  }

  /** Looks what is answered. */
  update(): void {
    const { target } = this.#options;
    if (target.isTroubled) return;
    while (this.#sent.length > 0) {
      const { offset, database, begun } = this.#sent[0]!;
      if (target.lanes.some((lane, i) => lane.settled < begun[i]!)) return;
      this.applied = offset;
      this.appliedDatabase = database;
      this.#troubleMs = 0;
      this.#sent.shift();
    }
    this.#marks.passed(this.applied);
  }

  async #followWindow(link: Pick<ReplicaLink, "window" | "offset">): Promise<void> {
    const { window } = link;
    const parser = this.#parser;
    for (;;) {
      const outcome = parser.parse(window.bytes, window.start, window.end);
      const passed = parser.nextStart - window.start;
      if (outcome === "error") {
        throw new ChangeError(
          `the changes at offset ${link.offset} are no commands: ${parser.error}`,
        );
      }
      const offset = link.offset + passed;
      if (outcome === "request") {
        if (!this.#libraries.isEmpty && callsLoaded(findCommand(parser)?.name)) await this.#load();
        const pause = this.#writer.write(parser, offset);
        if (pause !== undefined) await this.#pause(pause, parser, offset);
        parser.next();
      }
      window.use(passed);
      link.offset = offset;
      if (outcome === "more") break;
    }
    this.#options.target.flush();
  }

  async #pause(pause: WriterPause, parser: RequestParser, offset: number): Promise<void> {
    const words = wordsOf(parser);
    if (pause === "learn") return await this.#learn(words, parser, offset);
    if (pause === "everywhere") return this.#libraries.add(words);
    const { choice, flushes, flush, target } = this.#options;
    const canFlush = flush !== undefined || choice.isAll && choice.keepsNames;
    if (!(flushes && canFlush)) {
      throw new ChangeError(
        `the source has deleted all keys (${
          latin1(words[0]!)
        }). To do the same here, run the same command with --allow-flush${
          flush === undefined ? ", which is possible for one source, without filters" : ""
        }; or with --restart, to copy all keys anew`,
      );
    }
    await this.#settleAll();
    if (flush !== undefined) {
      const isOne = latin1(words[0]!).toLowerCase() === "flushdb";
      await flush(isOne ? this.#writer.database : undefined);
    } else await sendAnywhere(target, this.#writer.database, [words]);
    // Keys that were read again, and exist, are gone now.
    this.#marks.redoNewer();
  }

  /** Sends scripts and functions that have come. */
  async #load(): Promise<void> {
    if (this.#libraries.isEmpty) return;
    await this.#settleAll();
    await this.#libraries.send(this.#options.target);
  }

  /** Asks the source where the keys of a command are that the table does not have. */
  async #learn(words: readonly Uint8Array[], parser: RequestParser, offset: number): Promise<void> {
    const name = latin1(words[0]!).toLowerCase();
    const { control } = this.#options;
    try {
      const positions = await control.keyPositions(name);
      if (positions === undefined) {
        throw new ChangeError(`nobody knows where the keys of ${name} are`);
      }
      this.#writer.learn(name, positions);
      if (!positions.isMovable) {
        this.#writer.write(parser, offset);
        return;
      }
      const keys = await control.keysOf(words);
      const places = keys.map((key) =>
        words.findIndex((word, i) => i > 0 && latin1(word) === latin1(key))
      );
      this.#writer.write(parser, offset, places);
    } catch (error) {
      if (!(error instanceof RedisError)) throw error;
      throw new ChangeError(`${name} cannot be followed: ${error.message}`);
    }
  }

  // -- what cannot be repeated as it was --

  /** Takes what has failed, and reads all keys with marks again. */
  async #settle(): Promise<void> {
    const { target } = this.#options;
    await target.roomEverywhere();
    for (;;) {
      if (target.isTroubled) await this.#takeTrouble();
      if (this.#marks.dirtyCount > 0) {
        await this.#rereadAll();
        if (target.isTroubled) continue;
      }
      await this.#options.share?.flush();
      // Keys that were taken may have become the source's own meanwhile.
      if (this.#marks.dirtyCount === 0) return;
    }
  }

  /** The same until all is answered, and well. */
  async #settleAll(): Promise<void> {
    const { target } = this.#options;
    do {
      await this.#settle();
      await target.drain();
    } while (target.isTroubled);
  }

  async #takeTrouble(): Promise<void> {
    const { target, choice, counts } = this.#options;
    const trouble = await target.takeTrouble();
    // What was sent before is not known to be stored: it is when the keys are read again.
    this.#sent = [];
    const now = performance.now();
    if (this.#troubleMs === 0) this.#troubleMs = now;
    let isServerTrouble = false;
    // What has met a failed change is wrong, too.
    const wrong = new Set<string>();
    for (const request of trouble) {
      const { database, error } = request;
      if (error !== "") this.#refuse(request, now);
      isServerTrouble ||= error !== "" && error !== NOT_THERE;
      const keys = keysOf(request);
      const ids = keys.map((key) => idOf(database, key));
      if (error === "" && !ids.some((id) => wrong.has(id))) continue;
      counts.repeated++;
      for (const [i, key] of keys.entries()) {
        wrong.add(ids[i]!);
        const original = choice.original(key);
        if (original !== undefined) this.#marks.add(database, original);
      }
    }
    if (isServerTrouble && this.#troubleMs !== now) await delay(REPEAT_DELAY_MS);
  }

  /** @throws {RefusedError} When a request that has failed will not succeed, or fails for too long. */
  #refuse(request: SentRequest, now: number): void {
    const name = latin1(request.words[0]!);
    const isOurs = name === "RESTORE" || name === "DEL";
    if (isOurs && isLasting(request) || now - this.#troubleMs > REPEATED_MS) throw refusal(request);
  }

  async #rereadAll(): Promise<void> {
    const { control, target } = this.#options;
    this.#marks.handOver();
    for (const keys of this.#marks.dirty(KEYS_AT_ONCE * READS_AT_ONCE)) {
      const reads: Promise<ReadValue[]>[] = [];
      for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
        reads.push(control.readValues(keys.slice(from, from + KEYS_AT_ONCE)));
      }
      for (const value of (await Promise.all(reads)).flat()) {
        if (this.#marks.isLost(value)) continue;
        this.wasRead(value);
        this.#rewrite(value);
      }
      await target.roomEverywhere();
    }
  }

  /** Writes the value of a key that was read again. */
  #rewrite(value: ReadValue): void {
    const { target, choice, counts } = this.#options;
    counts.reread++;
    writeValue(target, choice, value);
  }
}

/**
 * Writes a value that was read again, or deletes a key that is not there.
 *
 * @throws {RefusedError} When the servers do not know its type.
 */
export function writeValue(
  target: Target,
  choice: KeyChoice,
  { database, key, dump, expiryMs }: ReadValue,
): void {
  const name = choice.renamed(key);
  if (dump === null) return target.delete(database, name);
  const objection = target.objection(dump[0]!, database, key);
  if (objection !== undefined) throw new RefusedError(objection);
  target.restore(database, name, {
    ...{ type: dump[0]!, bytes: dump, valueStart: 1, valueEnd: dump.length - DUMP_END_BYTES },
    ...{ expiryMs, idleSeconds: -1, frequency: -1 },
  });
}

function wordsOf(parser: RequestParser): Uint8Array[] {
  return Array.from(
    { length: parser.count },
    (_, i) => parser.bytes.slice(parser.start(i), parser.end(i)),
  );
}

/** The keys of a request that was sent. */
function keysOf({ words }: SentRequest): Uint8Array[] {
  const request = new RequestParser();
  const bytes = encodeRequest(words);
  request.parse(bytes, 0, bytes.length);
  const command = findCommand(request);
  if (command === undefined) return words.length > 1 ? [words[1]!] : [];
  const count = keyIndexes(command, request, KEYS);
  return Array.from({ length: Math.max(0, count) }, (_, i) => words[KEYS.values[i]!]!);
}
