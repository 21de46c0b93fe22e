/**
 * The progress of an import, shown each second.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { formatBytes } from "../../base/byte_size.ts";
import type { ImportCounts } from "../../import/import_counts.ts";
import type { RunFigures } from "../../import/import_run.ts";
import { spanOf } from "../parts/migration_text.ts";
import { Progress } from "../parts/progress.ts";

const PERIOD_MS = 1_000;

/** Shows figures until it is disposed of. */
export class ProgressLine implements Disposable {
  readonly #progress = new Progress();
  readonly #timer: ReturnType<typeof setInterval>;
  #before: { keys: number; bytes: number; commands: number } = { keys: 0, bytes: 0, commands: 0 };

  /** @param figures How far it is now. */
  constructor(figures: () => RunFigures) {
    this.#timer = setInterval(() => this.#show(figures()), PERIOD_MS);
  }

  /** Prints a line that stays. */
  say(text: string): void {
    this.#progress.say(text);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#progress[Symbol.dispose]();
  }

  #show(figures: RunFigures): void {
    const { phase, counts: { keys, bytes, commands }, keysAll, rdbBytes, rdbBytesAll } = figures;
    const before = this.#before;
    this.#before = { keys, bytes, commands };
    const read = `${formatBytes(bytes - before.bytes)}/s`;
    if (phase === "connecting") return this.#progress.show(0, 1, "waits for the source");
    if (phase === "following") {
      const { lagBytes, lagMs } = figures;
      const lag = lagBytes === 0 ? "in step" : `${formatBytes(lagBytes)}, ${lagMs} ms behind`;
      return this.#progress.show(1, 1, `${lag}; ${commands - before.commands} changes/s, ${read}`);
    }
    const isByBytes = rdbBytesAll > 0;
    const [done, all] = isByBytes ? [rdbBytes, rdbBytesAll] : [keys, Math.max(keys, keysAll)];
    const rate = isByBytes ? bytes - before.bytes : keys - before.keys;
    const left = rate <= 0 ? "" : `, ${spanOf(Math.ceil((all - done) / rate))} left`;
    this.#progress.show(
      done,
      all,
      `${countOf(keys, "key")}, ${keys - before.keys} keys/s, ${read}${left}`,
    );
  }
}

/** What an import has done, as JSON. */
export function countsJson(counts: ImportCounts, ms: number): Record<string, number> {
  return {
    keys: counts.keys,
    expired: counts.expired,
    left_out: counts.leftOut,
    changes: counts.commands,
    keys_read_again: counts.reread,
    requests_repeated: counts.repeated,
    unclear_scripts: counts.unclearScripts,
    bytes: counts.bytes,
    seconds: Math.round(ms / 100) / 10,
  };
}
