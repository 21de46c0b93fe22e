/**
 * Takes some requests out of all, for those who look at a part of them only: one countdown for all observers.
 *
 *     enqueued ─► left = 0? ─ no ─► (nothing)
 *                    └─ yes ─► its keys are copied ─► … ─► written to its client ─► observers
 *
 * Each request is taken with the same probability, whatever was taken before it, so that a load with a period
 * of its own does not deceive. An observer that wants fewer than are taken sees some of them. While nobody
 * observes, the countdown begins far away.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { KeyIndexes } from "../../command/key.ts";
import type { Placement } from "../../hash/placement.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import { keyIndexesByRules } from "../dispatch/script_keys.ts";
import type { Request } from "../request.ts";
import type { RequestEnd, WatchedClient } from "../slow_log/watched_client.ts";
import type { SampledKey } from "./sample.ts";

/** Where a countdown begins that does not matter; V8 keeps it as a small integer. */
const FAR = 2 ** 30 - 1;
/** Keys of one request that are looked at. */
const KEYS_MAX = 16;
/** Bytes of a key that are copied. */
const KEY_BYTES_MAX = 512;

const KEYS = new KeyIndexes();

/** Who sees some of the requests. */
export interface SampleObserver {
  /** Each request is seen with the probability 1/every, at least 1; 0: none is. See {@linkcode Sampling.changed}. */
  readonly every: number;
  /**
   * A sampled request is written to its client, or its client is gone. Borrows all until it returns.
   *
   * @param weight For how many requests it stands.
   */
  sampled(request: Request, client: WatchedClient, weight: number, end: RequestEnd): void;
  /** The same of a command that the proxy has answered at once; `reply` is borrowed, too. */
  sampledAtOnce?(command: Command, client: WatchedClient, reply: Uint8Array, weight: number): void;
}

/** See the header. */
export class Sampling {
  /** Requests until the next sample, with that one. */
  left = FAR;
  /** One of so many requests is taken; 0: none. */
  #every = 0;
  readonly #observers: SampleObserver[] = [];
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
    this.changed();
  }

  /** How many requests an observer wants has changed. */
  changed(): void {
    const wanted = this.#observers.map(({ every }) => every).filter((every) => every > 0);
    this.#every = wanted.length === 0 ? 0 : Math.min(...wanted);
    this.#countDown();
  }

  /** The gap to the next of requests that are each taken with one probability. */
  #countDown(): void {
    const every = this.#every;
    if (every === 0) this.left = FAR;
    else if (every <= 1) this.left = 1;
    else {
      const gap = Math.log(1 - this.#random()) / Math.log1p(-1 / every);
      this.left = Math.min(FAR, 1 + Math.floor(gap));
    }
  }

  /** The countdown has ended with this request, which is being dispatched. Copies what it needs. */
  take(request: Request, client: WatchedClient): void {
    const every = this.#every;
    this.#countDown();
    if (every === 0) return;
    const weights = this.#observers.map((observer) => this.#weightFor(observer, every));
    const { parser } = client;
    request.remember(parser.bytes, parser.requestStart, parser.requestEnd);
    const keys = this.keysOf(request.command!, parser, client.database);
    request.sample = { ...fewOf(keys, this.#random), weights };
  }

  /** For how many requests one that was taken stands; 0: the observer does not see it. */
  #weightFor(observer: SampleObserver, every: number): number {
    const isSeen = observer.every > 0 && this.#random() * observer.every < every;
    return isSeen ? observer.every : 0;
  }

  /** The countdown has ended with a command that was answered at once. */
  takeAtOnce(command: Command, client: WatchedClient, reply: Uint8Array): void {
    const every = this.#every;
    this.#countDown();
    if (every === 0) return;
    for (const observer of this.#observers) {
      const weight = this.#weightFor(observer, every);
      if (weight > 0) observer.sampledAtOnce?.(command, client, reply, weight);
    }
  }

  /** For how many requests this one stands for an observer; 0: that one does not see it. */
  weightOf({ sample }: Request, observer: SampleObserver): number {
    return sample?.weights[this.#observers.indexOf(observer)] ?? 0;
  }

  /** The keys that a request names. Borrows its arguments until it returns. */
  keysOf(command: Command, args: Arguments, database: number): SampledKey[] {
    if (command.channelIndex > 0) return [];
    const count = keyIndexesByRules(command, args, this.#placement(), KEYS);
    const keys: SampledKey[] = [];
    for (let i = 0; i < count; i++) {
      const at = KEYS.values[i]!;
      keys.push(this.keyOf(command, args.bytes, args.start(at), args.end(at), database));
    }
    return keys;
  }

  /** The key `bytes[start, end)` of a request. Copies it. */
  keyOf(
    command: Command,
    bytes: Uint8Array,
    start: number,
    end: number,
    database: number,
  ): SampledKey {
    return {
      key: latin1(bytes, start, Math.min(end, start + KEY_BYTES_MAX)),
      keyBytes: end - start,
      database,
      slotId: this.#placement().slotIdOf(bytes, start, end),
      isWrite: !command.isReadOnly,
    };
  }

  /** A sampled request has other keys than those it names: what it executes was queued before. */
  hasKeys(request: Request, keys: readonly SampledKey[]): void {
    if (request.sample !== null) Object.assign(request.sample, fewOf(keys, this.#random));
  }

  /** A sampled request has come to its end. */
  ended(request: Request, client: WatchedClient, end: RequestEnd): void {
    const { weights } = request.sample!;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i]! > 0) this.#observers[i]!.sampled(request, client, weights[i]!, end);
    }
  }
}

/** Neighbours among the keys of a request, from anywhere: each key is among them with one probability. */
function fewOf(keys: readonly SampledKey[], random: () => number) {
  if (keys.length <= KEYS_MAX) return { keys, keyWeight: 1 };
  const from = Math.floor(random() * keys.length);
  const few = Array.from(
    { length: KEYS_MAX },
    (_, i) => keys[(from + i) % keys.length]!,
  );
  return { keys: few, keyWeight: keys.length / KEYS_MAX };
}
