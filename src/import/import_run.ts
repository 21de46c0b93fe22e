/**
 * One import of one or several servers: how far it is, and when it ends.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { ImportCounts } from "./import_counts.ts";
import { type ImportSetup, LATE_MS, SourceImport, type SourcePlace } from "./source_import.ts";
import { SourceError } from "./source/replica_link.ts";

/** How often sources are asked where they stand. */
const ASK_MS = 1_000;

/** How far all sources are. */
export interface RunFigures {
  readonly phase: SourceImport["phase"];
  readonly counts: ImportCounts;
  /** Bytes of the RDBs that have come, and of all of them; -1: not known. */
  readonly rdbBytes: number;
  readonly rdbBytesAll: number;
  /** Keys that the sources had when their copies began. */
  readonly keysAll: number;
  /** Bytes of changes that are not stored yet. */
  readonly lagBytes: number;
  /** Age of the oldest change that is not stored yet, in milliseconds. */
  readonly lagMs: number;
}

/** What runs beside an import. */
export interface Companion {
  /** Ends with the run; when it fails, the run fails. */
  watch(run: ImportRun): Promise<void>;
  /** Whether all that it does is stored at the target; undefined: it does nothing there. */
  isAtRest?(): Promise<boolean>;
}

/** See the header. */
export class ImportRun {
  readonly sources: readonly SourceImport[];
  /** Ends with the import; rejects when it fails. */
  readonly ended: Promise<void>;
  /** Whether it has ended, or is about to. */
  isEnded = false;

  /**
   * Begins.
   *
   * @param places The sources by name.
   */
  constructor(
    places: ReadonlyMap<string, SourcePlace>,
    setup: ImportSetup,
    companion?: Companion,
  ) {
    this.#companion = companion;
    this.sources = [...places].map(([name, place]) =>
      new SourceImport(name, place, setup, new ImportCounts())
    );
    const runs = this.sources.map((source) => source.run());
    const all = [
      ...runs,
      this.#ask(),
      ...(companion === undefined ? [] : [companion.watch(this)]),
    ];
    this.ended = Promise.all(all.map((run) => run.catch((error) => this.#end(error))))
      .then(() => {
        if (this.#failure !== undefined) throw this.#failure;
      });
    this.ended.catch(() => {});
    Promise.allSettled(runs).then(() => this.isEnded = true);
  }

  readonly #companion: Companion | undefined;
  #failure: unknown;

  /** The first failure ends all. */
  #end(error: unknown): void {
    this.#failure ??= error;
    this.stop();
  }

  /** Ends it cleanly. */
  stop(): void {
    this.isEnded = true;
    for (const source of this.sources) source.stop();
  }

  /** Waits until all keys are copied, and all changes made up to now are stored; or for the end. */
  async inStep(): Promise<void> {
    await Promise.race([this.ended, this.#inStep(Infinity)]);
  }

  /** Whether all is in step within a time, in milliseconds. */
  async isInStepWithin(ms: number): Promise<boolean> {
    return await Promise.race([this.ended.then(() => false), this.#inStep(ms)]);
  }

  async #inStep(ms: number): Promise<boolean> {
    const endMs = performance.now() + ms;
    for (;;) {
      await Promise.all(this.sources.map(async (source) => {
        await source.followed();
        await this.caughtUp(source);
      }));
      try {
        if (this.isEnded || await this.#companion?.isAtRest?.() !== false) return true;
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
      }
      if (performance.now() >= endMs) return false;
      await delay(ASK_MS);
    }
  }

  /**
   * Waits until all changes that a source has made up to now are stored; or for the end. A source that cannot be
   * asked is asked again: how long it may be away is the import's matter.
   */
  async caughtUp(source: SourceImport): Promise<void> {
    let offset = Infinity;
    while (source.applied < offset && !this.isEnded) {
      try {
        if (offset === Infinity) offset = await source.control.offset();
        else await delay(20);
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        await delay(ASK_MS);
      }
    }
  }

  /** How far it is. */
  get figures(): RunFigures {
    const { sources } = this;
    const phase = sources.some((source) => source.phase === "copying")
      ? "copying"
      : sources.every((source) => source.phase === "following")
      ? "following"
      : "connecting";
    const isKnown = sources.every(({ rdbBytes }) => rdbBytes >= 0);
    const lags = sources.map((source) => source.lag());
    const keysAll = sources.reduce((sum, source) => sum + source.keysAll, 0);
    const lagBytes = lags.reduce((sum, { bytes }) => sum + bytes, 0);
    const lagMs = Math.max(...lags.map(({ ms }) => ms));
    return {
      ...{ phase, lagBytes, lagMs: Math.round(lagMs), keysAll },
      counts: ImportCounts.sum(sources.map(({ counts }) => counts)),
      rdbBytes: sources.reduce((sum, source) => sum + rdbBytesOf(source), 0),
      rdbBytesAll: isKnown ? sources.reduce((sum, { rdbBytes }) => sum + rdbBytes, 0) : -1,
    };
  }

  /** Asks sources where they stand, for the lag. */
  async #ask(): Promise<void> {
    while (!this.isEnded) {
      for (const source of this.sources) {
        const { meter } = source;
        if (source.phase === "connecting") {
          meter.clear();
          continue;
        }
        const atMs = performance.now();
        try {
          meter.saw(await source.control.offset(), atMs);
        } catch {
          // Its link says so. Whoever does not know how late it is takes care.
          continue;
        }
        const { follower } = source;
        if (follower === undefined || source.phase !== "following") continue;
        const { bytes, ms } = source.lag();
        if (bytes === 0) source.isCatchingUp = false;
        follower.lagMs = source.isCatchingUp ? Math.max(ms, LATE_MS) : ms;
      }
      await delay(ASK_MS);
    }
  }
}

/** The changes that a source has sent after its RDB do not count. */
function rdbBytesOf({ counts, rdbFrom, rdbBytes }: SourceImport): number {
  return Math.min(counts.bytes - rdbFrom, rdbBytes);
}
