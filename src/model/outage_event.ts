/**
 * The record of one outage event: an outage began, or ended, or something happened at one moment, such as
 * a change of the dashboard that leads. Codis 2.0 has none.
 *
 * @module
 */

import {
  bool,
  decodeRecord,
  encodeRecord,
  integer,
  listOf,
  optional,
  recordOf,
  type Shape,
  text,
  word,
} from "./record.ts";

/** What is known of a kind of outage. */
interface KindRow {
  /** `pair`: it begins and ends; `once`: it happens. */
  readonly form: "pair" | "once";
  readonly severity: "warning" | "error";
  /** How long it must last until it is told, in milliseconds. */
  readonly afterMs: number;
  /** Whether each one is told, also when they follow each other soon: they are done, not suffered. */
  readonly isAlwaysTold?: true;
  /** For documents and the command line. */
  readonly help: string;
}

/** Every kind of outage. A new one needs a row here, and one in docs/operations.md. */
export const OUTAGE_KINDS = {
  server_down: {
    form: "pair",
    severity: "error",
    afterMs: 2_000,
    help: "a Redis server does not answer the dashboard",
  },
  replica_link: {
    form: "pair",
    severity: "warning",
    afterMs: 5_000,
    help: "a replica has lost its master",
  },
  clients_refused: {
    form: "pair",
    severity: "warning",
    afterMs: 0,
    help: "a server does not let proxies in as backend_client_user",
  },
  replica_lag: {
    form: "pair",
    severity: "warning",
    afterMs: 5_000,
    help: "a replica is further behind its master than replica_max_lag or replica_max_lag_bytes",
  },
  proxy_gone: {
    form: "pair",
    severity: "error",
    afterMs: 3_000,
    help: "a proxy does not answer, or has ended without leaving cleanly",
  },
  dashboard_changed: {
    form: "once",
    severity: "warning",
    afterMs: 0,
    help: "another dashboard leads, or the same one after a restart",
  },
  coordinator_lost: {
    form: "pair",
    severity: "error",
    afterMs: 2_000,
    help: "the dashboard that leads does not reach the coordinator",
  },
  failover: {
    form: "pair",
    severity: "error",
    afterMs: 0,
    isAlwaysTold: true,
    help: "a replica is being promoted in place of a master that is down",
  },
  failover_refused: {
    form: "once",
    severity: "error",
    afterMs: 0,
    help: "a master is down, and no replica may be promoted",
  },
  lost_writes: {
    form: "once",
    severity: "error",
    afterMs: 0,
    help: "writes that only a former master had, or a master that was restarted",
  },
  circuit_open: {
    form: "pair",
    severity: "warning",
    afterMs: 0,
    help: "proxies refuse requests for a server that answers too slowly",
  },
  sentinel_switch: {
    form: "once",
    severity: "warning",
    afterMs: 0,
    help: "Sentinel has made another server the master",
  },
  sentinel_down: {
    form: "pair",
    severity: "warning",
    afterMs: 5_000,
    help: "a sentinel does not answer the dashboard",
  },
  sentinel_conflict: {
    form: "pair",
    severity: "error",
    afterMs: 5_000,
    help: "sentinels cannot decide about a group's master, or name one that is not in the group",
  },
} as const satisfies Readonly<Record<string, KindRow>>;

/** A kind of outage. */
export type OutageKind = keyof typeof OUTAGE_KINDS;

/** All of them. */
export const OUTAGE_KIND_NAMES = Object.keys(OUTAGE_KINDS) as OutageKind[];

/** The table's row of a kind. */
export function outageKind(kind: OutageKind): KindRow {
  return OUTAGE_KINDS[kind];
}

/** How bad an event is; what has ended is `info`. */
export type OutageSeverity = "info" | "warning" | "error";

/** See the header. */
export interface OutageEvent {
  /** Grows by one with each event; an outage that is still open may get a new one when it is old. */
  readonly seq: number;
  /** Never the same for two events. */
  readonly id: string;
  /** The same for the begin and the end of one outage. */
  readonly outage: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly phase: "begin" | "end" | "once";
  readonly kind: OutageKind;
  readonly severity: OutageSeverity;
  /** What it happened to: an address, a proxy's id, `group 3`; with the kind, it names the outage. */
  readonly subject: string;
  readonly group?: number | undefined;
  readonly server?: string | undefined;
  readonly proxy?: string | undefined;
  /** What happened, on one line. */
  readonly text: string;
  /** Why, as far as it is known; `""`: it is not. */
  readonly cause: string;
  /** What to do; `""`: nothing. */
  readonly hint: string;
  /** Of an end: time since the outage began, in milliseconds. */
  readonly duration_ms?: number | undefined;
  /** How often it happened: equal ones in a row, and interruptions of one that comes and goes. */
  readonly count: number;
  /** Whether `webhook_url` has it, or there was none. */
  readonly is_sent: boolean;
}

/** The stored form of an {@linkcode OutageEvent}. */
export const OUTAGE_EVENT_SHAPE: Shape<OutageEvent> = recordOf<OutageEvent>({
  seq: integer,
  id: text,
  outage: text,
  at: integer,
  phase: word(["begin", "end", "once"]),
  // A later version may have others; such events are left out.
  kind: text as Shape<OutageKind>,
  severity: word(["info", "warning", "error"]),
  subject: text,
  group: optional(integer),
  server: optional(text),
  proxy: optional(text),
  text,
  cause: text,
  hint: text,
  duration_ms: optional(integer),
  count: integer,
  is_sent: bool,
});

interface Stored {
  readonly events: readonly OutageEvent[] | null;
}

const SHAPE = recordOf<Stored>({ events: listOf(OUTAGE_EVENT_SHAPE) });

/**
 * Reads a page of events from its JSON.
 *
 * @throws {RecordError} When it holds something else.
 */
export function decodeOutagePage(json: string): readonly OutageEvent[] {
  const events = decodeRecord(SHAPE, json, "outage page").events ?? [];
  return events.filter(({ kind }) => Object.hasOwn(OUTAGE_KINDS, kind));
}

/** Writes a page's JSON. */
export function encodeOutagePage(events: readonly OutageEvent[]): string {
  return encodeRecord(SHAPE, { events });
}
