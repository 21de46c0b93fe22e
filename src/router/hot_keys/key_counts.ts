/**
 * Counts how often keys were asked for lately, in a fixed memory, and knows those with the highest counts.
 *
 *     key ─► 4 of 16 384 counters, the least of which is its count ─► among the highest? ─► list of 128 keys
 *                each second: all × 0.955
 *
 * A count-min sketch (Cormode and Muthukrishnan, 2005), of whose counters only the least are raised (Estan and
 * Varghese's conservative update, 2002), with a list of the highest. Redis's TOPK uses HeavyKeeper (Gong et al.,
 * USENIX ATC 2018), which needs fewer counters, but counts single hits by chance and lets keys fade by the hits of
 * others. Our hits are samples, each of which stands for a different number of requests, and keys must fade with
 * time. The counters of a sketch may be multiplied by any factor: what was true of them stays true. It never counts
 * too little, and too much by about a 4 000th part of what the keys outside the list get; 64 KB are no burden.
 *
 * @module
 */

import { copyKey, KEY_BYTES_MAX, type NamedKey, type SampledKey } from "../sampling/sample.ts";

const ROWS = 4;
/** Counters of a row; a power of two. */
const COLUMNS = 4096;
/** Keys in the list. */
const LISTED_MAX = 128;
/**
 * By how much a count must be above the least in the list to take its place: else keys that are all asked for
 * alike would drive each other out all the time.
 */
const AHEAD = 1.1;
/** Keys that have faded to less requests than this are forgotten. */
const FORGOTTEN_BELOW = 0.01;

/** A key in the list. Counts are requests, and fade. */
export interface CountedKey extends SampledKey {
  count: number;
  /** Those of them that were counted since it is in the list, by kind. */
  reads: number;
  writes: number;
}

/** One name for each key of each database. */
export function keyName(
  { key, keyBytes, database }: Pick<SampledKey, "key" | "keyBytes" | "database">,
): string {
  return `${database}:${keyBytes}:${key}`;
}

/** See the header. */
export class KeyCounts {
  readonly #counters = new Float32Array(ROWS * COLUMNS);
  readonly #listed = new Map<number, CountedKey>();
  /** No key in the list has a lower count, unless counts have faded. */
  #least = 0;

  /**
   * A key was asked for, so many times. Copies it if it is listed.
   *
   * @param hash Its {@linkcode keyHashes}.
   */
  add(key: NamedKey, hash: number, times: number): void {
    const count = this.#count(hash, times);
    let listed = this.#listed.get(hash);
    if (listed === undefined) {
      if (this.#listed.size >= LISTED_MAX && !this.#isHigher(count)) return;
      listed = { ...copyKey(key), count: count - times, reads: 0, writes: 0 };
      this.#listed.set(hash, listed);
    }
    listed.count += times;
    if (key.isWrite) listed.writes += times;
    else listed.reads += times;
  }

  /** Adds to a key's counters; returns its count. */
  #count(hash: number, times: number): number {
    const counters = this.#counters;
    const first = hash | 0;
    const step = Math.floor(hash / 2 ** 32) | 1;
    let least = Infinity;
    for (let row = 0; row < ROWS; row++) least = Math.min(least, counters[at(first, step, row)]!);
    const count = least + times;
    for (let row = 0; row < ROWS; row++) {
      const i = at(first, step, row);
      if (counters[i]! < count) counters[i] = count;
    }
    return count;
  }

  /** Whether a count is clearly above the least in the list, which leaves it then. */
  #isHigher(count: number): boolean {
    if (count <= this.#least * AHEAD) return false;
    let least = Infinity;
    let leastHash = 0;
    for (const [hash, listed] of this.#listed) {
      if (listed.count >= least) continue;
      least = listed.count;
      leastHash = hash;
    }
    this.#least = least;
    return count > least * AHEAD && this.#listed.delete(leastHash);
  }

  /** All counts become less. */
  fade(factor: number): void {
    const counters = this.#counters;
    for (let i = 0; i < counters.length; i++) counters[i]! *= factor;
    this.#least *= factor;
    for (const [hash, listed] of this.#listed) {
      listed.count *= factor;
      listed.reads *= factor;
      listed.writes *= factor;
      if (listed.count < FORGOTTEN_BELOW) this.#listed.delete(hash);
    }
  }

  /** The keys in the list, in no order. */
  listed(): Iterable<Readonly<CountedKey>> {
    return this.#listed.values();
  }

  /** Forgets all. */
  clear(): void {
    this.#counters.fill(0);
    this.#listed.clear();
    this.#least = 0;
  }
}

/** Where a key's counter is in a row. */
function at(first: number, step: number, row: number): number {
  const mixed = first + Math.imul(row, step);
  return row * COLUMNS + ((mixed ^ (mixed >>> 16)) & (COLUMNS - 1));
}

/** A key's name, length and database as 53 bits: two FNV-1a hashes, by which all keys are told apart. */
export function keyHashes({ bytes, start, end, keyBytes, database }: NamedKey): number {
  let first = 0x811c9dc5 ^ keyBytes;
  let second = 0x5bd1e995 ^ database;
  const cut = Math.min(end, start + KEY_BYTES_MAX);
  for (let i = start; i < cut; i++) {
    first = Math.imul(first ^ bytes[i]!, 0x01000193);
    second = Math.imul(second ^ bytes[i]!, 0x01000193) + i - start | 0;
  }
  first = Math.imul(first ^ database, 0x85ebca6b);
  second = Math.imul(second ^ (second >>> 15), 0xc2b2ae35);
  return (first >>> 0) + (second >>> 11) * 2 ** 32;
}
