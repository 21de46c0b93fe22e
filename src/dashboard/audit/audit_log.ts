/**
 * The file of `audit_log`: a line of JSON for everything that somebody did or tried.
 *
 * It is opened for each piece that is written, so that a file that was renamed (log rotation) is followed
 * by a new one without a signal, and one on a full disk goes on when there is room. What cannot be written
 * is lost and warned of; the dashboard goes on.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { logger } from "../../base/log.ts";
import { sleep } from "../../base/sleep.ts";
import type { AuditEntry } from "../../model/audit_entry.ts";

/** Time between two warnings that lines are lost, in milliseconds. */
const WARN_MS = 60_000;
/** How long the end of the dashboard waits for lines that are being written, in milliseconds. */
const FLUSH_MS = 2_000;
/** Lines that wait to be written; past it, they are lost. */
const WAITING_MAX = 10_000;

const log = logger("audit");

/** See the header. */
export class AuditLog {
  readonly #file: string;
  #lines: string[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #lostWhy = "";
  #warnedMs = -Infinity;
  /** Whether the last piece was written in part. */
  #isTorn = false;

  /**
   * Writes nothing yet.
   *
   * @param file `""`: nothing is ever written.
   * @throws {Error} When the file cannot be opened; the message names it.
   */
  constructor(file: string) {
    this.#file = file;
    if (file === "") return;
    try {
      // Opening one waits for a reader, for ever if none comes.
      if (isNamedPipe(file)) throw new Error("a named pipe, where a file is needed");
      Deno.openSync(file, OPTIONS).close();
    } catch (error) {
      throw new Error(`cannot open audit_log "${file}": ${(error as Error).message}`);
    }
  }

  /** Writes a line, soon. */
  write({ seq: _, ...entry }: AuditEntry): void {
    if (this.#file === "") return;
    if (this.#lines.length >= WAITING_MAX) {
      this.#lost++;
      this.#lostWhy = "too many lines wait";
      return;
    }
    const { at, ...rest } = entry;
    this.#lines.push(`${JSON.stringify({ at: new Date(at).toISOString(), ...rest })}\n`);
    this.#writing ??= this.#writeAll().finally(() => this.#writing = undefined);
  }

  /** Resolves when everything is written or lost; a disk that hangs is waited for only so long. */
  async flush(): Promise<void> {
    if (this.#writing === undefined) return;
    const late = new AbortController();
    const isLate = sleep(FLUSH_MS, late.signal).then(() => !late.signal.aborted);
    if (await Promise.race([this.#writing, isLate])) {
      const file = this.#file;
      log.warn("audit_log {file} takes no lines: the last ones are in the store only", { file });
    }
    late.abort();
  }

  async #writeAll(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      try {
        await this.#append((this.#isTorn ? "\n" : "") + lines.join(""));
        if (this.#lost > 0) this.#warn();
      } catch (error) {
        this.#lost += lines.length;
        this.#lostWhy = (error as Error).message;
        this.#warn();
      }
    }
  }

  async #append(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    using file = await Deno.open(this.#file, OPTIONS);
    for (let done = 0; done < bytes.length;) {
      this.#isTorn = done > 0;
      done += await file.write(bytes.subarray(done));
    }
    this.#isTorn = false;
  }

  #warn(): void {
    const now = Date.now();
    if (now - this.#warnedMs < WARN_MS) return;
    this.#warnedMs = now;
    log.warn(
      "{lost} could not be written to audit_log {file}: {error}; they are in the store only",
      { lost: countOf(this.#lost, "line"), file: this.#file, error: this.#lostWhy },
    );
    this.#lost = 0;
  }
}

function isNamedPipe(file: string): boolean {
  try {
    return Deno.statSync(file).isFifo === true;
  } catch {
    return false;
  }
}

/** Only the user of the process may read it. */
const OPTIONS: Deno.OpenOptions = { append: true, create: true, mode: 0o600 };
