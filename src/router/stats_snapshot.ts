/**
 * The stats of a router at one moment, as plain values: what INFO, `/stats`, `/metrics` and their like
 * are made of, and what workers send each other.
 *
 *     router ── takeSnapshot ──► snapshot ─┐
 *     router ── takeSnapshot ──► snapshot ─┴─ sumSnapshots ──► snapshot of the whole proxy
 *
 * @module
 */

import { sumCounts, type TimeCounts } from "../base/histogram.ts";
import { type LoopLag, sumLoopLags } from "../base/loop_lag.ts";
import type { BackendState } from "./backends/backend_state.ts";
import type { SlotState } from "./slots/slot.ts";
import { newTotals, type Totals } from "./stats.ts";

/** Counters of one command; see `CommandStats`. */
export interface CommandSnapshot {
  /** As in the command table; also of a command that only the servers know. */
  readonly name: string;
  readonly calls: number;
  readonly errors: number;
  readonly failures: number;
  /** The time from request to answer, of all together, in microseconds. */
  readonly usecs: number;
  readonly times: TimeCounts;
}

/** The time from request to answer of a user's requests. */
export interface UserSnapshot {
  /** As `User.name`; see `UserTimes`, too. */
  readonly name: string;
  readonly usecs: number;
  readonly times: TimeCounts;
}

/** A Redis server that owns slots, or still has keys of some. */
export interface ServerSnapshot {
  readonly address: string;
  readonly groupId: number;
  /** The state of each connection. */
  readonly connections: readonly BackendState[];
  /** Whether a connection has failed since it was last ready. */
  readonly hasFailed: boolean;
  readonly inFlight: number;
  /** Age of the oldest request that is not answered yet, in milliseconds. */
  readonly oldestMs: number;
  readonly losses: number;
  /** Why requests for it are refused; empty while they are not. */
  readonly refusedFor: string;
  /** How often that has begun. */
  readonly circuitOpenings: number;
  /** Connections that one client each has. */
  readonly privates: number;
  /** How many there may be. */
  readonly privatesMax: number;
  /** Clients that waited for such a connection in vain. */
  readonly privateRefusals: number;
  /** Reads that were sent to it of clients that may read from replicas. */
  readonly reads: number;
  /** The time from when a request was sent to it until its reply was whole, of all in microseconds. */
  readonly usecs: number;
  readonly times: TimeCounts;
}

/** Why no replica serves while nobody asks them. */
export const NO_READERS = "no client reads from replicas";

/** A replica of a master. */
export interface ReplicaSnapshot {
  readonly address: string;
  readonly groupId: number;
  /** Why it serves no reads; empty when it does. */
  readonly fault: string;
  /** How far behind its master it was, in bytes. */
  readonly lagBytes: number;
  /** It has everything that is older than this, in milliseconds; -1 while that is not known. */
  readonly ageMs: number;
  /** Reads that were sent to it. */
  readonly reads: number;
  readonly inFlight: number;
}

/** Who has the slots, one array for each column, by slot id. */
export interface SlotColumns {
  readonly groups: readonly number[];
  /** The owner's address; empty while there is none. */
  readonly owners: readonly string[];
  /** The address of the server that the keys are moved away from; mostly empty. */
  readonly sources: readonly string[];
}

/** The slots, one array for each column, by slot id. */
export interface SlotsSnapshot extends SlotColumns {
  readonly states: readonly SlotState[];
  readonly inFlight: readonly number[];
  readonly requests: readonly number[];
}

/** See the header. */
export interface StatsSnapshot {
  readonly uptimeMs: number;
  readonly sessions: number;
  /** Those of them that have a second descriptor. */
  readonly clientHandles: number;
  /** Those of them that wait: for an element, for replicas, or for the end of a pause. */
  readonly blocked: number;
  /** Those of them that CLIENT TRACKING is on for. */
  readonly tracking: number;
  /** Sessions that subscribe. */
  readonly subscribers: number;
  /** With what open sessions have received so far. */
  readonly totals: Totals;
  readonly bufferedBytes: number;
  /** Slot changes put in force. */
  readonly tableVersion: number;
  /** How long the event loop of the thread was held up. */
  readonly loopLag: LoopLag;
  /** The JavaScript heap of the thread, in bytes. */
  readonly heap: { readonly used: number; readonly total: number; readonly external: number };
  /** Those that were called, or failed, at least once. */
  readonly commands: readonly CommandSnapshot[];
  readonly users: readonly UserSnapshot[];
  readonly servers: readonly ServerSnapshot[];
  readonly replicas: readonly ReplicaSnapshot[];
  readonly slots: SlotsSnapshot;
}

/**
 * The stats of several routers as those of one. A slot's owner is the first router's; a slot is draining
 * while it is in any of them.
 *
 * @param all At least one.
 */
export function sumSnapshots(all: readonly StatsSnapshot[]): StatsSnapshot {
  const [first] = all;
  if (all.length === 1) return first!;
  const sum = (value: (stats: StatsSnapshot) => number) =>
    all.reduce((total, stats) => total + value(stats), 0);
  const totals = newTotals();
  for (const name of Object.keys(totals) as (keyof Totals)[]) {
    totals[name] = sum((stats) => stats.totals[name]);
  }
  return {
    uptimeMs: Math.max(...all.map(({ uptimeMs }) => uptimeMs)),
    sessions: sum(({ sessions }) => sessions),
    clientHandles: sum(({ clientHandles }) => clientHandles),
    blocked: sum(({ blocked }) => blocked),
    tracking: sum(({ tracking }) => tracking),
    subscribers: sum(({ subscribers }) => subscribers),
    totals,
    bufferedBytes: sum(({ bufferedBytes }) => bufferedBytes),
    tableVersion: Math.max(...all.map(({ tableVersion }) => tableVersion)),
    loopLag: sumLoopLags(all.map(({ loopLag }) => loopLag)),
    heap: {
      used: sum(({ heap }) => heap.used),
      total: sum(({ heap }) => heap.total),
      external: sum(({ heap }) => heap.external),
    },
    commands: sumCommands(all),
    users: sumUsers(all),
    servers: sumServers(all),
    replicas: sumReplicas(all),
    slots: sumSlots(all.map(({ slots }) => slots)),
  };
}

function sumSlots([first, ...others]: readonly SlotsSnapshot[]): SlotsSnapshot {
  const states = [...first!.states];
  const inFlight = [...first!.inFlight];
  const requests = [...first!.requests];
  for (const more of others) {
    more.states.forEach((state, id) => {
      if (state === "draining") states[id] = state;
    });
    more.inFlight.forEach((count, id) => inFlight[id]! += count);
    more.requests.forEach((count, id) => requests[id]! += count);
  }
  return { ...first!, states, inFlight, requests };
}

function sumCommands(all: readonly StatsSnapshot[]): CommandSnapshot[] {
  const byName = new Map<string, CommandSnapshot>();
  for (const { commands } of all) {
    for (const more of commands) {
      const sum = byName.get(more.name);
      byName.set(
        more.name,
        sum === undefined ? more : {
          name: more.name,
          calls: sum.calls + more.calls,
          errors: sum.errors + more.errors,
          failures: sum.failures + more.failures,
          usecs: sum.usecs + more.usecs,
          times: sumCounts([sum.times, more.times]),
        },
      );
    }
  }
  return [...byName.values()];
}

function sumUsers(all: readonly StatsSnapshot[]): UserSnapshot[] {
  const byName = new Map<string, UserSnapshot>();
  for (const more of all.flatMap(({ users }) => users)) {
    const { usecs = 0, times = [] } = byName.get(more.name) ?? {};
    byName.set(more.name, {
      name: more.name,
      usecs: usecs + more.usecs,
      times: sumCounts([times, more.times]),
    });
  }
  return [...byName.values()];
}

function sumServers(all: readonly StatsSnapshot[]): ServerSnapshot[] {
  const byAddress = new Map<string, ServerSnapshot>();
  for (const { servers } of all) {
    for (const more of servers) {
      const sum = byAddress.get(more.address);
      byAddress.set(
        more.address,
        sum === undefined ? more : {
          ...sum,
          connections: [...sum.connections, ...more.connections],
          hasFailed: sum.hasFailed || more.hasFailed,
          inFlight: sum.inFlight + more.inFlight,
          oldestMs: Math.max(sum.oldestMs, more.oldestMs),
          losses: sum.losses + more.losses,
          refusedFor: sum.refusedFor || more.refusedFor,
          circuitOpenings: sum.circuitOpenings + more.circuitOpenings,
          privates: sum.privates + more.privates,
          privatesMax: sum.privatesMax + more.privatesMax,
          privateRefusals: sum.privateRefusals + more.privateRefusals,
          reads: sum.reads + more.reads,
          usecs: sum.usecs + more.usecs,
          times: sumCounts([sum.times, more.times]),
        },
      );
    }
  }
  return [...byAddress.values()].sort((a, b) => a.groupId - b.groupId);
}

function sumReplicas(all: readonly StatsSnapshot[]): ReplicaSnapshot[] {
  const byAddress = new Map<string, ReplicaSnapshot>();
  for (const { replicas } of all) {
    for (const more of replicas) {
      const sum = byAddress.get(more.address);
      byAddress.set(
        more.address,
        sum === undefined ? more : {
          ...sum,
          fault: sum.fault || more.fault,
          lagBytes: Math.max(sum.lagBytes, more.lagBytes),
          ageMs: Math.max(sum.ageMs, more.ageMs),
          reads: sum.reads + more.reads,
          inFlight: sum.inFlight + more.inFlight,
        },
      );
    }
  }
  return [...byAddress.values()].sort((a, b) => a.groupId - b.groupId);
}

/** What stays of the stats of a router that is gone: what it has counted. */
export function countedSoFar(stats: StatsSnapshot): StatsSnapshot {
  const { slots } = stats;
  return {
    ...stats,
    sessions: 0,
    clientHandles: 0,
    blocked: 0,
    tracking: 0,
    subscribers: 0,
    bufferedBytes: 0,
    heap: { used: 0, total: 0, external: 0 },
    servers: stats.servers.map((server) => ({
      ...server,
      connections: [],
      hasFailed: false,
      inFlight: 0,
      oldestMs: 0,
      refusedFor: "",
      privates: 0,
      privatesMax: 0,
    })),
    replicas: stats.replicas.map((replica) => ({ ...replica, fault: "", inFlight: 0 })),
    slots: {
      ...slots,
      states: slots.states.map(() => "offline"),
      inFlight: slots.inFlight.map(() => 0),
    },
  };
}

/** Answered requests of all commands. */
export function totalCalls({ commands }: StatsSnapshot): number {
  return commands.reduce((total, { calls }) => total + calls, 0);
}

/** How many of them were errors of servers, or requests that failed here. */
export function totalOf(
  { commands }: StatsSnapshot,
  counter: "errors" | "failures",
): number {
  return commands.reduce((total, command) => total + command[counter], 0);
}

/** The times from request to answer of all commands. */
export function allTimes({ commands }: StatsSnapshot): TimeCounts {
  return sumCounts(commands.map(({ times }) => times));
}
