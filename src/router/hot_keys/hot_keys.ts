/**
 * Hot and big keys of one router: which keys its clients ask for most, and which have large requests and replies.
 *
 *     sampled request ─► its keys ─► key_counts.ts: requests of the last tens of seconds
 *     large request or reply ──────► big_keys.ts: the largest of the last day
 *
 * So many requests are sampled that their number for each second stays about the same: all of a light load, few
 * of a heavy one. Then shares are as exact, and cost as little, whatever the load is.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Request } from "../request.ts";
import type { NamedKey, SampledKey } from "../sampling/sample.ts";
import type { KeyCounter, SampleObserver } from "../sampling/sampling.ts";
import { BIG_BYTES_MIN, type BigKey, SeenBigKeys } from "./big_keys.ts";
import { KeyCounts, keyHashes, keyName } from "./key_counts.ts";

/** After so long, what was counted counts half; in milliseconds. */
const HALF_LIFE_MS = 15_000;
/** How often counts fade, in milliseconds. */
const FADE_MS = 1_000;
/** How often it is decided how many requests are sampled, in milliseconds. */
const PACE_MS = 100;
/** A rate that differs by less is left as it is. */
const PACE_TOLERANCE = 0.1;
/** No load is so heavy that fewer must be sampled. */
const EVERY_MAX = 1_000_000;
/** Keys of one request that are told apart; no more are told. */
const HASHES_MAX = 16;
/** Figures of less time than this are taken for those of so long, in milliseconds. */
const COUNTED_MS_MIN = 1_000;

/** How often a key is asked for, in plain values: what workers tell each other. */
export interface HotKey {
  /** One character for each byte; cut. */
  readonly key: string;
  /** How many bytes the key's name has. */
  readonly keyBytes: number;
  readonly database: number;
  readonly slot: number;
  /** The server of its slot now; empty for none. */
  readonly server: string;
  /** Requests for each second that name it, lately. */
  readonly reads: number;
  readonly writes: number;
}

/** What a router has. */
export interface HotKeysReading {
  /** Whether keys are counted. */
  readonly isOn: boolean;
  /** Requests with keys, for each second, lately. */
  readonly requests: number;
  /** In no order. */
  readonly hot: readonly HotKey[];
  readonly big: readonly BigKey[];
}

/** Which of them are to be forgotten, once they are read. */
export type ForgottenKeys = "" | "hot" | "big";

/** What hot keys need of their router. */
export interface HotKeysHost {
  /** The address of a slot's server; empty for none. */
  serverOf(slotId: number): string;
  /** The keys of a request, as far as they are remembered. */
  keysOf(request: Request): readonly SampledKey[];
  /** `every` has changed. */
  paceChanged(): void;
  /** Requests that were sampled and are not counted yet are counted now. */
  countAll(): void;
}

/** See the header. */
export class HotKeys implements SampleObserver, KeyCounter {
  every = 0;
  #perSecond = 0;
  readonly #host: HotKeysHost;
  readonly #counts = new KeyCounts();
  /** Of the keys of one request, how many are known, and their hashes: each counts once. */
  #named = 0;
  readonly #hashes = new Float64Array(HASHES_MAX);
  readonly #big = new SeenBigKeys();
  /** Requests with keys, faded as those of each key. */
  #requests = 0;
  /** In how much time, which fades alike. */
  #countedMs = 0;
  #fadedMs: number = clock.nowMs;
  /** Since when it is counted how many requests are sampled; those requests, and for how many they stand. */
  #paceMs: number = clock.nowMs;
  #paceSamples = 0;
  #paceRequests = 0;

  /**
   * @param perSecond Requests for each second that are sampled at most; 0: none.
   */
  constructor(perSecond: number, host: HotKeysHost) {
    this.#host = host;
    this.#setPerSecond(perSecond);
  }

  /** So many requests for each second are sampled from now on; with 0, what is known of keys is forgotten. */
  set perSecond(perSecond: number) {
    if (perSecond === this.#perSecond) return;
    this.#host.countAll();
    this.#setPerSecond(perSecond);
    if (perSecond === 0) {
      this.#forgetHot();
      this.#big.clear();
    }
    this.#host.paceChanged();
  }

  #setPerSecond(perSecond: number): void {
    this.#perSecond = perSecond;
    this.every = perSecond > 0 ? 1 : 0;
    this.#paceSamples = this.#paceRequests = 0;
    this.#paceMs = clock.nowMs;
  }

  /** It counts keys itself. */
  get counter(): KeyCounter {
    return this;
  }

  requested(weight: number): void {
    this.#named = 0;
    this.#pace(weight);
    this.#fade();
    this.#requests += weight;
  }

  named(key: NamedKey, times: number): void {
    const hash = keyHashes(key);
    for (let i = 0; i < this.#named; i++) if (this.#hashes[i] === hash) return;
    if (this.#named < HASHES_MAX) this.#hashes[this.#named++] = hash;
    this.#counts.add(key, hash, times);
  }

  sampled(request: Request): void {
    this.#addBig(request);
  }

  noticed(request: Request): void {
    this.#addBig(request);
  }

  #addBig(request: Request): void {
    if (this.#perSecond === 0) return; // it came while that was not so
    const { requestBytes, replyBytes, command } = request;
    if (requestBytes < BIG_BYTES_MIN && replyBytes < BIG_BYTES_MIN) return;
    const sample = request.sample!;
    const keys = sample.keys.length > 0 ? sample.keys : this.#host.keysOf(request);
    const [key] = keys;
    if (key === undefined || command === null) return;
    const carrier = request.backend ?? request.lastBackend;
    const seen = {
      server: carrier?.server.address ?? "",
      command: command.name,
      hasMoreKeys: keys.length > 1 || sample.keyWeight > 1,
      atMs: Date.now(),
    };
    this.#big.add(key, { ...seen, isReply: true, bytes: replyBytes });
    this.#big.add(key, { ...seen, isReply: false, bytes: requestBytes });
  }

  /** Decides how many requests are sampled from now on. */
  #pace(weight: number): void {
    this.#paceSamples++;
    this.#paceRequests += weight;
    const ms = clock.nowMs - this.#paceMs;
    const isTooMany = this.#paceSamples >= this.#perSecond * PACE_MS / 1000;
    if (ms < PACE_MS && !isTooMany) return;
    const perSecond = this.#paceRequests * 1000 / Math.max(1, ms);
    // A burst says little of the rate: what follows may be nothing.
    const most = ms < PACE_MS ? 2 * this.every : EVERY_MAX;
    const wanted = Math.min(most, Math.max(1, perSecond / this.#perSecond));
    this.#paceMs = clock.nowMs;
    this.#paceSamples = this.#paceRequests = 0;
    if (Math.abs(wanted - this.every) < this.every * PACE_TOLERANCE) return;
    this.every = wanted;
    this.#host.paceChanged();
  }

  #fade(): void {
    const ms = clock.nowMs - this.#fadedMs;
    if (ms < FADE_MS) return;
    const factor = 2 ** (-ms / HALF_LIFE_MS);
    this.#fadedMs = clock.nowMs;
    this.#counts.fade(factor);
    this.#requests *= factor;
    this.#countedMs = (this.#countedMs + ms) * factor;
  }

  /** What it has, before it forgets what it is told to. */
  read(forgotten: ForgottenKeys): HotKeysReading {
    this.#host.countAll();
    this.#fade();
    const ms = Math.max(COUNTED_MS_MIN, this.#countedMs + clock.nowMs - this.#fadedMs);
    const perSecond = (count: number) => count * 1000 / ms;
    const hot = Array.from(this.#counts.listed(), (counted): HotKey => {
      const { key, keyBytes, database, slotId: slot, count, reads, writes } = counted;
      const all = perSecond(count);
      const written = all * writes / (reads + writes);
      const server = this.#host.serverOf(slot);
      return { key, keyBytes, database, slot, server, reads: all - written, writes: written };
    });
    const requests = perSecond(this.#requests);
    const reading = { isOn: this.#perSecond > 0, requests, hot, big: this.#big.listed() };
    if (forgotten === "hot") this.#forgetHot();
    if (forgotten === "big") this.#big.clear();
    return reading;
  }

  #forgetHot(): void {
    this.#counts.clear();
    this.#requests = this.#countedMs = 0;
    this.#fadedMs = clock.nowMs;
  }
}

/** The readings of several routers as that of one: the hottest and the largest come first. */
export function sumHotKeys(readings: readonly HotKeysReading[]): HotKeysReading {
  const hot = new Map<string, HotKey>();
  for (const key of readings.flatMap((reading) => reading.hot)) {
    const name = keyName(key);
    const { reads, writes } = hot.get(name) ?? { reads: 0, writes: 0 };
    hot.set(name, { ...key, reads: reads + key.reads, writes: writes + key.writes });
  }
  const big = new Map<string, BigKey>();
  for (const key of readings.flatMap((reading) => reading.big)) {
    const name = `${key.isReply}:${keyName(key)}`;
    if ((big.get(name)?.bytes ?? 0) < key.bytes) big.set(name, key);
  }
  return {
    isOn: readings.some(({ isOn }) => isOn),
    requests: readings.reduce((sum, { requests }) => sum + requests, 0),
    hot: [...hot.values()].sort((a, b) => b.reads + b.writes - a.reads - a.writes),
    big: [...big.values()].sort((a, b) => b.bytes - a.bytes),
  };
}
