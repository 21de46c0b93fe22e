/**
 * Clients that read from replicas and know what they must see, while replicas stop and die.
 *
 *      writer i: pipelines of SET and GET of keys that only it writes   ─► each GET: exactly its last value
 *      observer: GET of anybody's keys                                   ─► how old is what it sees?
 *      faults:   one replica after the other: SIGSTOP, kill -9 and a new start, its link holds
 *                everything back, or is cut, or all data are loaded anew, slowly
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { ReplyError } from "../../support/resp_value.ts";
import type { Reply, RespClient, Word } from "../../support/resp_client.ts";
import type { RedisServer } from "../../support/redis_server.ts";
import { say, type ServersOfGroup } from "../../support/replica_group.ts";
import type { TcpRelay } from "../../support/tcp_relay.ts";

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
  /** The faults, in turns. */
  readonly kinds?: readonly FaultKind[];
}

/** What happens to a replica; see the header. */
export const FAULT_KINDS = ["stop", "hang", "kill", "lag", "load", "cut"] as const;

/** One of {@linkcode FAULT_KINDS}. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Arguments of redis-servers that need their time to load: about 0.2 ms for each key. */
export const SLOW_TO_LOAD = [
  ...["--key-load-delay", "200"],
  ...["--loading-process-events-interval-bytes", "1024"],
];

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
  /** The ages of those, in milliseconds: the median, what 99 of 100 do not exceed, and the greatest. */
  p50OldMs: number;
  p99OldMs: number;
  oldestMs: number;
  /** Replies that were errors; the first ones. */
  errors: string[];
  errorCount: number;
  /** How often each fault happened. */
  faults: Record<FaultKind, number>;
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
    p50OldMs: 0,
    p99OldMs: 0,
    oldestMs: 0,
    errors: [],
    errorCount: 0,
    faults: { stop: 0, hang: 0, kill: 0, lag: 0, load: 0, cut: 0 },
    longestMs: 0,
  };
  readonly #ages: number[] = [];
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
    const ages = this.#ages.sort((a, b) => a - b);
    const at = (part: number) => Math.round(ages[Math.floor(ages.length * part)] ?? 0);
    this.report.p50OldMs = at(0.5);
    this.report.p99OldMs = at(0.99);
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
    // Keys whose last write was refused: whether it was executed is not known.
    const unsure = new Set<string>();
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
        const key = requests[i]![1] as string;
        const written = set[i];
        if (written === undefined) {
          if (!unsure.has(key)) this.#compare(key, `${expected[i]}`, value);
        } else if (value instanceof ReplyError) {
          unsure.add(key);
        } else {
          unsure.delete(key);
          this.#acknowledge(...written, nowMs);
        }
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
    this.#ages.push(sentMs - next);
    this.report.oldestMs = Math.max(this.report.oldestMs, sentMs - next);
  }

  async #break(): Promise<void> {
    const { faultMs, groups, kinds = ["stop", "hang", "kill", "lag"] } = this.#check;
    if (faultMs === 0) return;
    const replicas = groups.flatMap((group) =>
      group.replicas.map((replica, i) => ({ replica, link: group.links[i]! }))
    );
    for (let i = 0; !this.isOver; i++) {
      await delay(faultMs);
      const { replica, link } = replicas[i % replicas.length]!;
      // Each kind comes to each replica.
      const kind = kinds[(i + Math.floor(i / replicas.length)) % kinds.length]!;
      this.report.faults[kind]++;
      await fault(kind, replica, link, faultMs);
    }
  }
}

async function fault(
  kind: FaultKind,
  replica: RedisServer,
  link: TcpRelay,
  faultMs: number,
): Promise<void> {
  if (kind === "stop" || kind === "hang") {
    replica.pause();
    await delay(faultMs * (kind === "stop" ? 0.5 : 3));
    replica.resume();
  } else if (kind === "kill") {
    await replica.kill();
    await delay(faultMs);
    await replica.restart();
  } else if (kind === "lag") {
    link.stall();
    await delay(faultMs * 3);
    link.resume();
  } else if (kind === "load") {
    // What it would go on from is not its master's history.
    await say(replica, "REPLICAOF", "NO", "ONE");
    await say(replica, "REPLICAOF", "127.0.0.1", link.port);
    await delay(faultMs * 2);
  } else {
    link.cut();
  }
}

/** Runs a check. */
export function checkReads(check: ReadCheck): Promise<ReadReport> {
  return new Checker(check).run();
}
