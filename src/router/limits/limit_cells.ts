/**
 * What the workers of one proxy count together of limited users, in memory that they share. Each user has a
 * place in it as long as it is limited.
 *
 *      place ─┬─ two buckets, for all workers: requests, bytes      (shared_bucket.ts)
 *             └─ counts of each worker: requests, bytes, …
 *
 * @module
 */

import { BUCKET_CELLS } from "./shared_bucket.ts";

/** What is counted of a user in each worker. */
export const USER_COUNTS = ["requests", "bytes", "delayed", "refused"] as const;

/** One of {@linkcode USER_COUNTS}. */
export type UserCount = (typeof USER_COUNTS)[number];

/** Most users with limits. */
export const LIMITED_USERS_MAX = 128;

const BUCKETS = 2;

/** A user's limits as the data plane has them; 0: none. */
export interface NamedLimits {
  /** One character for each byte. */
  readonly name: string;
  /** Where its cells are. */
  readonly place: number;
  /** For each second. */
  readonly requests: number;
  /** For each second, of requests and replies. */
  readonly bytes: number;
  readonly connections: number;
}

/** A user's limits, before it has a place. */
export type UserTake = Omit<NamedLimits, "place">;

/** The shared memory; all of it may be posted to a worker. */
export interface LimitCells {
  readonly buckets: Int32Array<SharedArrayBuffer>;
  readonly counts: Float64Array<SharedArrayBuffer>;
  readonly connections: Int32Array<SharedArrayBuffer>;
  readonly workers: number;
}

/** Makes the memory for so many workers. */
export function newLimitCells(workers: number): LimitCells {
  const all = LIMITED_USERS_MAX * workers;
  return {
    buckets: new Int32Array(new SharedArrayBuffer(4 * LIMITED_USERS_MAX * BUCKETS * BUCKET_CELLS)),
    counts: new Float64Array(new SharedArrayBuffer(8 * all * USER_COUNTS.length)),
    connections: new Int32Array(new SharedArrayBuffer(4 * all)),
    workers,
  };
}

/** Where a bucket of a place begins. */
export function bucketAt(place: number, bucket: "requests" | "bytes"): number {
  return (place * BUCKETS + (bucket === "requests" ? 0 : 1)) * BUCKET_CELLS;
}

/** Where a worker counts at a place. */
export function countsAt({ workers }: LimitCells, place: number, worker: number): number {
  return (place * workers + worker) * USER_COUNTS.length;
}

/** Connections of a place in all workers. */
export function connectionsOf({ connections, workers }: LimitCells, place: number): number {
  let total = 0;
  for (let i = place * workers; i < (place + 1) * workers; i++) {
    total += Atomics.load(connections, i);
  }
  return total;
}

/** A worker has died, and its clients with it. */
export function endConnections({ connections, workers }: LimitCells, worker: number): void {
  for (let i = worker; i < connections.length; i += workers) Atomics.store(connections, i, 0);
}

/** What was counted of a limited user, in all workers. */
export type UserUsage =
  & { readonly name: string; readonly connections: number }
  & Readonly<Record<UserCount, number>>;

/** Gives users places, and reads what was counted there. */
export class LimitPlaces {
  readonly #cells: LimitCells;
  #limits: readonly NamedLimits[] = [];

  /** Nobody is limited yet. */
  constructor(cells: LimitCells) {
    this.#cells = cells;
  }

  /** The limits that are in force. */
  get all(): readonly NamedLimits[] {
    return this.#limits;
  }

  /** Gives each user its place; those that had one keep it. The first {@linkcode LIMITED_USERS_MAX} get one. */
  assign(users: readonly UserTake[]): readonly NamedLimits[] {
    const known = new Map(this.#limits.map(({ name, place }) => [name, place]));
    // Of those that are limited no more, too: their clients count there until all workers know.
    const taken = new Set(known.values());
    let next = 0;
    const placeFor = () => {
      while (taken.has(next)) next++;
      taken.add(next);
      this.#empty(next);
      return next;
    };
    return this.#limits = users.slice(0, LIMITED_USERS_MAX).map((user) => ({
      ...user,
      place: known.get(user.name) ?? placeFor(),
    }));
  }

  #empty(place: number): void {
    const { buckets, counts, workers } = this.#cells;
    buckets.fill(0, bucketAt(place, "requests"), bucketAt(place + 1, "requests"));
    const from = countsAt(this.#cells, place, 0);
    counts.fill(0, from, from + workers * USER_COUNTS.length);
  }

  /** What was counted since each user is limited. */
  usage(): readonly UserUsage[] {
    return this.#limits.map(({ name, place }) => {
      const { counts, workers } = this.#cells;
      const sum = (k: number) => {
        let total = 0;
        for (let i = 0; i < workers; i++) total += counts[countsAt(this.#cells, place, i) + k]!;
        return total;
      };
      return {
        name,
        ...Object.fromEntries(USER_COUNTS.map((count, k) => [count, sum(k)])),
        connections: connectionsOf(this.#cells, place),
      } as UserUsage;
    });
  }
}
