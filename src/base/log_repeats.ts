/**
 * Counts lines that repeat, so that a flood of them hides nothing.
 *
 *     the same line for the 4th time in a minute, or at once ───► counted ─┐
 *     the 21st line in a minute that differs in its values only ► counted ─┤
 *                                                                          ▼
 *                        at the end of the minute: the last one (37 times more in 60 s)
 *
 * Lines of level debug are all written.
 *
 * @module
 */

import { hasWords, type LogEntry } from "./log_line.ts";
import { SYSTEM_TIMERS, type Timers } from "./timers.ts";

/** Over which repeats are counted, in milliseconds. */
const WINDOW_MS = 60_000;
/** How often the same line is written in that time. */
const SAME_MAX = 3;
/** How many lines are written in that time that differ in their values only. */
const ALIKE_MAX = 20;
/** Within which the same lines are of one event, several workers' too, in milliseconds. */
const ECHO_MS = 1_000;
/** Kinds of lines that are remembered; further ones are written. */
const KINDS_MAX = 1_000;

/** Lines of one kind in their present window. */
interface Kind {
  readonly what: "times more" | "more like it";
  sinceMs: number;
  shown: number;
  more: number;
  last: LogEntry;
}

/** See the header. */
export class LogRepeats {
  readonly #write: (entry: LogEntry) => void;
  readonly #timers: Timers;
  /** In the order in which their windows end. */
  readonly #kinds = new Map<string, Kind>();
  #cancel: (() => void) | undefined;

  /** @param write Takes what is to be written. */
  constructor(write: (entry: LogEntry) => void, timers: Timers = SYSTEM_TIMERS) {
    this.#write = write;
    this.#timers = timers;
  }

  /** Takes a line, and writes or counts it. */
  take(entry: LogEntry): void {
    const { level, module, message, event } = entry;
    if (level === "debug" || level === "trace") return this.#write(entry);
    const sameKey = `${level} ${module} ${message}`;
    const same = this.#kinds.get(sameKey);
    if (same !== undefined) {
      if (same.shown >= SAME_MAX) return count(same, entry);
      const isEcho = entry.at - same.last.at < ECHO_MS;
      // Each worker says what all of them see.
      if (isEcho && entry.worker !== same.last.worker) return;
      // What was done twice was done twice; but many requests see the same trouble.
      if (isEcho && level !== "info") return count(same, entry);
    }
    if (hasWords(event) && event !== message) {
      const alike = this.#kindOf(`${level} ${module} ${event}`, "more like it", entry);
      if (alike !== undefined && alike.shown++ >= ALIKE_MAX) return count(alike, entry);
    }
    const kind = same ?? this.#kindOf(sameKey, "times more", entry);
    if (kind !== undefined) {
      kind.shown++;
      kind.last = entry;
    }
    this.#write(entry);
  }

  /** Writes what was counted so far, and forgets everything. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const kind of this.#kinds.values()) this.#tell(kind);
    this.#kinds.clear();
  }

  #kindOf(key: string, what: Kind["what"], entry: LogEntry): Kind | undefined {
    const known = this.#kinds.get(key);
    if (known !== undefined || this.#kinds.size >= KINDS_MAX) return known;
    const kind: Kind = { what, sinceMs: this.#timers.nowMs(), shown: 0, more: 0, last: entry };
    this.#kinds.set(key, kind);
    this.#cancel ??= this.#timers.after(WINDOW_MS, () => this.#endWindows());
    return kind;
  }

  #endWindows(): void {
    const nowMs = this.#timers.nowMs();
    this.#cancel = undefined;
    for (const [key, kind] of this.#kinds) {
      const leftMs = kind.sinceMs + WINDOW_MS - nowMs;
      if (leftMs > 0) {
        this.#cancel = this.#timers.after(leftMs, () => this.#endWindows());
        return;
      }
      this.#kinds.delete(key);
      if (kind.more === 0) continue;
      this.#tell(kind);
      // The same line goes on: from now on it is counted from the first one on.
      const shown = kind.what === "times more" ? SAME_MAX : 0;
      this.#kinds.set(key, { ...kind, sinceMs: nowMs, shown, more: 0 });
    }
  }

  #tell({ what, sinceMs, more, last }: Kind): void {
    if (more === 0) return;
    const seconds = Math.max(1, Math.round((this.#timers.nowMs() - sinceMs) / 1000));
    const values = { ...last.values, more, seconds };
    const message = `${last.message} (${more} ${what} in ${seconds} s)`;
    this.#write({ ...last, at: Date.now(), message, values });
  }
}

function count(kind: Kind, entry: LogEntry): void {
  kind.more++;
  kind.last = entry;
}
