/**
 * What `GET /stats` of a proxy answers: the stats that a dashboard polls every second.
 *
 * @module
 */

import type { TimeCounts } from "../base/histogram.ts";
import {
  decodeRecord,
  flag,
  integer,
  listOf,
  number,
  numbers,
  optional,
  recordOf,
  required,
  text,
  word,
} from "../model/record.ts";

/** Totals count from the start of the process. */
export interface ProxyStats {
  readonly version: string;
  /** Whether big keys are used at their source while codis-server moves them in chunks; older: left out. */
  readonly follows_chunks?: true;
  /** Whether keys of a codis-server are fetched for a stock Redis, with its MIGRATE; older: left out. */
  readonly follows_leaving?: true;
  /** Whether keys are placed by slot rules; older: left out. */
  readonly follows_rules?: true;
  /** Whether it goes to another store with its product; older: left out. */
  readonly follows_moves?: true;
  /** Where the users that clients log in as come from; older: left out. */
  readonly users?: "file" | "store";
  /** Requests answered, error replies included. */
  readonly ops: number;
  /** Answers that were errors, and requests that the proxy failed itself; older: left out. */
  readonly errors?: number;
  readonly failures?: number;
  /** Requests by the time they took; older: left out. */
  readonly times?: TimeCounts;
  /** Connected clients. */
  readonly sessions: number;
  /** Clients since the start, and CPU time; older: left out. */
  readonly connections?: number;
  readonly cpu_seconds?: number;
  readonly memory_bytes: number;
  /** How long its table has been without anybody to change it. */
  readonly stale_seconds: number;
  /** Slot changes put in force. */
  readonly table_version: number;
  /** Slots without an owner. */
  readonly slots_offline: number;
  /** Why slots that have a group are among them; empty: none is. Older: left out. */
  readonly slot_fault?: string;
  /** Requests sent to the owner of each slot. */
  readonly slot_requests: readonly number[];
  readonly backends: readonly BackendStats[];
  /** Where reads go, if any client may read from replicas; older: left out. */
  readonly reads?: readonly ReadStats[];
  /** Whether it lets its clients go, or accepts none any more and has none left; else, and older: left out. */
  readonly drain?: DrainState;
  /** What slot changes wait for. */
  readonly draining: readonly DrainingSlot[];
}

/** A proxy lets its clients go, or has let them go. */
export const DRAIN_STATES = ["draining", "drained"] as const;

/** One of {@linkcode DRAIN_STATES}. */
export type DrainState = (typeof DRAIN_STATES)[number];

/** A Redis server as a proxy sees it. */
export interface BackendStats {
  readonly addr: string;
  /** `down` once a connection failed and none is open; `unknown` when it was not needed yet. */
  readonly state: "up" | "down" | "unknown";
  readonly in_flight: number;
  /** Why its requests are refused at once; empty while they are not. Older: left out. */
  readonly refused_for?: string;
  /** Connections that belong to one client each, and how many there may be; older: left out. */
  readonly private_connections?: number;
  readonly private_connections_max?: number;
}

/** What `GET /sighting?addr=` of a proxy answers: how it sees one Redis server. */
export interface Sighting {
  readonly addr: string;
  /** How long the server has not answered, in milliseconds; 0 while it does; -1 when no slot uses it. */
  readonly silent_ms: number;
}

/** A server of a group in which clients read from replicas. */
export interface ReadStats {
  readonly addr: string;
  /** Reads that were sent to it. */
  readonly reads: number;
  /** Why it serves none now; empty when it does. */
  readonly why_out: string;
}

/** A slot whose requests in flight are waited for. */
export interface DrainingSlot {
  readonly slot_id: number;
  /** The server that has not answered them. */
  readonly backend: string;
  readonly in_flight: number;
}

const BACKEND_SHAPE = recordOf<BackendStats>({
  addr: required(text),
  state: word(["up", "down", "unknown"]),
  in_flight: number,
  refused_for: optional(text),
  private_connections: optional(number),
  private_connections_max: optional(number),
});

const READ_SHAPE = recordOf<ReadStats>({
  addr: required(text),
  reads: number,
  why_out: text,
});

const DRAINING_SHAPE = recordOf<DrainingSlot>({
  slot_id: required(integer),
  backend: text,
  in_flight: number,
});

const STATS_SHAPE = recordOf<ProxyStats>({
  version: required(text),
  follows_chunks: flag,
  follows_leaving: flag,
  follows_rules: flag,
  follows_moves: flag,
  users: optional(word(["file", "store"])),
  ops: required(number),
  errors: optional(number),
  failures: optional(number),
  times: optional(required(numbers)),
  sessions: required(number),
  connections: optional(number),
  cpu_seconds: optional(number),
  memory_bytes: required(number),
  stale_seconds: required(number),
  table_version: required(number),
  slots_offline: required(number),
  slot_fault: optional(text),
  slot_requests: required(numbers),
  backends: required(listOf(BACKEND_SHAPE)),
  reads: optional(required(listOf(READ_SHAPE))),
  drain: optional(word(DRAIN_STATES)),
  draining: required(listOf(DRAINING_SHAPE)),
});

const SIGHTING_SHAPE = recordOf<Sighting>({ addr: text, silent_ms: required(number) });

/** The part of a Codis 2.0 proxy's `/debug/vars` that is used. */
const VARS_SHAPE = recordOf<Codis2Vars>({
  router: optional(recordOf<NonNullable<Codis2Vars["router"]>>({
    ops: number,
    build: optional(recordOf<{ version: string }>({ version: text })),
  })),
});

/** See {@linkcode decodeCodis2Vars}. */
export interface Codis2Vars {
  readonly router?: { readonly ops: number; readonly build?: { readonly version: string } };
}

/**
 * Reads the answer of `GET /stats`: the other process may be of any version, or another program.
 *
 * @throws {RecordError} When it is none.
 */
export function decodeStats(json: string): ProxyStats {
  return decodeRecord(STATS_SHAPE, json, "the answer to /stats");
}

/**
 * Reads the answer of `GET /sighting`.
 *
 * @throws {RecordError} When it is none.
 */
export function decodeSighting(json: string): Sighting {
  return decodeRecord(SIGHTING_SHAPE, json, "the answer to /sighting");
}

/**
 * Reads what a Codis 2.0 proxy answers to `GET /debug/vars`.
 *
 * @throws {RecordError} When it is none.
 */
export function decodeCodis2Vars(json: string): Codis2Vars {
  return decodeRecord(VARS_SHAPE, json, "the answer to /debug/vars");
}
