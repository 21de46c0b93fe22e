/**
 * What the page shows of one Redis server, `GET /api/redis/:addr/detail`, and of one proxy, `GET
 * /api/proxy/:id/detail`.
 *
 * @module
 */

import type { BackendStats } from "./proxy_stats.ts";

/** One Redis server. What it refuses to tell is empty, and named in `problems`. */
export interface ServerDetail {
  /** When it was asked, Unix milliseconds. */
  readonly at: number;
  readonly info: Readonly<Record<string, string>>;
  /** CONFIG GET, without passwords. */
  readonly settings: Readonly<Record<string, string>>;
  readonly commands: readonly CommandFigures[];
  /** As CLIENT LIST tells, those that were idle for the shortest time first, at most 200. */
  readonly connections: readonly Readonly<Record<string, string>>[];
  readonly connection_count: number;
  readonly slow: readonly SlowCommand[];
  readonly problems: readonly string[];
}

/** One proxy. */
export interface ProxyDetail {
  readonly at: number;
  readonly commands: readonly CommandFigures[];
  /** Its connections to servers. */
  readonly backends: readonly BackendStats[];
  /** How it was started. */
  readonly command_line: readonly string[];
}

/** What `GET /commands` of a proxy answers. */
export interface ProxyCommands {
  /** Since the process started; percentiles of the last one to two minutes. */
  readonly commands: readonly CommandFigures[];
}

/** A command since the process started. */
export interface CommandFigures {
  readonly name: string;
  readonly calls: number;
  readonly usecs: number;
  /** Answers that were errors; null: not known. */
  readonly failed: number | null;
  readonly p50_usecs: number | null;
  readonly p99_usecs: number | null;
}

/** An entry of a server's SLOWLOG. */
export interface SlowCommand {
  readonly id: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly usecs: number;
  readonly args: readonly string[];
  readonly client: string;
}
