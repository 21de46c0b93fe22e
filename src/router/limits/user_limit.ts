/**
 * How one limited user is slowed down in one worker.
 *
 *      request ─► nobody waits, and something is left? ─ yes ─► taken, paid for afterwards
 *                     └─ no ─► the client is not read ─┬─ its turn comes ─► one request taken
 *                                                      └─ waitMs passed ─► the next request is refused
 *
 * Clients wait in the order in which they came; one timer serves all of them, and none runs while nobody
 * waits. A client that waits is not read, so that its own sending stops: nothing piles up here.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { textOfBytes } from "../../acl/users.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";
import {
  bucketAt,
  connectionsOf,
  countsAt,
  type LimitCells,
  type NamedLimits,
} from "./limit_cells.ts";
import { SharedBucket } from "./shared_bucket.ts";

/** Longest time that a request waits, in milliseconds. */
export const LIMIT_WAIT_MS = 5_000;
/** Shortest and longest time until waiting clients are looked at, in milliseconds. */
const LOOK_MS_MIN = 2;
const LOOK_MS_MAX = 100;
/** Clients that go on at once, where only bytes are limited. */
const TURNS_MAX = 64;

/** A client of a limited user. */
export interface LimitedClient extends BudgetWaiter {
  readonly replies: { readonly sentBytes: number };
}

/** See the header. */
export class UserLimit {
  readonly requests: SharedBucket;
  readonly bytes: SharedBucket;
  readonly #cells: LimitCells;
  readonly #worker: number;
  /** Where this worker counts. */
  readonly #counts: number;
  readonly #waiting = new Set<Allowance>();
  #limits: NamedLimits;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(cells: LimitCells, worker: number, limits: NamedLimits) {
    this.#cells = cells;
    this.#worker = worker;
    this.#limits = limits;
    this.#counts = countsAt(cells, limits.place, worker);
    this.requests = new SharedBucket(cells.buckets, bucketAt(limits.place, "requests"));
    this.bytes = new SharedBucket(cells.buckets, bucketAt(limits.place, "bytes"));
    this.become(limits);
  }

  /** The limits. */
  get limits(): NamedLimits {
    return this.#limits;
  }

  /** Takes other limits for the same place. */
  become(limits: NamedLimits): void {
    this.#limits = limits;
    this.requests.rate = limits.requests;
    this.bytes.rate = limits.bytes;
    this.#look();
  }

  /** Whether one more client would be too many. */
  get isFull(): boolean {
    const { connections, place } = this.#limits;
    return connections > 0 && connectionsOf(this.#cells, place) >= connections;
  }

  /**
   * Counts a client.
   *
   * @param isChecked Whether it may be one too many: then there is no allowance for it.
   */
  admit(client: LimitedClient, consumedBytes: number, isChecked: boolean): Allowance | null {
    const { connections, place } = this.#limits;
    // Counted first, so that two workers do not both take the last place.
    this.connect(1);
    if (isChecked && connections > 0 && connectionsOf(this.#cells, place) > connections) {
      this.connect(-1);
      this.#cells.counts[this.#counts + 3]!++;
      return null;
    }
    return new Allowance(this, client, consumedBytes);
  }

  /** Counts clients that come, or go when negative. */
  connect(count: number): void {
    const { connections, workers } = this.#cells;
    Atomics.add(connections, this.#limits.place * workers + this.#worker, count);
  }

  /** Pays for requests and bytes. */
  spend(requests: number, bytes: number): void {
    const { counts } = this.#cells;
    counts[this.#counts]! += requests;
    counts[this.#counts + 1]! += bytes;
    this.requests.take(requests);
    this.bytes.take(bytes);
  }

  /** Whether a client may go on without waiting. */
  get isFree(): boolean {
    if (this.#waiting.size > 0) return false;
    const nowMs = Date.now();
    this.requests.refill(nowMs);
    this.bytes.refill(nowMs);
    return this.requests.balance > 0 && this.bytes.balance > 0;
  }

  /** Lets a client wait for its turn. */
  wait(allowance: Allowance): void {
    this.#waiting.add(allowance);
    this.#cells.counts[this.#counts + 2]!++;
    this.#lookLater();
  }

  /** A request was refused. */
  refused(): void {
    this.#cells.counts[this.#counts + 3]!++;
  }

  /** A client waits no longer. */
  leave(allowance: Allowance): void {
    this.#waiting.delete(allowance);
  }

  /** Nobody has this limit any more: who waits goes on. */
  end(): void {
    clearTimeout(this.#timer);
    for (const allowance of this.#waiting) allowance.goOn(false);
    this.#waiting.clear();
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#waiting.size === 0) return;
    const waitMs = Math.max(this.requests.waitMs, this.bytes.waitMs, LOOK_MS_MIN);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, Math.min(waitMs, LOOK_MS_MAX));
  }

  #look(): void {
    if (this.#waiting.size === 0) return;
    const [nowMs, wallMs] = [clock.tick(), Date.now()];
    this.requests.refill(wallMs);
    this.bytes.refill(wallMs);
    let turns = this.bytes.balance > 0 ? Math.min(this.requests.balance, TURNS_MAX) : 0;
    for (const allowance of this.#waiting) {
      const isOverdue = nowMs - allowance.waitingSinceMs > LIMIT_WAIT_MS;
      if (turns-- <= 0 && !isOverdue) break;
      this.#waiting.delete(allowance);
      allowance.goOn(isOverdue);
    }
    this.#lookLater();
  }

  /** The error for a request that has waited too long. */
  get refusal(): string {
    const { name, requests, bytes } = this.#limits;
    const limits = [
      requests > 0 ? `${requests} requests/s` : "",
      bytes > 0 ? `${bytes} bytes/s` : "",
    ].filter((text) => text !== "").join(" and ");
    return `ERR user ${
      textOfBytes(name)
    } has used up its ${limits} at this proxy: the request has ` +
      `waited for ${LIMIT_WAIT_MS / 1000} s and was not executed`;
  }
}

/** What one client of a limited user has taken, and whether it waits. */
export class Allowance {
  readonly limit: UserLimit;
  /** Since when it waits, in clock milliseconds; 0: it does not. */
  waitingSinceMs = 0;
  readonly #client: LimitedClient;
  /** Whether its turn has come. */
  #isAdmitted = false;
  #isOverdue = false;
  /** What of it is paid for. */
  #consumedBytes: number;
  #sentBytes: number;

  constructor(limit: UserLimit, client: LimitedClient, consumedBytes: number) {
    this.limit = limit;
    this.#client = client;
    this.#consumedBytes = consumedBytes;
    this.#sentBytes = client.replies.sentBytes;
  }

  /**
   * Pays for what was taken since the last time, and tells what becomes of what comes next.
   *
   * @param consumedBytes All bytes of the client's input that were taken so far.
   * @param requests How many requests were taken at most.
   * @param hasMore Whether there is anything to take now.
   */
  next(consumedBytes: number, requests: number, hasMore: boolean): "go" | "wait" | "refuse" {
    const { limit } = this;
    const taken = consumedBytes - this.#consumedBytes;
    if (taken > 0) {
      this.#consumedBytes = consumedBytes;
      limit.spend(requests, taken);
    }
    if (!hasMore) return "go";
    if (this.waitingSinceMs > 0) return "wait";
    if (this.#isAdmitted) {
      this.#isAdmitted = false;
      return this.#isOverdue ? "refuse" : "go";
    }
    if (limit.isFree) return "go";
    this.waitingSinceMs = clock.nowMs;
    limit.wait(this);
    return "wait";
  }

  /** Pays for replies that were sent. */
  paySent(): void {
    const { sentBytes } = this.#client.replies;
    this.limit.spend(0, sentBytes - this.#sentBytes);
    this.#sentBytes = sentBytes;
  }

  /** The request before these bytes was refused: it costs nothing. */
  skip(consumedBytes: number): void {
    this.limit.refused();
    this.#consumedBytes = consumedBytes;
  }

  /** Its turn has come, or it has waited for too long. */
  goOn(isOverdue: boolean): void {
    this.waitingSinceMs = 0;
    this.#isAdmitted = true;
    this.#isOverdue = isOverdue;
    this.#client.resume();
  }

  /** The client is gone, or another user. */
  leave(): void {
    this.limit.leave(this);
    this.limit.connect(-1);
  }
}
