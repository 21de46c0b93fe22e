/**
 * Takes a snapshot of a router's stats.
 *
 * @module
 */

import { clock } from "../base/clock.ts";
import { loopLag } from "../base/loop_lag.ts";
import { COMMANDS } from "../command/command_table.ts";
import { clientHandles } from "../io/handled_conn.ts";
import type { Master } from "./backends/server.ts";
import type { RouterShared } from "./shared.ts";
import type { CommandSnapshot, ServerSnapshot, StatsSnapshot } from "./stats_snapshot.ts";

/** The stats of one router at this moment. */
export function takeSnapshot(shared: RouterShared): StatsSnapshot {
  const slots = shared.slots.all;
  const { heapUsed, heapTotal, external } = Deno.memoryUsage();
  return {
    uptimeMs: clock.tick() - shared.startedMs,
    sessions: shared.clients.size,
    clientHandles: clientHandles.open,
    blocked: shared.pause.waiting + blockedOf(shared),
    tracking: shared.trackers.size,
    subscribers: shared.subscribers.size,
    totals: { ...shared.totals, inputBytes: shared.inputBytes },
    bufferedBytes: shared.budget.usedBytes,
    tableVersion: shared.slots.version,
    loopLag: loopLag(),
    heap: { used: heapUsed, total: heapTotal, external },
    commands: commandSnapshots(shared),
    users: [...shared.userTimes.entries()].map(([name, times]) => ({
      name,
      usecs: times.sumUs,
      times: times.counts(),
    })).filter(({ times }) => times.length > 0),
    servers: shared.slots.masters().map((master) => serverSnapshot(master, shared)),
    replicas: [...shared.slots.replicas.snapshots()],
    slots: {
      states: slots.map(({ state }) => state),
      ...shared.slots.owners(),
      inFlight: slots.map(({ inFlight }) => inFlight),
      requests: slots.map(({ requests }) => requests),
    },
  };
}

function blockedOf({ clients }: RouterShared): number {
  let count = 0;
  for (const { blocked } of clients.values()) if (blocked?.isAtServer === true) count++;
  return count;
}

function commandSnapshots({ stats, learned }: RouterShared): CommandSnapshot[] {
  const snapshots: CommandSnapshot[] = [];
  const add = (name: string, id: number) => {
    const calls = stats.calls[id]!;
    const failures = stats.failures[id]!;
    if (calls + failures === 0) return;
    const errors = stats.errors[id]!;
    const times = stats.times(id);
    const usecs = times.sumUs;
    snapshots.push({ name, calls, errors, failures, usecs, times: times.counts() });
  };
  COMMANDS.forEach(({ name, id }) => add(name, id));
  for (const [name, id] of learned.names) add(name, id);
  return snapshots;
}

function serverSnapshot({ server, groupId }: Master, { slots }: RouterShared): ServerSnapshot {
  const backends = [...server.backends()];
  return {
    address: server.address,
    groupId,
    connections: backends.map(({ state }) => state),
    hasFailed: backends.some(({ hasFailed }) => hasFailed),
    inFlight: backends.reduce((sum, { inFlight }) => sum + inFlight, 0),
    oldestMs: backends.reduce((most, backend) => Math.max(most, backend.oldestMs()), 0),
    losses: server.losses,
    refusedFor: server.circuit.cause,
    circuitOpenings: server.circuit.openings,
    privates: server.privatesInUse,
    privatesMax: server.options.privateConnectionsMax,
    privateRefusals: server.privateRefusals,
    reads: slots.replicas.of(server.address)?.masterReads ?? 0,
    usecs: server.times.sumUs,
    times: server.times.counts(),
  };
}
