/**
 * Clients that read from replicas and know what they must see, while replicas stop and die.
 *
 *      writer i: pipelines of SET and GET of keys that only it writes   ─► each GET: exactly its last value
 *      observer: GET of anybody's keys                                   ─► how old is what it sees?
 *      faults:   one replica after the other: SIGSTOP, kill -9 and a new start, or its link holds
 *                everything back
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { ReplyError } from "../../support/resp_value.ts";
import type { Reply, RespClient, Word } from "../../support/resp_client.ts";
import type { ServersOfGroup } from "../../support/replica_group.ts";

/** How it is checked. */
export interface ReadCheck {
  /** Own keys that are read in all, about. */
  readonly reads: number;
  readonly writers: number;
  readonly observers: number;
  /** Requests in one pipeline. */
  readonly pipeline: number;
  /** Keys of each writer. */
  readonly keys: number;
  /** The part of a writer's requests that are SETs. */
  readonly writes: number;
  readonly connect: () => Promise<RespClient>;
  readonly groups: readonly ServersOfGroup[];
  /** Time between two faults, in milliseconds; 0: none. */
  readonly faultMs: number;
}

/** What was seen. */
export interface ReadReport {
  /** Reads of keys that the reader has written. */
  ownReads: number;
  /** Those that did not have the value that was written last, the first ones in words. */
  wrong: string[];
  writes: number;
  /** Reads of keys of others. */
  otherReads: number;
  /** Those that did not have what had been acknowledged before they were sent. */
  old: number;
  /** The greatest age of those, in milliseconds. */
  oldestMs: number;
  /** Replies that were errors; the first ones. */
  errors: string[];
  errorCount: number;
  stops: number;
  kills: number;
  lags: number;
  /** The longest wait for a pipeline, in milliseconds. */
  longestMs: number;
}

const SHOWN_MAX = 10;

/** When each value of a key was acknowledged: the first after a value tells how old that value is. */
type Acknowledged = Map<string, number[]>;

class Checker {
  readonly #check: ReadCheck;
  readonly #acknowledged: Acknowledged = new Map();
  readonly report: ReadReport = {
    ownReads: 0,
    wrong: [],
    writes: 0,
    otherReads: 0,
    old: 0,
    oldestMs: 0,
    errors: [],
    errorCount: 0,
    stops: 0,
    kills: 0,
    lags: 0,
    longestMs: 0,
  };
  isOver = false;

  constructor(check: ReadCheck) {
    this.#check = check;
  }

  async run(): Promise<ReadReport> {
    const { writers, observers } = this.#check;
    const writing = Array.from({ length: writers }, (_, i) => this.#write(i));
    const others = [
      ...Array.from({ length: observers }, () => this.#observe()),
      this.#break(),
    ];
    await Promise.all(writing);
    this.isOver = true;
    await Promise.all(others);
    return this.report;
  }

  async #exchange(client: RespClient, requests: readonly (readonly Word[])[]): Promise<Reply[]> {
    const began = performance.now();
    const replies = await client.pipeline(requests);
    this.report.longestMs = Math.max(this.report.longestMs, performance.now() - began);
    for (const { value } of replies) {
      if (!(value instanceof ReplyError)) continue;
      this.report.errorCount++;
      if (this.report.errors.length < SHOWN_MAX) this.report.errors.push(value.message);
    }
    return replies;
  }

  async #write(writer: number): Promise<void> {
    const { reads, writers, pipeline, keys, writes } = this.#check;
    using client = await this.#check.connect();
    const values = new Map<string, number>();
    const keyOf = () => `w${writer}:${Math.floor(Math.random() * keys)}`;
    let read = 0;
    while (read < reads / writers) {
      const requests: Word[][] = [];
      const expected: (number | undefined)[] = [];
      const set: [key: string, value: number][] = [];
      while (requests.length < pipeline) {
        const key = keyOf();
        const value = values.get(key) ?? 0;
        if (value === 0 || Math.random() < writes) {
          values.set(key, value + 1);
          set[requests.length] = [key, value + 1];
          requests.push(["SET", key, value + 1]);
          expected.push(undefined);
        } else {
          requests.push(["GET", key]);
          expected.push(value);
          read++;
        }
      }
      const replies = await this.#exchange(client, requests);
      const nowMs = performance.now();
      for (const [i, { value }] of replies.entries()) {
        const written = set[i];
        if (written !== undefined) this.#acknowledge(...written, nowMs);
        else this.#compare(requests[i]![1] as string, `${expected[i]}`, value);
      }
    }
  }

  #acknowledge(key: string, value: number, nowMs: number): void {
    this.report.writes++;
    const times = this.#acknowledged.get(key);
    if (times === undefined) this.#acknowledged.set(key, [0, nowMs]);
    else times[value] = nowMs;
  }

  #compare(key: string, expected: string, value: unknown): void {
    this.report.ownReads++;
    if (value === expected || value instanceof ReplyError) return;
    if (this.report.wrong.length < SHOWN_MAX) {
      this.report.wrong.push(`${key} is ${value} and must be ${expected}`);
    } else this.report.wrong.push("");
  }

  async #observe(): Promise<void> {
    using client = await this.#check.connect();
    while (!this.isOver) {
      const known = [...this.#acknowledged.keys()];
      if (known.length === 0) {
        await delay(10);
        continue;
      }
      const keys = Array.from(
        { length: this.#check.pipeline },
        () => known[Math.floor(Math.random() * known.length)]!,
      );
      const sentMs = performance.now();
      const replies = await this.#exchange(client, keys.map((key) => ["GET", key]));
      for (const [i, { value }] of replies.entries()) this.#age(keys[i]!, value, sentMs);
      await delay(2);
    }
  }

  #age(key: string, value: unknown, sentMs: number): void {
    this.report.otherReads++;
    if (value instanceof ReplyError) return;
    const next = this.#acknowledged.get(key)![Number(value ?? 0) + 1];
    if (next === undefined || next >= sentMs) return;
    this.report.old++;
    this.report.oldestMs = Math.max(this.report.oldestMs, sentMs - next);
  }

  async #break(): Promise<void> {
    const { faultMs, groups } = this.#check;
    if (faultMs === 0) return;
    const replicas = groups.flatMap((group) => group.replicas);
    const links = groups.flatMap((group) => group.links);
    for (let i = 0; !this.isOver; i++) {
      await delay(faultMs);
      const replica = replicas[i % replicas.length]!;
      if (i % 4 === 3) {
        const link = links[i % links.length]!;
        link.stall();
        this.report.lags++;
        await delay(faultMs * 3);
        link.resume();
      } else if (i % 4 < 2) {
        replica.pause();
        this.report.stops++;
        await delay(faultMs * (i % 2 === 0 ? 0.5 : 3));
        replica.resume();
      } else {
        await replica.kill();
        this.report.kills++;
        await delay(faultMs);
        await replica.restart();
      }
    }
  }
}

/** Runs a check. */
export function checkReads(check: ReadCheck): Promise<ReadReport> {
  return new Checker(check).run();
}
