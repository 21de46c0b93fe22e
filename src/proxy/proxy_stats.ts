/**
 * `/stats`: the figures that a dashboard polls.
 *
 * @module
 */

import type { BackendStats, ProxyStats } from "../api/proxy_stats.ts";
import { COMMANDS } from "../command/command_table.ts";
import type { Server } from "../router/backend_pool.ts";
import type { Router } from "../router/router.ts";
import { LATENCY_BUCKETS } from "../router/stats.ts";

/** The figures at this moment. */
export function proxyStats(router: Router, version: string, staleSeconds: number): ProxyStats {
  const latency = new Array<number>(LATENCY_BUCKETS).fill(0);
  for (const { id } of COMMANDS) {
    if (router.stats.calls[id] === 0) continue;
    const buckets = router.stats.buckets(id);
    for (let k = 0; k < LATENCY_BUCKETS; k++) latency[k]! += buckets[k]!;
  }
  return {
    version,
    ops: router.stats.totalCalls(),
    latency_buckets: latency,
    sessions: router.sessions.size,
    memory_bytes: Deno.memoryUsage().rss,
    stale_seconds: staleSeconds,
    table_version: router.tableVersion,
    slots_offline: router.slots.filter(({ state }) => state === "offline").length,
    slot_requests: router.slots.map(({ requests }) => requests),
    backends: [...router.pool.servers()].map((server) => ({
      addr: server.address,
      state: stateOf(server),
      in_flight: [...server.backends()].reduce((sum, { inFlight }) => sum + inFlight, 0),
    })),
    draining: router.slots.filter(({ state }) => state === "draining").map((slot) => ({
      slot_id: slot.id,
      backend: slot.server?.address ?? "",
      in_flight: slot.inFlight,
    })),
  };
}

function stateOf(server: Server): BackendStats["state"] {
  const backends = [...server.backends()];
  if (backends.some(({ state }) => state === "ready")) return "up";
  return backends.some(({ hasFailed }) => hasFailed) ? "down" : "unknown";
}
