/**
 * Takes some requests out of all, for those who look at a part of them only: one countdown for all observers.
 *
 *     enqueued ─► left = 0? ─ no ─► (nothing)
 *                    └─ yes ─┬─► its key is copied ─► 256 of them, or 100 ms ─► counted
 *                            └─► … ─► written to its client ─► observers
 *                                └─► small, and of interest to nobody else ─► (nothing)
 *
 * Each request is taken with the same probability, whatever was taken before it, so that a load with a period
 * of its own does not deceive. An observer that wants fewer than are taken sees some of them. While nobody
 * observes, the countdown begins far away.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { KeyIndexes } from "../../command/key.ts";
import type { Placement } from "../../hash/placement.ts";
import { type Arguments, isSameSpan } from "../../resp/arguments.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { keyIndexesByRules } from "../dispatch/script_keys.ts";
import type { Request } from "../request.ts";
import { BeginningArguments } from "../slow_log/shown_arguments.ts";
import type { RequestEnd, WatchedClient } from "../slow_log/watched_client.ts";
import { KeyBatch } from "./key_batch.ts";
import {
  copyKey,
  KEY_BYTES_MAX,
  type NamedKey,
  type RequestSample,
  type SampledKey,
} from "./sample.ts";

/** Where a countdown begins that does not matter; V8 keeps it as a small integer. */
const FAR = 2 ** 30 - 1;
/** Keys of one request that are looked at. */
const KEYS_MAX = 16;
/** Samples that are drawn at a time. */
const DRAWN = 64;
/** How long keys wait to be counted, in milliseconds; longer while nothing is sampled. */
const UNCOUNTED_MS_MAX = 100;
/** Who counts keys sees sampled requests from this size on, or with such a reply, in bytes. */
export const COUNTED_BYTES_MIN = 32 * 1024;
/** Requests and replies from this size on are noticed, in bytes. */
export const NOTICED_BYTES_MIN = 1024 * 1024;

const KEYS = new KeyIndexes();
const NO_WEIGHTS: readonly number[] = [];
/** The key that is counted just now. */
const NAMED = {
  ...{ bytes: new Uint8Array(0), start: 0, end: 0, keyBytes: 0 },
  ...{ database: 0, slotId: 0, isWrite: false },
} satisfies NamedKey as { -readonly [Field in keyof NamedKey]: NamedKey[Field] };

/** Who counts the keys of sampled requests. */
export interface KeyCounter {
  /** A request that names keys, each of which is told next. */
  requested(weight: number): void;
  /**
   * A key of that request. Borrows it until it returns.
   *
   * @param times For how many requests with it this one stands.
   */
  named(key: NamedKey, times: number): void;
}

/** Who sees some of the requests. */
export interface SampleObserver {
  /** Each request is seen with the probability 1/every, at least 1; 0: none is. See {@linkcode Sampling.changed}. */
  readonly every: number;
  /**
   * Counts the keys of what it takes, and does not want them otherwise; it sees only what is large. One observer
   * may do so; left out for the others.
   */
  readonly counter?: KeyCounter;
  /**
   * A sampled request is written to its client, or its client is gone. Borrows all until it returns.
   *
   * @param weight For how many requests it stands.
   */
  sampled(request: Request, client: WatchedClient, weight: number, end: RequestEnd): void;
  /** The same of a command that the proxy has answered at once; `reply` is borrowed, too. */
  sampledAtOnce?(command: Command, client: WatchedClient, reply: Uint8Array, weight: number): void;
  /** As `sampled`, for each request that was noticed for its size, sampled or not. */
  noticed?(request: Request): void;
}

/** See the header. */
export class Sampling {
  /** Requests until the next sample, with that one. */
  left = FAR;
  /** One of so many requests is taken; 0: none. */
  #every = 0;
  /** What a random number's logarithm is multiplied by to be a gap. */
  #gapFactor = 0;
  readonly #observers: SampleObserver[] = [];
  /** Which of them counts keys; -1: none. */
  #counterAt = -1;
  /** For how many requests the one that is drawn stands, by observer. */
  #weights: number[] = [];
  /** What the next samples are, null for those that nobody sees, and the gap behind each. */
  readonly #drawn: (RequestSample | null)[] = Array(DRAWN).fill(null);
  readonly #gaps = new Int32Array(DRAWN);
  /** How many of them are taken. */
  #taken = 0;
  /** Keys that wait to be counted. */
  readonly #keys = new KeyBatch();
  #isCounting = false;
  /** What is known of a request that is only counted: one object for all, until somebody's `every` changes. */
  #counted: RequestSample | null = null;
  readonly #placement: () => Placement;
  readonly #random: () => number;

  /** @param random As Math.random. */
  constructor(placement: () => Placement, random: () => number = Math.random) {
    this.#placement = placement;
    this.#random = random;
  }

  /** Adds an observer, for good: one that wants nothing more says so by its `every`. */
  add(observer: SampleObserver): void {
    this.#observers.push(observer);
    this.#counterAt = this.#observers.findIndex(({ counter }) => counter !== undefined);
    this.#weights = this.#observers.map(() => 0);
    this.changed();
  }

  /** How many requests an observer wants has changed. */
  changed(): void {
    const wanting = this.#observers.filter(({ every }) => every > 0);
    this.#every = wanting.length === 0 ? 0 : Math.min(...wanting.map(({ every }) => every));
    this.#gapFactor = 1 / Math.log1p(-1 / this.#every);
    const weights = this.#observers.map(({ every, counter }) => counter === undefined ? 0 : every);
    this.#counted = { ...NO_KEYS, weights, isNoticed: false, isOnlyCounted: true };
    this.#drawAll();
    this.left = this.#gap();
  }

  /** Draws what the next samples are. */
  #drawAll(): void {
    for (let i = 0; i < DRAWN; i++) {
      this.#drawn[i] = this.#draw();
      this.#gaps[i] = this.#gap();
    }
    this.#taken = 0;
  }

  /** The gap to the next of requests that are each taken with one probability. */
  #gap(): number {
    const every = this.#every;
    if (every === 0) return FAR;
    if (every <= 1) return 1;
    return Math.min(FAR, 1 + Math.floor(Math.log(1 - this.#random()) * this.#gapFactor));
  }

  /** What is drawn for the request with which the countdown has ended; the countdown begins again. */
  #next(): RequestSample | null {
    if (this.#taken === DRAWN) this.#drawAll();
    this.left = this.#gaps[this.#taken]!;
    return this.#drawn[this.#taken++]!;
  }

  /** The countdown has ended with this request, which is being dispatched. Copies what it needs. */
  take(request: Request, client: WatchedClient): void {
    const sample = this.#next();
    if (sample === null) return;
    const { parser, database } = client;
    if (!request.isRemembered) {
      request.remember(parser.bytes, parser.requestStart, parser.requestEnd);
    }
    request.sample = sample;
    // What passes through is told by `hasKeys`: the parser may have another request by now.
    if (parser.count < parser.announced) return;
    const { command } = request;
    if (command!.singleKey === 0) this.#count(sample, command!, parser, database);
    else this.#countLater(sample, command!, parser, database);
    if (sample.isOnlyCounted) return;
    const { keys, keyWeight } = this.#fewKeysOf(command!, parser, database);
    sample.keys = keys;
    sample.keyWeight = keyWeight;
  }

  /** Who sees the request that is taken; null: nobody. */
  #draw(): RequestSample | null {
    if (this.#every === 0) return null;
    let isSeen = false;
    let isCounted = false;
    for (let i = 0; i < this.#observers.length; i++) {
      const observer = this.#observers[i]!;
      const weight = this.#weights[i] = this.#weightFor(observer);
      if (weight > 0 && observer.counter === undefined) isSeen = true;
      else if (weight > 0) isCounted = true;
    }
    if (!isSeen) return isCounted ? this.#counted : null;
    const weights = this.#weights.slice();
    return { ...NO_KEYS, weights, isNoticed: false, isOnlyCounted: false };
  }

  /** For how many requests one that was taken stands; 0: the observer does not see it. */
  #weightFor({ every }: SampleObserver): number {
    return every > 0 && (every <= this.#every || this.#random() * every < this.#every) ? every : 0;
  }

  /** The only key of a request is counted with those of others. */
  #countLater(sample: RequestSample, command: Command, args: Arguments, database: number): void {
    const weight = this.#counterAt < 0 ? 0 : sample.weights[this.#counterAt]!;
    if (weight === 0) return;
    const start = args.start(command.singleKey);
    const end = args.end(command.singleKey);
    if (end - start > KEY_BYTES_MAX) return this.#count(sample, command, args, database);
    const keys = this.#keys;
    const isOld = clock.nowMs - keys.sinceMs > UNCOUNTED_MS_MAX;
    if (keys.count > 0 && (isOld || !keys.hasRoomFor(end - start))) this.countAll();
    if (keys.count === 0) keys.sinceMs = clock.nowMs;
    keys.add(args.bytes, start, end, database, !command.isReadOnly, weight);
  }

  /** The keys that wait to be counted are counted now. */
  countAll(): void {
    const keys = this.#keys;
    const counter = this.#observers[this.#counterAt]?.counter;
    if (this.#isCounting || counter === undefined) return;
    this.#isCounting = true; // while it counts, it may change how many it wants
    for (let i = 0; i < keys.count; i++) {
      const weight = keys.weight(i);
      const [start, end] = [keys.start(i), keys.end(i)];
      counter.requested(weight);
      counter.named(
        this.#named(keys.isWrite(i), keys.bytes, start, end, keys.database(i)),
        weight,
      );
    }
    keys.clear();
    this.#isCounting = false;
  }

  /** Tells who counts keys those of a request; where it stands for others, one of its keys stands for all. */
  #count({ weights }: RequestSample, command: Command, args: Arguments, database: number): void {
    const counter = this.#observers[this.#counterAt]?.counter;
    const weight = weights[this.#counterAt] ?? 0;
    const count = weight === 0 ? 0 : this.#keyIndexes(command, args);
    if (count <= 0 || counter === undefined) return;
    const isOne = weight > 1;
    const { few, from } = fewFrom(count, this.#random, isOne ? 1 : KEYS_MAX);
    counter.requested(weight);
    for (let i = 0; i < few; i++) {
      const at = KEYS.values[(from + i) % count]!;
      // A request counts once for each key, and finds one that it names twice twice as often.
      const times = weight * count / few / (isOne ? timesNamed(args, at, count) : 1);
      const { bytes } = args;
      const key = this.#named(!command.isReadOnly, bytes, args.start(at), args.end(at), database);
      counter.named(key, times);
    }
  }

  #keyIndexes(command: Command, args: Arguments): number {
    if (command.channelIndex > 0) return 0;
    return keyIndexesByRules(command, args, this.#placement(), KEYS);
  }

  /** The key `bytes[start, end)` of a request, until the next one is asked for. */
  #named(
    isWrite: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    database: number,
  ): NamedKey {
    NAMED.bytes = bytes;
    NAMED.start = start;
    NAMED.end = end;
    NAMED.keyBytes = end - start;
    NAMED.database = database;
    NAMED.slotId = this.#placement().slotIdOf(bytes, start, end);
    NAMED.isWrite = isWrite;
    return NAMED;
  }

  /**
   * A request that is being dispatched is large, or will have a large reply: who looks at those sees it. Copies
   * what it needs.
   */
  notice(request: Request, client: WatchedClient): void {
    if (this.#every === 0) return;
    this.noticeKeys(request, this.#fewKeysOf(request.command!, client.parser, client.database));
  }

  /** The same of a request that passes through, with these keys. */
  noticeKeys(request: Request, keys: FewKeys): void {
    if (this.#every === 0) return;
    const weights = request.sample?.weights ?? NO_WEIGHTS;
    request.sample = { ...keys, weights, isNoticed: true, isOnlyCounted: false };
  }

  /** The reply to a request has become large: as {@linkcode Sampling.notice}, if it is known what was asked. */
  noticeReply(request: Request): void {
    if (this.#every === 0 || request.sample?.isNoticed === true) return;
    const keys = this.keysAtBeginning(request);
    if (keys.length > 0) this.noticeKeys(request, fewOf(keys, this.#random));
  }

  /** The keys of a request of which the beginning is remembered, as far as they are whole there. */
  keysAtBeginning({ command, beginningBytes, database }: Request): SampledKey[] {
    if (command === null || beginningBytes.length === 0) return [];
    return this.keysOf(command, new BeginningArguments(beginningBytes).dropCut(), database);
  }

  /** The countdown has ended with a command that was answered at once. */
  takeAtOnce(command: Command, client: WatchedClient, reply: Uint8Array): void {
    const weights = this.#next()?.weights ?? NO_WEIGHTS;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i]! > 0) this.#observers[i]!.sampledAtOnce?.(command, client, reply, weights[i]!);
    }
  }

  /** For how many requests this one stands for an observer; 0: that one does not see it. */
  weightOf({ sample }: Request, observer: SampleObserver): number {
    return sample?.weights[this.#observers.indexOf(observer)] ?? 0;
  }

  /** The keys that a request names. Borrows its arguments until it returns. */
  keysOf(command: Command, args: Arguments, database: number): SampledKey[] {
    const count = this.#keyIndexes(command, args);
    const keys: SampledKey[] = [];
    for (let i = 0; i < count; i++) {
      const at = KEYS.values[i]!;
      keys.push(this.keyOf(command, args.bytes, args.start(at), args.end(at), database));
    }
    return keys;
  }

  /** A few of the keys that a request names; the others are not copied. Borrows its arguments until it returns. */
  #fewKeysOf(command: Command, args: Arguments, database: number): FewKeys {
    const count = this.#keyIndexes(command, args);
    if (count <= 0) return NO_KEYS;
    const { few, from } = fewFrom(count, this.#random);
    const keys = Array.from({ length: few }, (_, i) => {
      const at = KEYS.values[(from + i) % count]!;
      return this.keyOf(command, args.bytes, args.start(at), args.end(at), database);
    });
    return { keys, keyWeight: count / few };
  }

  /** The key `bytes[start, end)` of a request. Copies it. */
  keyOf(
    command: Command,
    bytes: Uint8Array,
    start: number,
    end: number,
    database: number,
  ): SampledKey {
    return copyKey(this.#named(!command.isReadOnly, bytes, start, end, database));
  }

  /** A sampled request has other keys than its arguments say: it was queued before, or has passed through. */
  hasKeys(request: Request, keys: readonly SampledKey[]): void {
    const { sample } = request;
    if (sample === null) return;
    const few = fewOf(keys, this.#random);
    for (const [o, weight] of sample.weights.entries()) {
      const { counter } = this.#observers[o]!;
      if (weight === 0 || counter === undefined || keys.length === 0) continue;
      counter.requested(weight);
      for (const { key, ...more } of few.keys) {
        const bytes = latin1Bytes(key);
        counter.named({ ...more, bytes, start: 0, end: bytes.length }, weight * few.keyWeight);
      }
    }
    request.sample = { ...sample, ...few };
  }

  /** A sampled request is answered: one that was only counted is none any more, unless it is large. */
  answered(request: Request): void {
    if (!request.sample!.isOnlyCounted) return;
    const { requestBytes, replyBytes } = request;
    if (requestBytes < COUNTED_BYTES_MIN && replyBytes < COUNTED_BYTES_MIN) request.sample = null;
  }

  /** A sampled request has come to its end. */
  ended(request: Request, client: WatchedClient, end: RequestEnd): void {
    const { weights, isNoticed } = request.sample!;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i]! > 0) this.#observers[i]!.sampled(request, client, weights[i]!, end);
    }
    if (isNoticed) { for (const observer of this.#observers) observer.noticed?.(request); }
  }
}

/** A few of a request's keys, and for how many each of them stands. */
type FewKeys = Pick<RequestSample, "keys" | "keyWeight">;

const NO_KEYS: FewKeys = { keys: [], keyWeight: 1 };

/** How often a request names the key that is argument `at`; of one with many keys it is not looked at: 1. */
function timesNamed(args: Arguments, at: number, count: number): number {
  if (count > KEYS_MAX) return 1;
  const { bytes } = args;
  const [start, end] = [args.start(at), args.end(at)];
  let times = 0;
  for (let i = 0; i < count; i++) {
    const other = KEYS.values[i]!;
    if (isSameSpan(bytes, start, end, bytes, args.start(other), args.end(other))) times++;
  }
  return times;
}

/** How many of a request's keys are looked at, neighbours from anywhere: each with one probability. */
function fewFrom(
  count: number,
  random: () => number,
  most = KEYS_MAX,
): { few: number; from: number } {
  if (count <= most) return { few: count, from: 0 };
  return { few: most, from: Math.floor(random() * count) };
}

/** The same of keys that are there already. */
function fewOf(keys: readonly SampledKey[], random: () => number): FewKeys {
  if (keys.length <= KEYS_MAX) return { keys, keyWeight: 1 };
  const { few, from } = fewFrom(keys.length, random);
  const shown = Array.from({ length: few }, (_, i) => keys[(from + i) % keys.length]!);
  return { keys: shown, keyWeight: keys.length / few };
}
