/**
 * `/metrics` for Prometheus: one table of what is measured, read from the router when asked.
 *
 * @module
 */

import { Registry } from "prom-client";
import { clock } from "../base/clock.ts";
import { COMMANDS } from "../command/command_table.ts";
import { COORDINATOR_STATES, type CoordinatorState } from "../coordinator/coordinator.ts";
import type { Router } from "../router/router.ts";
import { LATENCY_BUCKETS } from "../router/stats.ts";

/** What metrics tell that the router does not know. */
export interface ProxyFacts {
  readonly version: string;
  /** `online`, `offline`, … as in the store. */
  readonly state: string;
  /** Where the session with the coordinator stands. */
  readonly coordinatorState: CoordinatorState;
  /** Seconds since the table was last known to agree with the coordinator. */
  readonly staleSeconds: number;
}

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number, suffix?: string];

interface Row {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: (router: Router, facts: ProxyFacts) => Iterable<Sample>;
}

const one = (value: number): Sample[] => [[{}, value]];

const ROWS: readonly Row[] = [
  {
    name: "codis_proxy_info",
    help: "The version that runs; always 1",
    type: "gauge",
    samples: (_router, { version }) => [[{ version }, 1]],
  },
  {
    name: "codis_proxy_online",
    help: "Whether the proxy is online at its coordinator",
    type: "gauge",
    samples: (_router, { state }) => one(state === "online" ? 1 : 0),
  },
  {
    name: "codis_proxy_coordinator_state",
    help: "Where the session with the coordinator stands: 1 for the state it is in",
    type: "gauge",
    samples: (_router, { coordinatorState }) =>
      COORDINATOR_STATES.map((state) => [{ state }, state === coordinatorState ? 1 : 0]),
  },
  {
    name: "codis_proxy_uptime_seconds",
    help: "Time since the start",
    type: "gauge",
    samples: (router) => one((clock.nowMs - router.startedMs) / 1000),
  },
  {
    name: "codis_proxy_table_version",
    help: "Slot changes put in force since the start",
    type: "counter",
    samples: (router) => one(router.tableVersion),
  },
  {
    name: "codis_proxy_table_stale_seconds",
    help: "Time since the slot table was last known to agree with the coordinator",
    type: "gauge",
    samples: (_router, { staleSeconds }) => one(staleSeconds),
  },
  {
    name: "codis_proxy_slots",
    help: "Slots by state",
    type: "gauge",
    *samples(router) {
      const counts: Record<string, number> = {
        offline: 0,
        open: 0,
        migrating: 0,
        draining: 0,
        blocked: 0,
      };
      for (const slot of router.slots) counts[slot.state]!++;
      for (const [state, count] of Object.entries(counts)) yield [{ state }, count];
    },
  },
  {
    name: "codis_proxy_sessions",
    help: "Connected clients",
    type: "gauge",
    samples: (router) => one(router.sessions.size),
  },
  {
    name: "codis_proxy_connections_total",
    help: "Connections accepted",
    type: "counter",
    samples: (router) => one(router.totals.connections),
  },
  {
    name: "codis_proxy_rejected_connections_total",
    help: "Connections refused because of max_clients",
    type: "counter",
    samples: (router) => one(router.totals.rejectedConnections),
  },
  {
    name: "codis_proxy_closed_sessions_total",
    help: "Sessions the proxy closed, by reason",
    type: "counter",
    samples: ({ totals }) => [
      [{ reason: "overflow" }, totals.overflowedSessions],
      [{ reason: "protocol" }, totals.protocolErrors],
      [{ reason: "timeout" }, totals.timedOutSessions],
    ],
  },
  {
    name: "codis_proxy_input_bytes_total",
    help: "Bytes received from clients",
    type: "counter",
    samples: (router) => one(router.inputBytes),
  },
  {
    name: "codis_proxy_output_bytes_total",
    help: "Bytes sent to clients",
    type: "counter",
    samples: (router) => one(router.totals.outputBytes),
  },
  {
    name: "codis_proxy_buffered_bytes",
    help: "Bytes held for all sessions together, bounded by proxy_max_buffer",
    type: "gauge",
    samples: (router) => one(router.budget.usedBytes),
  },
  {
    name: "codis_proxy_rss_bytes",
    help: "Resident memory of the process",
    type: "gauge",
    samples: () => one(Deno.memoryUsage().rss),
  },
  {
    name: "codis_proxy_commands_total",
    help: "Requests answered, error replies included",
    type: "counter",
    samples: (router) => perCommand(router, router.stats.calls),
  },
  {
    name: "codis_proxy_command_errors_total",
    help: "Answers that were errors",
    type: "counter",
    samples: (router) => perCommand(router, router.stats.errors),
  },
  {
    name: "codis_proxy_command_failures_total",
    help: "Requests the proxy failed itself: no server, lost connection, deadline",
    type: "counter",
    samples: (router) => perCommand(router, router.stats.failures),
  },
  {
    name: "codis_proxy_command_seconds",
    help: "Time between request and answer",
    type: "histogram",
    samples: latencies,
  },
  {
    name: "codis_proxy_backend_up",
    help: "Whether a server has a connection that is ready",
    type: "gauge",
    *samples(router) {
      for (const { server } of router.masters()) {
        const isUp = [...server.backends()].some((backend) => backend.state === "ready");
        yield [{ server: server.address }, isUp ? 1 : 0];
      }
    },
  },
  {
    name: "codis_proxy_backend_connections",
    help: "Connections to a server, by state",
    type: "gauge",
    *samples(router) {
      for (const { server } of router.masters()) {
        const counts = new Map<string, number>();
        for (const { state } of server.backends()) counts.set(state, (counts.get(state) ?? 0) + 1);
        for (const [state, count] of counts) yield [{ server: server.address, state }, count];
      }
    },
  },
  {
    name: "codis_proxy_backend_queue",
    help: "Requests sent to a server and not answered yet",
    type: "gauge",
    *samples(router) {
      for (const { server } of router.masters()) {
        let inFlight = 0;
        for (const backend of server.backends()) inFlight += backend.inFlight;
        yield [{ server: server.address }, inFlight];
      }
    },
  },
  {
    name: "codis_proxy_backend_oldest_request_seconds",
    help: "Age of the oldest request a server has not answered yet",
    type: "gauge",
    *samples(router) {
      for (const { server } of router.masters()) {
        let oldestMs = 0;
        for (const backend of server.backends()) oldestMs = Math.max(oldestMs, backend.oldestMs());
        yield [{ server: server.address }, oldestMs / 1000];
      }
    },
  },
  {
    name: "codis_proxy_backend_losses_total",
    help: "Connections to a server that were lost",
    type: "counter",
    *samples(router) {
      for (const { server } of router.masters()) yield [{ server: server.address }, server.losses];
    },
  },
];

function* perCommand({ stats }: Router, values: Float64Array): Generator<Sample> {
  for (const { id, name } of COMMANDS) {
    // Once seen, a command keeps all its series.
    if (stats.calls[id]! + stats.failures[id]! > 0) yield [{ command: name }, values[id]!];
  }
}

function* latencies({ stats }: Router): Generator<Sample> {
  for (const { id, name } of COMMANDS) {
    if (stats.calls[id] === 0) continue;
    const buckets = stats.buckets(id);
    let below = 0;
    for (let k = 0; k < LATENCY_BUCKETS - 1; k++) {
      below += buckets[k]!;
      yield [{ command: name, le: 2 ** k / 1e6 }, below, "_bucket"];
    }
    yield [{ command: name, le: "+Inf" }, stats.calls[id]!, "_bucket"];
    yield [{ command: name }, stats.usecs[id]! / 1e6, "_sum"];
    yield [{ command: name }, stats.calls[id]!, "_count"];
  }
}

/**
 * Prints all metrics in Prometheus's text format.
 *
 * @param facts What the router does not know.
 */
export function metricsText(router: Router, facts: ProxyFacts): Promise<string> {
  clock.tick();
  const registry = new Registry();
  for (const row of ROWS) {
    // The counts live in the router: a metric here is only a view that is read when printed.
    const view = {
      name: row.name,
      get: () =>
        Promise.resolve({
          name: row.name,
          help: row.help,
          type: row.type,
          aggregator: "sum",
          values: Array.from(row.samples(router, facts), ([labels, value, suffix]) => ({
            labels,
            value,
            metricName: row.name + (suffix ?? ""),
          })),
        }),
      reset() {},
    };
    registry.registerMetric(view as unknown as Parameters<Registry["registerMetric"]>[0]);
  }
  return registry.metrics();
}

/** The content type of {@linkcode metricsText}. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
