/**
 * The moment at which clients can move: writes at the sources are paused, and all that was written is stored.
 *
 *     in step ─► CLIENT PAUSE … WRITE (Redis 6.2), or wait until nobody writes ─► all stored ─► compared ─► end
 *                                                                                     └─► differ: UNPAUSE
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import { isOlder } from "../base/version.ts";
import { RedisError } from "../redis/reply.ts";
import type { ImportRun } from "./import_run.ts";
import { SourceError } from "./source/replica_link.ts";
import type { SourceImport } from "./source_import.ts";

/** How long writes stay paused, in milliseconds. */
export const WRITE_PAUSE_MS = 300_000;
/** How often the pause is begun anew meanwhile. */
const PROLONG_MS = 30_000;
const PAUSE_OVER =
  "writes at the sources were no longer paused, as one of them could not be asked in time: run the same command again";
/** First Redis that can pause writes alone. */
const PAUSE_SINCE = "6.2.0";
/** Nobody writes when nothing was written for so long, in milliseconds. */
const QUIET_MS = 3_000;

/**
 * Pauses writes at all sources, and waits until all that was written before is stored.
 *
 * @param say Tells the user what to do where a source cannot be paused.
 */
export async function pauseWrites(run: ImportRun, say: (text: string) => void): Promise<void> {
  for (const source of run.sources) {
    if (run.isEnded) return;
    if (isOlder(source.control.version, PAUSE_SINCE) || !await canPause(source)) {
      say(
        `${source.name} cannot pause writes: stop whatever writes there. ` +
          `This waits until nothing was written for ${QUIET_MS / 1000} s`,
      );
      await quiet(run, source);
    }
  }
  for (const source of run.sources) await run.caughtUp(source);
}

/**
 * Pauses writes and does something, however long it takes: the pause is begun anew meanwhile. When it has ended,
 * they stay paused for {@linkcode WRITE_PAUSE_MS} more.
 *
 * @param act Pauses writes first, see {@linkcode pauseWrites}.
 * @throws {Error} When a source could not be told in time: it may have been written to.
 */
export async function whilePaused<T>(
  run: Pick<ImportRun, "sources" | "isEnded">,
  act: () => Promise<T>,
  timers: Timers = SYSTEM_TIMERS,
): Promise<T> {
  const sources = run.sources.filter(({ control }) => !isOlder(control.version, PAUSE_SINCE));
  let pausedMs = timers.nowMs();
  const prolong = async () => {
    // Writes may have been let go on.
    if (run.isEnded) return;
    const nowMs = timers.nowMs();
    for (const source of sources) await canPause(source);
    if (nowMs - pausedMs < WRITE_PAUSE_MS) pausedMs = nowMs;
  };
  let [isOver, cancel] = [false, () => {}];
  const again = () => {
    if (!isOver) {
      cancel = timers.after(PROLONG_MS, () => void prolong().catch(() => {}).then(again));
    }
  };
  again();
  try {
    const result = await act();
    await prolong();
    if (timers.nowMs() - pausedMs >= WRITE_PAUSE_MS) throw new SourceError(PAUSE_OVER);
    return result;
  } finally {
    isOver = true;
    cancel();
  }
}

/** Lets writes go on. */
export async function resumeWrites(run: ImportRun): Promise<void> {
  for (const source of run.sources) {
    if (isOlder(source.control.version, PAUSE_SINCE)) continue;
    await source.control.call("CLIENT", "UNPAUSE").catch(() => {});
  }
}

async function canPause(source: SourceImport): Promise<boolean> {
  try {
    await source.control.call("CLIENT", "PAUSE", WRITE_PAUSE_MS, "WRITE");
    return true;
  } catch (error) {
    if (error instanceof RedisError) return false;
    throw error;
  }
}

/** Waits until nothing was written for a while, and all before is stored. */
async function quiet(run: ImportRun, source: SourceImport): Promise<void> {
  let [seen, sinceMs] = [-1, performance.now()];
  while (performance.now() - sinceMs < QUIET_MS && !run.isEnded) {
    await run.caughtUp(source);
    if (source.counts.commands !== seen) {
      seen = source.counts.commands;
      sinceMs = performance.now();
    }
    await delay(200);
  }
}
