/**
 * Repeats one change of a source at the product: the replicated command as it is where that is right, else in
 * pieces, else by a mark on its keys that they must be read again.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { findCommand } from "../../command/command_table.ts";
import { KeyIndexes, keyIndexes } from "../../command/key.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { ImportCounts } from "../import_counts.ts";
import type { KeyChoice } from "../key_choice.ts";
import type { KeyPositions } from "../source/source_control.ts";
import { type CommandPlan, hasHiddenKeys, planOf } from "./command_plan.ts";
import type { ExpiryTimes } from "./expiry_times.ts";
import type { KeyMarks } from "./key_marks.ts";
import { ReplicatedScripts } from "./replicated_scripts.ts";
import type { RequestBatch } from "../target/request_batch.ts";
import type { Target } from "../target/target.ts";

/** A change cannot be followed; the message says why, and what to do. */
export class ChangeError extends Error {
  override readonly name = "ChangeError";
}

/**
 * What must be done before the next change, and takes time.
 *
 * - `everywhere`, `flush`: this request goes to all servers, when all before it are answered.
 * - `learn`: nobody knows where the keys of this command are: ask the source, and try it again.
 */
export type WriterPause = "everywhere" | "flush" | "learn";

/** First RDB version of servers that surely know `SET … PXAT`. */
const SET_TIME_SINCE = 10;
/**
 * A key that expires sooner than this after we are in step is read again whenever it changes: it may have expired here
 * before changes are made to it that were made at the source while it lived.
 */
const SOON_MS = 1_000;
/** The same for a change of several keys. Nothing that comes later shows that one of them was gone. */
const SOON_OF_SEVERAL_MS = 60_000;
/** When we are further behind, a time to live that runs from now on would be wrong. */
const LATE_MS = 1_000;
/** Sources are asked each second how far we are behind; after so long without, nobody knows. */
const UNSEEN_MS = 2_500;
const KEYS = new KeyIndexes();

/** See the header. */
export class ChangeWriter {
  /** Database that the next change is for. */
  database = 0;
  /** Whether the source replicates INCRBYFLOAT as a plain SET, though the key keeps its time to live. */
  setMayKeepTtl = false;
  /** Changes up to this offset may have been made before: their keys are read again. */
  doubtfulUntil = -1;
  /** How far we were behind when that was last seen, in milliseconds. */
  #lagMs = 0;
  /** When that was, in monotonic milliseconds. */
  #lagSeenMs = performance.now();
  readonly #target: Target;
  readonly #choice: KeyChoice;
  readonly #marks: KeyMarks;
  readonly #times: ExpiryTimes;
  readonly #counts: ImportCounts;
  readonly #scripts = new ReplicatedScripts();
  /** Commands that the table does not have, as the source describes them. */
  readonly #learned = new Map<string, KeyPositions>();

  constructor(
    target: Target,
    choice: KeyChoice,
    marks: KeyMarks,
    times: ExpiryTimes,
    counts: ImportCounts,
  ) {
    this.#target = target;
    this.#choice = choice;
    this.#marks = marks;
    this.#times = times;
    this.#counts = counts;
  }

  /** How far we are behind, as it was seen now, in milliseconds. */
  sawLag(ms: number): void {
    this.#lagMs = ms;
    this.#lagSeenMs = performance.now();
  }

  /** How far we may be behind: this process may have been stopped, or the source does not say where it is. */
  #lagNow(): number {
    const unseenMs = performance.now() - this.#lagSeenMs;
    return unseenMs > UNSEEN_MS ? Math.max(this.#lagMs, unseenMs) : this.#lagMs;
  }

  /** Makes a command known. */
  learn(name: string, positions: KeyPositions): void {
    this.#learned.set(name, positions);
  }

  /**
   * Writes a change to the lanes. Borrows the request until it returns.
   *
   * @param offset Where the change ends in the history.
   * @param keys The places of its keys, when the source was asked.
   * @throws {ChangeError} When it cannot be followed.
   */
  write(request: RequestParser, offset: number, keys?: readonly number[]): WriterPause | undefined {
    const command = findCommand(request);
    const plan = command === undefined ? "pass" : planOf(command.name);
    switch (plan) {
      case "ignore":
        return undefined;
      case "select":
        this.#select(Number(textAt(request, 1)));
        return undefined;
      case "stop":
        throw stopped(command!.name);
      case "everywhere":
      case "flush":
        return plan;
      case "each":
        return this.#deleteEach(request, offset);
      case "pairs":
        return this.#setEach(request, offset);
    }
    const count = keys?.length ?? this.#keys(command, request);
    if (count === undefined) return "learn";
    for (const [i, place] of keys?.entries() ?? []) KEYS.values[i] = place;
    if (isScript(command) && this.#isDone(request, count)) return undefined;
    if (count === 0) throw keyless(textAt(request, 0));
    if (count < 0) throw new ChangeError(`${textAt(request, 0)}: its keys cannot be found`);
    this.#counts.commands++;
    this.#writeKeyed(request, offset, plan, command?.name ?? "", count);
    return undefined;
  }

  /** Whether nothing needs to be done for a script. One that may use keys that it does not declare is counted. */
  #isDone(request: RequestParser, count: number): boolean {
    const facts = this.#scripts.of(request);
    if (count === 0) return facts?.isKeyless === true;
    if (facts?.namesItsKeys !== true) this.#counts.unclearScripts++;
    return false;
  }

  #select(database: number): void {
    this.database = database;
    const isWanted = (this.#choice.database ?? database) === database;
    if (isWanted && !this.#target.hasDatabase(database)) {
      throw new ChangeError(`database ${database} is written to, and ${this.#target.fewDatabases}`);
    }
  }

  /** Whether a change may be made to a key as it comes. */
  #isFree(request: RequestParser, offset: number, place: number): boolean {
    const [start, end] = [request.start(place), request.end(place)];
    return offset > this.doubtfulUntil &&
      !this.#marks.has(offset, this.database, request.bytes, start, end);
  }

  #isWanted(request: RequestParser, place: number): boolean {
    return this.#choice.wants(
      this.database,
      request.bytes,
      request.start(place),
      request.end(place),
    );
  }

  #mark(request: RequestParser, place: number, database = this.database): void {
    const [start, end] = [request.start(place), request.end(place)];
    if (this.#choice.wants(database, request.bytes, start, end)) {
      this.#marks.add(database, request.bytes, start, end);
    }
  }

  /** Writes the places of the keys to KEYS; undefined: nobody knows them. */
  #keys(command: Command | undefined, request: RequestParser): number | undefined {
    if (command !== undefined) return keyIndexes(command, request, KEYS);
    const learned = this.#learned.get(textAt(request, 0).toLowerCase());
    if (learned === undefined || learned.isMovable) return undefined;
    const { first, step } = learned;
    const last = learned.last < 0 ? request.count + learned.last : learned.last;
    let count = 0;
    KEYS.reserve(request.count);
    for (let i = first; i <= last && i < request.count; i += step) KEYS.values[count++] = i;
    return count;
  }

  #writeKeyed(
    request: RequestParser,
    offset: number,
    plan: CommandPlan,
    name: string,
    count: number,
  ): void {
    let [wanted, free, slot, isOneSlot] = [0, 0, -1, true];
    for (let i = 0; i < count; i++) {
      const place = KEYS.values[i]!;
      if (this.#isFree(request, offset, place)) free++;
      // Its name here is of no interest, and it may be too short to have one.
      if (!this.#isWanted(request, place)) continue;
      wanted++;
      const own = this.#slotAt(request, place);
      if (slot >= 0 && own !== slot) isOneSlot = false;
      slot = own;
    }
    // Of another database: whether it is wanted there is looked at by itself.
    if (wanted === 0 && plan !== "reread") return void (this.#counts.leftOut += count);
    // A value that has this change already; with other keys, all are read again.
    if (free === 0 && count === 1 && plan !== "reread" && offset > this.doubtfulUntil) return;
    const isPlain = isOneSlot && free === count && wanted === count && plan !== "reread" &&
      (this.#choice.keepsNames || !hasHiddenKeys(name)) &&
      (this.#times.isEmpty || !this.#mayBeGone(request, plan, name, count));
    if (isPlain) return this.#send(request, plan, slot, count);
    for (let i = 0; i < count; i++) this.#mark(request, KEYS.values[i]!);
    if (name === "move") this.#mark(request, 1, Number(textAt(request, 2)));
    if (name === "copy") this.#markCopy(request);
  }

  /** Whether a key may have expired here before a change of it, and the change needs what was there. */
  #mayBeGone(request: RequestParser, plan: CommandPlan, name: string, count: number): boolean {
    const soonMs = count > 1 ? SOON_OF_SEVERAL_MS : SOON_MS;
    const untilMs = Date.now() + soonMs + 2 * this.#lagNow();
    // With its name, a key takes its time along.
    const takesTime = name === "rename" || name === "renamenx";
    for (let i = 0; i < count; i++) {
      const [start, end] = [request.start(KEYS.values[i]!), request.end(KEYS.values[i]!)];
      const expiryMs = this.#times.of(this.database, request.bytes, start, end);
      if (expiryMs === 0 || expiryMs >= untilMs && !takesTime) continue;
      // A whole value needs nothing.
      return plan !== "setex" && (plan !== "set" || expiryOf(request, plan) === 0);
    }
    return false;
  }

  /** A change was made to one key, by which it expires at a time; 0: it does not. */
  #expires(request: RequestParser, place: number, expiryMs: number): void {
    const [start, end] = [request.start(place), request.end(place)];
    this.#times.set(this.database, request.bytes, start, end, expiryMs);
  }

  #markCopy(request: RequestParser): void {
    for (let i = 3; i + 1 < request.count; i++) {
      if (textAt(request, i).toLowerCase() !== "db") continue;
      this.#mark(request, 2, Number(textAt(request, i + 1)));
    }
  }

  #slotAt(request: RequestParser, place: number): number {
    const { placement } = this.#target;
    if (this.#choice.keepsNames) {
      return placement.slotIdOf(request.bytes, request.start(place), request.end(place));
    }
    const { bytes, start, end } = this.#nameAt(request, place);
    return placement.slotIdOf(bytes, start, end);
  }

  /** The name of a key at the product. */
  #nameAt(
    request: RequestParser,
    place: number,
  ): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } {
    const [start, end] = [request.start(place), request.end(place)];
    if (this.#choice.keepsNames) return { bytes: request.bytes, start, end };
    const bytes = this.#choice.renamed(request.bytes.subarray(start, end));
    return { bytes, start: 0, end: bytes.length };
  }

  #send(request: RequestParser, plan: CommandPlan, slot: number, keyCount: number): void {
    if (plan === "set" && this.setMayKeepTtl && mayBeSum(request)) return this.#mark(request, 1);
    const expiryMs = expiryOf(request, plan);
    if (expiryMs > 0) {
      const lagMs = this.#lagNow();
      const isSoon = expiryMs < Date.now() + SOON_MS + 2 * lagMs;
      // Sources before Redis 7 say how long a key lives, from when they said it. And one whose life is prolonged
      // may have ended here before, and have been begun anew by a change since then.
      const isLate = lagMs > LATE_MS && !isPointInTime(request);
      if (isSoon || isLate) return this.#mark(request, 1);
    }
    if (plan !== "pass" && expiryMs !== 0) this.#expires(request, 1, Math.max(0, expiryMs));
    if (plan === "expire") return this.#expireAt(request, slot, expiryMs);
    if (plan === "setex") return this.#sendSet(request, slot, 3, expiryMs);
    if (plan === "set" && request.count > 3 && !this.#isUnderstood(request)) {
      return this.#sendSet(request, slot, 2, expiryMs);
    }
    const batch = this.#lane(slot);
    const mustChange = plan === "expire_at" || plan === "persist";
    if (this.#choice.keepsNames) {
      batch.whole(request.bytes, request.requestStart, request.requestEnd);
      if (mustChange) batch.mustChange();
      return;
    }
    const places = new Set(KEYS.values.subarray(0, keyCount));
    batch.request(request.count);
    for (let i = 0; i < request.count; i++) {
      if (places.has(i)) this.#key(batch, request, i);
      else batch.part(request.bytes, request.start(i), request.end(i));
    }
    if (mustChange) batch.mustChange();
  }

  #key(batch: RequestBatch, request: RequestParser, place: number): void {
    const { bytes, start, end } = this.#nameAt(request, place);
    batch.part(bytes, start, end);
  }

  /** Begins a request on the lane of a slot. */
  #lane(slot: number): RequestBatch {
    return this.#target.laneOfSlot(slot).begin(this.database);
  }

  #expireAt(request: RequestParser, slot: number, atMs: number): void {
    const batch = this.#lane(slot).request(3).word("PEXPIREAT");
    this.#key(batch, request, 1);
    batch.time(atMs).mustChange();
  }

  /** SET with options, or SETEX. It was done at the source, so no condition is repeated. */
  #sendSet(request: RequestParser, slot: number, place: number, expiryMs: number): void {
    const keepsTtl = expiryMs === 0;
    const batch = this.#lane(slot).request(keepsTtl ? 4 : 3).word("SET");
    this.#key(batch, request, 1);
    batch.part(request.bytes, request.start(place), request.end(place));
    if (keepsTtl) batch.word("KEEPTTL");
    if (expiryMs > 0) this.#expireAt(request, slot, expiryMs);
  }

  /** Whether the product's servers know the options of a SET, and it says when the key expires. */
  #isUnderstood(request: RequestParser): boolean {
    return request.count === 5 && this.#target.servers.rdbVersion >= SET_TIME_SINCE &&
      textAt(request, 3).toLowerCase() === "pxat";
  }

  #deleteEach(request: RequestParser, offset: number): undefined {
    this.#counts.commands++;
    for (let i = 1; i < request.count; i++) {
      if (!this.#begins(request, offset, i)) continue;
      this.#expires(request, i, 0);
      const { bytes, start, end } = this.#nameAt(request, i);
      this.#lane(this.#target.placement.slotIdOf(bytes, start, end)).request(2).word("DEL")
        .part(bytes, start, end);
    }
  }

  #setEach(request: RequestParser, offset: number): undefined {
    this.#counts.commands++;
    for (let i = 1; i + 1 < request.count; i += 2) {
      if (!this.#begins(request, offset, i)) continue;
      this.#expires(request, i, 0);
      const { bytes, start, end } = this.#nameAt(request, i);
      this.#lane(this.#target.placement.slotIdOf(bytes, start, end)).request(3).word("SET")
        .part(bytes, start, end)
        .part(request.bytes, request.start(i + 1), request.end(i + 1));
    }
  }

  /** Whether one key of several is to be written; marks it when it has to be read again. */
  #begins(request: RequestParser, offset: number, place: number): boolean {
    if (!this.#isWanted(request, place)) {
      this.#counts.leftOut++;
      return false;
    }
    if (offset <= this.doubtfulUntil) this.#mark(request, place);
    return this.#isFree(request, offset, place);
  }
}

/** When the key expires by a command, in Unix milliseconds; 0: it keeps its time; -1: never, or not said. */
function expiryOf(request: RequestParser, plan: CommandPlan): number {
  switch (plan) {
    case "set":
      return request.count === 3 ? -1 : expiryOfSet(request);
    case "setex":
    case "expire":
    case "expire_at": {
      const unit = /^p/i.test(textAt(request, 0)) ? 1 : 1000;
      const from = plan === "expire_at" ? 0 : Date.now();
      return from + unit * Number(textAt(request, 2));
    }
    default:
      return -1;
  }
}

/** Whether a SET may have been an INCRBYFLOAT: it sets a number, and says nothing else. */
function mayBeSum(request: RequestParser): boolean {
  return request.count === 3 && /^-?\d+(\.\d+)?$/.test(textAt(request, 2));
}

/** Whether a SET says when the key expires, not how long it lives. */
function isPointInTime(request: RequestParser): boolean {
  for (let i = 3; i < request.count; i++) {
    if (/^(exat|pxat)$/i.test(textAt(request, i))) return true;
  }
  return false;
}

function expiryOfSet(request: RequestParser): number {
  for (let i = 3; i < request.count; i++) {
    const option = textAt(request, i).toLowerCase();
    if (option === "keepttl") return 0;
    if (!/^(ex|px|exat|pxat)$/.test(option)) continue;
    const unit = option.startsWith("p") ? 1 : 1000;
    return (option.endsWith("at") ? 0 : Date.now()) + unit * Number(textAt(request, i + 1));
  }
  return -1;
}

function textAt(request: RequestParser, place: number): string {
  return latin1(request.bytes, request.start(place), request.end(place));
}

function stopped(name: string): ChangeError {
  if (name === "swapdb") {
    return new ChangeError(
      "the source has swapped two databases (SWAPDB), which cannot be followed: run the same command with " +
        "--restart, which copies all keys anew",
    );
  }
  return new ChangeError(
    "the source's cluster moves slots, which cannot be followed: end that, then run the same command with " +
      "--restart, which copies all keys anew",
  );
}

function isScript(command: Command | undefined): boolean {
  return command?.name === "eval" || command?.name === "evalsha";
}

function keyless(name: string): ChangeError {
  return new ChangeError(
    `the source replicates ${name} without keys, which cannot be followed: nobody knows what it changes. Let the ` +
      "script declare its keys, or begin with redis.replicate_commands() (from Redis 3.2 on); or stop what writes " +
      "at the source, and run the same command with --restart --switch-over, which copies all keys anew",
  );
}
