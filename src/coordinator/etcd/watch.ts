/**
 * A part of etcd's key space that is watched: its value, and a stream of what changes it.
 *
 *     load: value at revision R ──► stream from R + 1 ──► each change ──► value to all watches
 *       ▲                             │
 *       └───── broken, or old enough ─┘
 *
 * A stream that is silent may be dead; so none gets old. Meanwhile etcd may have been set back to an older copy, and
 * be beyond R again: so behind each stream the value is read anew, and watches are told if it is another one.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import { type EtcdClient, EtcdError } from "./client.ts";
import type { EtcdHeader, EtcdKeyValue, EtcdRange } from "./keys.ts";
import { LatestWatch, type Watch } from "../watch.ts";

/** What a watched range needs of its coordinator. */
export interface EtcdWatchedSource<T> {
  readonly range: EtcdRange;
  /** Reads the value, and the revision of the store that it is of. */
  load(): Promise<{ value: T; revision: number }>;
  /** The value after a change; the same object when it does not matter to watches. */
  apply(value: T, change: EtcdKeyValue, isDelete: boolean): T;
  /** The last watch has ended. */
  onIdle(): void;
}

/** A message of etcd's watch. */
interface WatchMessage {
  readonly header: EtcdHeader;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly cancel_reason?: string;
  readonly compact_revision?: string;
  readonly events?: readonly { readonly type?: "DELETE"; readonly kv: EtcdKeyValue }[];
}

/** Waits before a stream is opened again that broke, or a value is loaded again that could not be. */
const RETRY = { firstMs: 50, maxMs: 2_000 };

/** Why a stream is ended by us. */
const STREAM_IS_OLD = new EtcdError("unanswered", "the stream is old");
const NO_WATCHES = new EtcdError("unanswered", "the last watch has ended");
const MUST_LOAD = new EtcdError("unanswered", "the value must be loaded");

const log = logger("coordinator");

/** See the header. */
export class EtcdWatchedRange<T> {
  readonly #client: EtcdClient;
  readonly #source: EtcdWatchedSource<T>;
  /** Longest life of a stream, in milliseconds. */
  readonly #streamMs: number;
  readonly #watches = new Set<LatestWatch<T>>();
  readonly #backoff = new Backoff(RETRY);
  /** The value, and the first revision that is not in it yet. */
  #current: { readonly value: T; readonly next: number } | undefined;
  /** The value that the watches got last. */
  #pushed: { readonly value: T } | undefined;
  #isRunning = false;
  #over: AbortController | undefined;
  #pausing = new AbortController();

  /** Watches nothing yet. */
  constructor(client: EtcdClient, source: EtcdWatchedSource<T>, streamMs: number) {
    this.#client = client;
    this.#source = source;
    this.#streamMs = streamMs;
  }

  /** Adds a watch; its first value is the present one. */
  watch(): Watch<T> {
    const watch = new LatestWatch<T>(() => {
      this.#watches.delete(watch);
      if (this.#watches.size === 0) this.#stop();
    });
    this.#watches.add(watch);
    if (this.#isRunning) this.#loadFor(watch);
    else this.#run();
    return watch;
  }

  /** Ends a pause between two tries. */
  wake(): void {
    this.#pausing.abort();
  }

  /** Ends every watch. */
  close(): void {
    for (const watch of [...this.#watches]) watch.close();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#watches.size > 0) {
      try {
        this.#current = undefined;
        this.#jump(await this.#source.load());
        await this.#follow();
        this.#backoff.reset();
      } catch (error) {
        if (this.#watches.size === 0) break;
        log.debug("watch stream ended, opening it again: {error}", { error });
        await this.#pause(this.#backoff.nextMs());
      }
    }
    this.#isRunning = false;
  }

  #stop(): void {
    this.#current = undefined;
    this.#pushed = undefined;
    this.#over?.abort(NO_WATCHES);
    this.#pausing.abort();
    this.#source.onIdle();
  }

  /** A new watch must not begin with less than its owner has written just now. */
  async #loadFor(watch: LatestWatch<T>): Promise<void> {
    try {
      const loaded = await this.#source.load();
      if (this.#current !== undefined && loaded.revision < this.#current.next) {
        watch.push(this.#current.value);
      } else if (this.#watches.size > 0) {
        this.#jump(loaded);
        watch.push(loaded.value);
      }
    } catch {
      // The loop loads it for all of them, as soon as it can.
      this.#current = undefined;
      this.#pushed = undefined;
      this.#over?.abort(MUST_LOAD);
    }
  }

  /** Goes on from a value that was loaded; earlier changes, when they arrive, are in it already. */
  #jump({ value, revision }: { value: T; revision: number }): void {
    if (this.#current !== undefined && revision < this.#current.next) return;
    this.#current = { value, next: revision + 1 };
    if (this.#pushed === undefined || !isSame(this.#pushed.value, value)) this.#push(value);
  }

  /** Follows one stream until it is old; throws when it breaks. */
  async #follow(): Promise<void> {
    const over = this.#over = new AbortController();
    const timer = setTimeout(() => over.abort(STREAM_IS_OLD), this.#streamMs);
    try {
      const start_revision = `${this.#current!.next}`;
      const body = { create_request: { ...this.#source.range, start_revision } };
      for await (const message of this.#client.stream<WatchMessage>("/v3/watch", body, over)) {
        this.#take(message);
      }
    } catch (error) {
      if (error !== STREAM_IS_OLD) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(
    { header, created, canceled, cancel_reason, compact_revision, events }: WatchMessage,
  ): void {
    if (this.#current === undefined) throw MUST_LOAD;
    const isBehind = created === true && Number(header.revision) + 1 < this.#current.next;
    if (isBehind || canceled === true) {
      const reason = compact_revision === undefined ? cancel_reason : "it was compacted";
      this.#current = undefined;
      throw new Error(isBehind ? `etcd is at revision ${header.revision} only` : `${reason}`);
    }
    const before = this.#current.value;
    for (const { type, kv } of events ?? []) {
      const revision = Number(kv.mod_revision);
      if (revision < this.#current.next) continue;
      const value = this.#source.apply(this.#current.value, kv, type === "DELETE");
      // The rest of the same transaction is of the same revision.
      this.#current = { value, next: Math.max(this.#current.next, revision) };
    }
    const last = events?.at(-1);
    if (last !== undefined) {
      const next = Math.max(this.#current.next, Number(last.kv.mod_revision) + 1);
      this.#current = { value: this.#current.value, next };
    }
    if (this.#current.value !== before) this.#push(this.#current.value);
  }

  #push(value: T): void {
    this.#pushed = { value };
    for (const watch of this.#watches) watch.push(value);
  }

  #pause(ms: number): Promise<void> {
    this.#pausing = new AbortController();
    return sleep(ms, this.#pausing.signal);
  }
}

/** Whether two values are alike: entries, or names. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
