/**
 * MONITOR: what this proxy's clients ask, as lines for those who watch; of all workers.
 *
 *      command ─► let through by a filter? ─► line ─► lines of this turn ─┬─► monitors of this worker
 *                                                                         └─► those of the other workers
 *
 * Clients with the same filter are one audience. A filter is asked where the request is, for the clients of
 * all workers, so that only lines travel that somebody reads. Nobody waits for a monitor: one that does not
 * read its lines is closed, and what other workers cannot take in time is left out, and a line says so.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { Command } from "../../command/command.ts";
import { secretsOf } from "../../command/secrets.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { ShownRequest } from "../slow_log/done_request.ts";
import { BeginningArguments, shownArguments } from "../slow_log/shown_arguments.ts";
import {
  type BeginningOfArguments,
  type MonitoredClient,
  type MonitorFilter,
  RequestFilter,
} from "./monitor_filter.ts";
import { beginningLine, monitorLine, monitorTime, slowLine } from "./monitor_line.ts";

/** Text of lines that waits for other workers at most, in characters. */
const WAITING_TEXT_MAX = 4 * 1024 * 1024;

/** A client that watches. */
export interface WatchingClient {
  /** Bytes that it has not read yet. */
  readonly unsentBytes: number;
  push(bytes: Uint8Array): void;
  close(): void;
}

/** Lines for the clients of one filter, by its name. */
export interface MonitoredLines {
  readonly audience: string;
  readonly lines: string;
}

/** How lines reach the other workers. */
export interface MonitorPeers {
  /** What this worker's monitors watch, for the others; resolves when they know. */
  watch(filters: readonly MonitorFilter[]): Promise<void>;
  /** Gives lines to the monitors of the others; resolves when they have been handed on. */
  monitored(lines: readonly MonitoredLines[]): Promise<void>;
}

/** What monitors need of their router. */
export interface MonitorHost {
  /** The other workers; null when there are none. */
  readonly peers: MonitorPeers | null;
  /** Bytes of lines that this worker's monitors may leave unread together. */
  unreadBytesMax(): number;
  /** Called when {@linkcode Monitors.isActive} or {@linkcode Monitors.slowMs} may have changed. */
  changed(): void;
  /** A monitor is closed, which has left so many bytes unread. */
  dropped(monitor: WatchingClient, unreadBytes: number): void;
}

/** All clients that have the same filter. */
class Audience extends RequestFilter {
  /** This worker's clients that watch, or are about to. */
  readonly wanted = new Set<WatchingClient>();
  /** Those of them that get lines. */
  readonly own = new Set<WatchingClient>();
  isElsewhere = false;
  /** Lines of this turn. */
  lines = "";
  /** Lines that wait for other workers, and how many were left out. */
  outgoing = "";
  left = 0;
}

/** The name of the audience with a filter. */
export function audienceOf(filter: MonitorFilter): string {
  return JSON.stringify([filter.match, filter.user, filter.database, filter.slowMs]);
}

/** The monitors of one router; see the drawing above. */
export class Monitors {
  /** Whether somebody watches requests when they come. */
  isActive = false;
  /** Somebody watches requests that take so many milliseconds; Infinity: nobody. */
  slowMs = Infinity;
  readonly #audiences = new Map<string, Audience>();
  readonly #host: MonitorHost;
  #isTurnQueued = false;
  #isSending = false;
  /** Settles when the other workers know what is watched here. */
  #known: Promise<void> | undefined;

  constructor(host: MonitorHost) {
    this.#host = host;
  }

  /** A client wants to watch; resolves when all workers know. It gets no line before. */
  async add(monitor: WatchingClient, filter: MonitorFilter): Promise<void> {
    const audience = this.#audience(filter);
    audience.wanted.add(monitor);
    this.#changed();
    if (audience.wanted.size === 1) this.#tell();
    await this.#known;
    if (audience.wanted.has(monitor)) audience.own.add(monitor);
  }

  /** Ends {@linkcode add}. */
  delete(monitor: WatchingClient): void {
    for (const audience of this.#audiences.values()) {
      if (!audience.wanted.delete(monitor)) continue;
      audience.own.delete(monitor);
      if (audience.wanted.size === 0) this.#tell();
    }
    this.#changed();
  }

  /** What the clients of other workers watch. */
  watchedElsewhere(filters: readonly MonitorFilter[]): void {
    for (const audience of this.#audiences.values()) audience.isElsewhere = false;
    for (const filter of filters) this.#audience(filter).isElsewhere = true;
    this.#changed();
  }

  #audience(filter: MonitorFilter): Audience {
    const name = audienceOf(filter);
    let audience = this.#audiences.get(name);
    if (audience === undefined) this.#audiences.set(name, audience = new Audience(filter));
    return audience;
  }

  #tell(): void {
    const watched = [...this.#audiences.values()].filter(({ wanted }) => wanted.size > 0);
    this.#known = this.#host.peers?.watch(watched.map(({ filter }) => filter)).catch(() => {});
  }

  #changed(): void {
    let isActive = false;
    let least = Infinity;
    for (const [name, { wanted, isElsewhere, filter: { slowMs } }] of this.#audiences) {
      if (wanted.size === 0 && !isElsewhere) this.#audiences.delete(name);
      else if (slowMs === undefined) isActive = true;
      else least = Math.min(least, slowMs);
    }
    this.isActive = isActive;
    this.slowMs = least;
    this.#host.changed();
  }

  // -- lines ----------------------------------------------------------------------------------

  /** A client has asked something. Borrows the arguments. */
  saw(client: MonitoredClient, command: Command, args: Arguments): void {
    let line = "";
    for (const audience of this.#audiences.values()) {
      if (audience.filter.slowMs !== undefined || !audience.lets(client, command, args)) continue;
      line ||= monitorLine(Date.now(), client, args, secretsOf(command.name, args));
      this.#add(audience, line);
    }
  }

  /** A client sends something so large that it is passed on as it comes: this is its beginning. */
  sawBeginning(client: MonitoredClient, command: Command, bytes: Uint8Array): void {
    const args = new BeginningArguments(bytes);
    let line = "";
    for (const audience of this.#audiences.values()) {
      if (audience.filter.slowMs !== undefined) continue;
      if (!audience.letsBeginning(client, command, args)) continue;
      line ||= beginningLine(Date.now(), client, shownArguments(command.name, bytes));
      this.#add(audience, line);
    }
  }

  /** A request was answered that took at least {@linkcode slowMs}. Borrows the arguments. */
  sawSlow(slow: ShownRequest, command: Command, args: BeginningOfArguments): void {
    if (!isShown(command)) return;
    const client = { remote: slow.client, database: slow.database, user: { name: slow.user } };
    let line = "";
    for (const audience of this.#audiences.values()) {
      const { slowMs } = audience.filter;
      if (slowMs === undefined || slow.usecs < slowMs * 1000) continue;
      if (!audience.letsBeginning(client, command, args)) continue;
      line ||= slowLine(Date.now(), slow);
      this.#add(audience, line);
    }
  }

  #add(audience: Audience, line: string): void {
    audience.lines += line;
    if (this.#isTurnQueued) return;
    this.#isTurnQueued = true;
    queueMicrotask(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#isTurnQueued = false;
    for (const audience of this.#audiences.values()) {
      const { lines } = audience;
      if (lines === "") continue;
      audience.lines = "";
      this.#give(audience, lines);
      if (!audience.isElsewhere) continue;
      if (audience.outgoing.length > WAITING_TEXT_MAX) audience.left += countLines(lines);
      else audience.outgoing += lines;
      if (!this.#isSending) this.#send();
    }
  }

  /** Gives lines of other workers to this worker's monitors. */
  give(all: readonly MonitoredLines[]): void {
    for (const { audience: name, lines } of all) {
      const audience = this.#audiences.get(name);
      if (audience !== undefined) this.#give(audience, lines);
    }
  }

  #give({ own }: Audience, lines: string): void {
    if (own.size === 0) return;
    this.#dropSlowReaders();
    if (own.size === 0) return;
    const bytes = latin1Bytes(lines);
    for (const monitor of own) monitor.push(bytes);
  }

  /** Closes those that have left most unread, as long as all together leave too much. */
  #dropSlowReaders(): void {
    for (;;) {
      let unread = 0;
      let slowest: WatchingClient | undefined;
      for (const { own } of this.#audiences.values()) {
        for (const monitor of own) {
          unread += monitor.unsentBytes;
          if (monitor.unsentBytes > (slowest?.unsentBytes ?? 0)) slowest = monitor;
        }
      }
      if (slowest === undefined || unread <= this.#host.unreadBytesMax()) return;
      this.#host.dropped(slowest, slowest.unsentBytes);
      slowest.close();
      this.delete(slowest);
    }
  }

  /** One message at a time; what is said meanwhile goes with the next. */
  #send(): void {
    const batch: MonitoredLines[] = [];
    for (const [name, audience] of this.#audiences) {
      if (audience.outgoing === "") continue;
      let lines = audience.outgoing;
      if (audience.left > 0) {
        const left = countOf(audience.left, "command");
        lines += `+${monitorTime(Date.now())} left out: ${left}\r\n`;
      }
      audience.outgoing = "";
      audience.left = 0;
      batch.push({ audience: name, lines });
    }
    this.#isSending = batch.length > 0;
    if (batch.length === 0) return;
    const sent = () => this.#send();
    this.#host.peers?.monitored(batch).then(sent, sent);
  }
}

/** Whether monitors are shown requests of a command: of those that do not administer. */
export function isShown({ flags }: Command): boolean {
  return !flags.includes("admin");
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
