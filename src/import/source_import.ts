/**
 * Imports one server, as its replica: all its keys, then its changes, until it is told to stop.
 *
 *     connecting ─┬─► copying ─► following ─┐
 *          ▲      └───────────────►┘        │
 *          └──────── link lost ◄────────────┘
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { databasesIn, keysIn } from "../redis/info.ts";
import type { Word } from "../redis/connection.ts";
import type { TlsToServers } from "../io/tls.ts";
import { scanned } from "./clear_keys.ts";
import type { ImportCounts } from "./import_counts.ts";
import type { ImportState, SourceState } from "./import_state.ts";
import type { KeyChoice } from "./key_choice.ts";
import { LagMeter } from "./lag_meter.ts";
import { loadRdb } from "./rdb_load.ts";
import type { ReadRate } from "./read_rate.ts";
import { ReplicaLink, SourceError } from "./source/replica_link.ts";
import type { SourceServer } from "./source/source_address.ts";
import { SourceControl, type SourceKey } from "./source/source_control.ts";
import type { KeyShare } from "./stream/key_marks.ts";
import { ExpiryTimes } from "./stream/expiry_times.ts";
import { StreamFollower } from "./stream/stream_follower.ts";
import { Target } from "./target/target.ts";

/** What all sources of an import share. */
export interface ImportSetup {
  /** Makes the connections to the product that one source uses. */
  openTarget(): Promise<Target>;
  readonly choice: KeyChoice;
  readonly rate: ReadRate;
  readonly state: ImportState;
  readonly flushes: boolean;
  readonly tls: (server: SourceServer) => TlsToServers | undefined;
  /**
   * Deletes what an earlier copy of a source has left; returns how many keys.
   *
   * @param database Only there.
   */
  clear(source: SourceImport, database?: number): Promise<number>;
  /**
   * Deletes all keys of a source, in one database or in all, as it has done itself; undefined: its command is
   * repeated.
   */
  readonly flush?:
    | ((source: SourceImport, database: number | undefined) => Promise<void>)
    | undefined;
  /** Which keys are a source's own; undefined: all are. */
  shareOf?(name: string): KeyShare;
  /** Says something to the user. */
  say(text: string): void;
}

/** Where a source is. */
export interface SourcePlace {
  /** Where it is at first. */
  readonly server: SourceServer;
  /** Where it is now; undefined: it is always the same server. */
  locate?(): Promise<SourceServer>;
}

/** How long a source may be away. */
const PATIENCE_MS = 300_000;
const RETRY_MS = 1_000;
/** How often it is looked what is stored. */
const UPDATE_MS = 50;
/** So many times later, the state is written. */
const SAVE_TICKS = 20;
/** How far the limit in the state is ahead of what is sent, so that it is seldom written. */
const AHEAD_BYTES = 1024 * 1024;
/** Noted when keys may differ that scripts have not declared. */
export const UNCLEAR_NOTE = "unclear scripts";
/** Copies of all keys that fail one after the other. */
const COPIES_MAX = 5;
/** Keys of one SCAN. */
const SCAN_COUNT = 1_000;
/**
 * A key that expires within this time after all keys are copied is read again then, in milliseconds: it must
 * not expire here before all changes are made to it that were made at the source while it lived.
 */
export const LATE_MS = 30_000;

/** See the header. */
export class SourceImport {
  phase: "connecting" | "copying" | "following" = "connecting";
  /** Bytes of the RDB; -1: not known. */
  rdbBytes = -1;
  /** Bytes that had come before the RDB. */
  rdbFrom = 0;
  /** Whether it was not in step yet since the link was made. */
  isCatchingUp = true;
  /** Keys that it had at the beginning. */
  keysAll = 0;
  /** How often all keys were copied. */
  copies = 0;
  readonly name: string;
  readonly control: SourceControl;
  /** Where it stood when it was asked. */
  readonly meter = new LagMeter();
  readonly counts: ImportCounts;
  /** Which keys are its own; undefined: all. */
  readonly share: KeyShare | undefined;
  readonly #place: SourcePlace;
  readonly #setup: ImportSetup;
  readonly #state: SourceState;
  #follower: StreamFollower | undefined;
  #target: Target | undefined;
  #link: ReplicaLink | undefined;
  /** The end of what has come, as far as it is whole. */
  #reached: { history: string; offset: number } | undefined;
  /** When its keys expire. */
  readonly #times = new ExpiryTimes();
  /** Whether they were read. */
  #hasTimes = false;
  #copiesFailed = 0;
  #isStopped = false;
  /** Why it was stopped; undefined: it was told to. */
  #failure: unknown;
  #changed = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(name: string, place: SourcePlace, setup: ImportSetup, counts: ImportCounts) {
    this.name = name;
    this.counts = counts;
    this.share = setup.shareOf?.(name);
    this.#place = place;
    this.#setup = setup;
    this.#state = setup.state.source(name);
    this.control = new SourceControl(place.server, setup.tls(place.server));
  }

  /** The connections that it writes with, once they are made. */
  get target(): Target | undefined {
    return this.#target;
  }

  /** Resolves when it writes nothing more. */
  get stopped(): Promise<void> {
    return this.#ended.promise;
  }

  /** Whether a key of it is its own: others may have the same key. */
  owns(key: Uint8Array): boolean {
    return this.share?.isMine(key) ?? true;
  }

  /** Another server may have taken its place: connects again. */
  relocate(): void {
    this.#link?.close();
    this.control.hangUp();
  }

  /** All changes up to this offset are stored. */
  get applied(): number {
    return this.#follower?.applied ?? 0;
  }

  /** The follower, once there is one. */
  get follower(): StreamFollower | undefined {
    return this.#follower;
  }

  /** How many bytes of changes are not stored yet, and for how many milliseconds the oldest of them. */
  lag(): { readonly bytes: number; readonly ms: number } {
    if (this.phase !== "following") return { bytes: 0, ms: 0 };
    return this.meter.lag(this.applied, performance.now());
  }

  /** Waits until all keys are copied. */
  async followed(): Promise<void> {
    while (this.phase !== "following") await this.#changed.promise;
  }

  /**
   * Imports until {@linkcode stop} is called.
   *
   * @throws {Error} When it cannot go on; the state says from where it can be continued.
   */
  async run(): Promise<void> {
    try {
      await this.#run();
    } finally {
      this.#ended.resolve();
    }
  }

  async #run(): Promise<void> {
    const target = this.#target = await this.#setup.openTarget();
    const { choice, flushes, state, flush } = this.#setup;
    const { share } = this;
    const follower = this.#follower = new StreamFollower({
      ...{ target, choice, flushes, share, counts: this.counts, control: this.control },
      times: this.#times,
      flush: flush && ((database) => flush(this, database)),
      beforeSending: (offset) => {
        if (offset <= this.#state.limit) return;
        this.#state.limit = offset + AHEAD_BYTES;
        this.#keep();
        state.save();
      },
    });
    let ticks = 0;
    const timer = setInterval(() => {
      follower.update();
      if (this.#link !== undefined && this.phase === "following") {
        this.#link.acknowledged = follower.applied;
      }
      this.#keep();
      if (++ticks % SAVE_TICKS !== 0 || this.phase !== "following") return;
      try {
        state.save();
      } catch (error) {
        this.#failure ??= error;
        this.stop();
      }
    }, UPDATE_MS);
    try {
      await this.#resume(follower);
      await this.#sessions(follower);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.phase === "following") {
        await follower.finish();
        this.#keep();
        this.#state.limit = follower.writtenUntil;
      }
    } finally {
      clearInterval(timer);
      this.#link?.close();
      this.control.close();
      target.close();
      this.#keep();
      state.save();
    }
  }

  /** Ends it cleanly: what has come is written. */
  stop(): void {
    this.#isStopped = true;
    this.#link?.close();
  }

  /** Puts where it stands into the state. */
  #keep(): void {
    if (this.#reached === undefined || this.phase !== "following" || this.#follower === undefined) {
      return;
    }
    if (this.counts.unclearScripts > 0) this.#setup.state.note(UNCLEAR_NOTE, "yes");
    this.#state.history = this.#reached.history;
    this.#state.applied = this.#follower.applied;
    this.#state.database = this.#follower.appliedDatabase;
  }

  /** Takes up what an earlier process has left. */
  async #resume(follower: StreamFollower): Promise<void> {
    this.keysAll = keysIn(await this.control.info());
    const { history, applied, limit, database } = this.#state;
    if (history === "") return;
    this.copies = 1;
    this.#reached = { history, offset: applied };
    // Nothing was sent that the source has not had yet.
    const doubtfulUntil = limit > applied ? Math.min(limit, await this.control.offset()) : -1;
    follower.begin(applied, database, doubtfulUntil);
  }

  async #sessions(follower: StreamFollower): Promise<void> {
    let goodMs = performance.now();
    while (!this.#isStopped) {
      try {
        await this.#session(follower, () => goodMs = performance.now());
      } catch (error) {
        const link = this.#link;
        // What is whole of what has come was sent, or has a mark.
        if (this.#reached !== undefined && link !== undefined) this.#reached.offset = link.offset;
        if (this.#isStopped && error instanceof SourceError) return;
        if (!(error instanceof SourceError)) throw error;
        const isTooLong = performance.now() - goodMs > PATIENCE_MS;
        if (isTooLong || this.#copiesFailed >= COPIES_MAX) throw error;
        this.#setup.say(`${error.message}; trying again`);
        follower.linkLost();
        link?.close();
        this.#link = undefined;
        await delay(RETRY_MS);
      }
    }
  }

  /** Where it is now; the control connection goes there, too. */
  async #locate(): Promise<SourceServer> {
    const { locate, server } = this.#place;
    if (locate === undefined) return server;
    const found = await locate();
    await this.control.use(found);
    return found;
  }

  async #session(follower: StreamFollower, onGood: () => void): Promise<void> {
    // Before the source begins to send: it would have to wait.
    if (this.#reached === undefined) await this.#clear();
    const { rate, tls } = this.#setup;
    const server = await this.#locate();
    const { link, start } = await ReplicaLink.open(
      server,
      this.#reached,
      tls(server),
      rate.slowed,
    );
    this.#link = link;
    if (this.#isStopped) return link.close();
    const since = this.#reached;
    const isOther = since !== undefined && since.history !== start.history;
    // What was sent by an earlier process, and which of it the new history has, nobody knows.
    const isUnknown = isOther && follower.isDoubtful;
    if (since !== undefined && (start.isFull || isUnknown)) {
      this.#setup.say(`${this.name}: it no longer has all changes since then`);
      this.#reached = undefined;
      return link.close();
    }
    if (isOther) follower.redoNewer();
    const fill = async () => {
      await link.fill();
      onGood();
    };
    if (start.isFull) await this.#copy(link, follower, start.rdbBytes, fill);
    else if (!this.#hasTimes) await this.#readTimes();
    this.#reached = { history: start.history, offset: link.offset };
    if (start.isFull) follower.begin(link.offset);
    this.isCatchingUp = true;
    follower.lagMs = LATE_MS;
    this.#setPhase("following");
    this.#keep();
    if (start.isFull) this.#state.limit = link.offset;
    this.#setup.state.save();
    for (;;) {
      if (link.window.length > 0) await follower.follow(link);
      this.#reached.offset = link.offset;
      const before = link.window.length;
      await fill();
      this.counts.bytes += link.window.length - before;
    }
  }

  /** Before all keys are copied: nothing can be continued until then, and nothing may be left from before. */
  async #clear(): Promise<void> {
    const { state, say } = this.#setup;
    this.#setPhase("connecting");
    const isFirst = this.copies === 0 && !state.isContinued;
    this.#state.history = "";
    state.save();
    if (isFirst) return;
    this.#follower?.forget();
    await this.#target!.takeTrouble();
    if (state.wasEmpty) {
      const count = await this.#setup.clear(this);
      say(`${this.name}: all keys are copied anew; keys of the copy before were deleted: ${count}`);
    } else {
      say(
        `${this.name}: all keys are copied anew. The target had keys of its own, so nothing is deleted: keys that were ` +
          "deleted at the source meanwhile are still there, and must be looked for",
      );
    }
  }

  async #copy(
    link: ReplicaLink,
    follower: StreamFollower,
    rdbBytes: number,
    fill: () => Promise<void>,
  ): Promise<void> {
    const { choice } = this.#setup;
    this.copies++;
    this.rdbBytes = rdbBytes;
    this.rdbFrom = this.counts.bytes;
    this.#setPhase("copying");
    follower.forget();
    this.#times.clear();
    const { window } = link;
    const startMs = performance.now();
    // Until then we may be behind.
    const leftMs = () => {
      const [ms, done] = [
        performance.now() - startMs,
        this.counts.keys / Math.max(1, this.keysAll),
      ];
      return LATE_MS + 2 * Math.max(ms, ms / Math.max(0.01, Math.min(1, done)));
    };
    this.#copiesFailed++;
    this.counts.bytes += window.length;
    this.counts.keys = this.counts.expired = 0;
    const { share } = this;
    const times = this.#times;
    const isLost = share && (({ database, key }: SourceKey) => {
      if (share.isMine(key)) return false;
      share.take(database, key);
      return true;
    });
    await loadRdb({
      ...{ window, choice, counts: this.counts, target: this.#target!, fill, isLost },
      defers: (read) => {
        if (isLost?.({ database: read.database, key: read.name })) return true;
        if (read.expiryMs === 0) return false;
        if (read.expiryMs > Date.now() + leftMs()) {
          times.set(read.database, read.nameBytes, read.nameStart, read.nameEnd, read.expiryMs);
          return false;
        }
        follower.defer({ database: read.database, key: read.name });
        return true;
      },
    });
    this.#hasTimes = true;
    await link.endRdb();
    this.#copiesFailed = 0;
  }

  /** Reads when keys expire that an earlier process has copied. */
  async #readTimes(): Promise<void> {
    const { control } = this;
    const { choice } = this.#setup;
    for (const { database } of databasesIn(await control.info())) {
      const ask = (requests: readonly (readonly Word[])[]) => control.pipeline(database, requests);
      for await (const names of scanned(ask, SCAN_COUNT)) {
        const keys = names.filter((key) => choice.wants(database, key));
        const expiries = await control.expiriesOf(database, keys);
        for (const [i, key] of keys.entries()) {
          this.#times.set(database, key, 0, key.length, expiries[i]!);
        }
      }
    }
    this.#hasTimes = true;
  }

  #setPhase(phase: SourceImport["phase"]): void {
    this.phase = phase;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}
