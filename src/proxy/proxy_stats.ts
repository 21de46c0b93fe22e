/**
 * `/stats`: the stats that a dashboard polls.
 *
 * @module
 */

import { cpuSeconds } from "../base/process_metrics.ts";
import type { BackendStats, DrainState, ProxyStats, ReadStats } from "../api/proxy_stats.ts";
import type { SlotState } from "../router/slots/slot.ts";
import {
  allTimes,
  NO_READERS,
  type ServerSnapshot,
  type StatsSnapshot,
  totalCalls,
  totalOf,
} from "../router/stats_snapshot.ts";

/** The stats at this moment, of all workers together. */
export function proxyStats(
  stats: StatsSnapshot,
  version: string,
  staleSeconds: number,
  users: "file" | "store",
  drain: DrainState | undefined,
): ProxyStats {
  const { slots, servers } = stats;
  return {
    version,
    follows_chunks: true,
    follows_leaving: true,
    follows_rules: true,
    follows_moves: true,
    users,
    ops: totalCalls(stats),
    errors: totalOf(stats, "errors"),
    failures: totalOf(stats, "failures"),
    times: allTimes(stats),
    sessions: stats.sessions,
    connections: stats.totals.connections,
    cpu_seconds: cpuSeconds(),
    memory_bytes: Deno.memoryUsage().rss,
    stale_seconds: staleSeconds,
    table_version: stats.tableVersion,
    slots_offline: slotsIn(stats, "offline").length,
    slot_requests: slots.requests,
    backends: servers.map((server) => ({
      addr: server.address,
      state: stateOf(server),
      in_flight: server.inFlight,
      refused_for: server.refusedFor,
      private_connections: server.privates,
      private_connections_max: server.privatesMax,
    })),
    reads: readsOf(stats),
    ...drain === undefined ? {} : { drain },
    draining: slotsIn(stats, "draining").map((id) => ({
      slot_id: id,
      backend: slots.owners[id]!,
      in_flight: slots.inFlight[id]!,
    })),
  };
}

/** The slots in a state. */
function slotsIn({ slots }: StatsSnapshot, wanted: SlotState): number[] {
  const slotIds: number[] = [];
  slots.states.forEach((state, id) => {
    if (state === wanted) slotIds.push(id);
  });
  return slotIds;
}

function readsOf({ servers, replicas }: StatsSnapshot): ReadStats[] {
  const read = replicas.filter(({ fault }) => fault !== NO_READERS);
  const groups = new Set(read.map(({ groupId }) => groupId));
  const masters = servers.filter(({ groupId }) => groups.has(groupId));
  return [
    ...masters.map(({ address, reads }) => ({ addr: address, reads, why_out: "" })),
    ...read.map(({ address, reads, fault }) => ({ addr: address, reads, why_out: fault })),
  ];
}

function stateOf({ connections, hasFailed }: ServerSnapshot): BackendStats["state"] {
  if (connections.includes("ready")) return "up";
  return hasFailed ? "down" : "unknown";
}
