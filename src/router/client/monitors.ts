/**
 * MONITOR: what this proxy's clients ask, as lines for those who watch; of all workers.
 *
 *      command ─► line ─┬─► monitors of this worker
 *                       └─► lines of this turn ─► the other workers, if anybody watches there
 *
 * A client that does not read its lines is closed like any other that lets replies pile up. Lines for other
 * workers are bounded, too: what they cannot take in time is left out, and a line says so.
 *
 * @module
 */

import { latin1Bytes } from "../../resp/latin1.ts";
import type { Arguments } from "../../resp/arguments.ts";

/** Text of lines that waits for other workers at most, in characters. */
const WAITING_TEXT_MAX = 4 * 1024 * 1024;

/** A client that watches. */
export interface WatchingClient {
  push(bytes: Uint8Array): void;
}

/** A client that is watched. */
export interface Watched {
  readonly remote: string;
  readonly database: number;
}

/** How lines reach the other workers. */
export interface MonitorPeers {
  /** Whether this worker has monitors, for the others; resolves when they know. */
  watch(isWatching: boolean): Promise<void>;
  /** Gives lines to the monitors of the others; resolves when they have been handed on. */
  monitored(lines: string): Promise<void>;
}

/** The monitors of one router; see the drawing above. */
export class Monitors {
  /** The clients that watch, or are about to. */
  readonly #wanted = new Set<WatchingClient>();
  /** Those that get lines. */
  readonly #own = new Set<WatchingClient>();
  readonly #peers: MonitorPeers | null;
  #isWatchedElsewhere = false;
  #waiting = "";
  #isSending = false;
  #left = 0;
  /** Settles when the other workers know that somebody watches. */
  #known: Promise<void> | undefined;
  readonly #changed: () => void;

  /** @param changed Called when {@linkcode isActive} may have changed. */
  constructor(peers: MonitorPeers | null, changed: () => void) {
    this.#peers = peers;
    this.#changed = changed;
  }

  /** Whether anybody watches. */
  get isActive(): boolean {
    return this.#wanted.size > 0 || this.#isWatchedElsewhere;
  }

  /** A client wants to watch; resolves when all workers know. It gets no line before. */
  async add(monitor: WatchingClient): Promise<void> {
    this.#wanted.add(monitor);
    this.#changed();
    if (this.#wanted.size === 1) this.#known = this.#peers?.watch(true).catch(() => {});
    await this.#known;
    if (this.#wanted.has(monitor)) this.#own.add(monitor);
  }

  /** Ends {@linkcode add}. */
  delete(monitor: WatchingClient): void {
    this.#own.delete(monitor);
    const isLast = this.#wanted.delete(monitor) && this.#wanted.size === 0;
    if (isLast) this.#peers?.watch(false).catch(() => {});
    this.#changed();
  }

  /** Whether a client of another worker watches. */
  watchedElsewhere(isWatched: boolean): void {
    this.#isWatchedElsewhere = isWatched;
    this.#changed();
  }

  /**
   * A client has asked something. Borrows the arguments.
   *
   * @param isSecret Whether an argument is not shown.
   */
  saw(client: Watched, args: Arguments, isSecret: (i: number) => boolean): void {
    const line = monitorLine(Date.now(), client, args, isSecret);
    this.give(line);
    if (!this.#isWatchedElsewhere || this.#peers === null) return;
    if (this.#waiting.length > WAITING_TEXT_MAX) this.#left++;
    else this.#waiting += line;
    if (!this.#isSending) this.#send(this.#peers);
  }

  /** Gives lines to this worker's monitors. */
  give(lines: string): void {
    if (this.#own.size === 0) return;
    const bytes = latin1Bytes(lines);
    for (const monitor of this.#own) monitor.push(bytes);
  }

  /** One message at a time; what is said meanwhile goes with the next. */
  #send(peers: MonitorPeers): void {
    this.#isSending = true;
    queueMicrotask(() => {
      let lines = this.#waiting;
      this.#waiting = "";
      if (this.#left > 0) {
        lines += `+${seconds(Date.now())} ${this.#left} commands were left out\r\n`;
      }
      this.#left = 0;
      const sent = () => {
        this.#isSending = false;
        if (this.#waiting !== "") this.#send(peers);
      };
      peers.monitored(lines).then(sent, sent);
    });
  }
}

/** Redis's line, byte for byte; one character for each byte. */
export function monitorLine(
  nowMs: number,
  { database, remote }: Watched,
  args: Arguments,
  isSecret: (i: number) => boolean,
): string {
  let line = `+${seconds(nowMs)} [${database} ${remote}]`;
  for (let i = 0; i < args.count; i++) {
    line += isSecret(i) ? ` "(redacted)"` : ` ${quoted(args.bytes, args.start(i), args.end(i))}`;
  }
  return `${line}\r\n`;
}

function seconds(nowMs: number): string {
  return `${Math.floor(nowMs / 1000)}.${String(nowMs % 1000).padStart(3, "0")}000`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\x07": "\\a",
  "\b": "\\b",
};

/** An argument as Redis's sdscatrepr writes it. */
function quoted(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) {
    const char = String.fromCharCode(bytes[i]!);
    const isPlain = char >= " " && char <= "~";
    text += ESCAPES[char] ?? (isPlain ? char : `\\x${bytes[i]!.toString(16).padStart(2, "0")}`);
  }
  return `"${text}"`;
}
