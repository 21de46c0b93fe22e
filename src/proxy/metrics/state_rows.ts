/**
 * Metrics of the proxy itself: its version, its slot table, its coordinator, its event loops.
 *
 * @module
 */

import { DRAIN_STATES } from "../../api/proxy_stats.ts";
import { loopLagSamples } from "../../base/loop_lag.ts";
import { type MetricSection, oneSample } from "../../base/prometheus.ts";
import { COORDINATOR_STATES } from "../../coordinator/coordinator.ts";
import type { ProxyRow } from "./row.ts";

/** See the header. */
export const STATE_METRICS: MetricSection<ProxyRow> = {
  title: "Proxy",
  rows: [
    {
      name: "codis_proxy_info",
      help: "The version that runs; always 1",
      type: "gauge",
      labels: ["version"],
      samples: (_stats, { version }) => [[{ version }, 1]],
    },
    {
      name: "codis_proxy_online",
      help: "1 while the proxy is online at its coordinator",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisProxyNotOnline",
        when: "codis_proxy_online == 0",
        minutes: 2,
        severity: "warning",
        summary:
          "Proxy {{ $labels.instance }} is not online; a proxy that has just started serves no client.",
        fix:
          "Its log says why. codis-proxy config proxy list, then codis-proxy config proxy online <proxy_id>.",
      }],
      samples: (_stats, { state }) => oneSample(state === "online" ? 1 : 0),
    },
    {
      name: "codis_proxy_drain",
      help:
        "1 for what the process does: draining, it lets its clients go, or drained, it accepts none and has none",
      type: "gauge",
      labels: ["state"],
      samples: (_stats, { drain }) =>
        DRAIN_STATES.map((state) => [{ state }, state === drain ? 1 : 0]),
    },
    {
      name: "codis_proxy_coordinator_state",
      help: "1 for the state that the session with the coordinator is in",
      type: "gauge",
      labels: ["state"],
      samples: (_stats, { coordinatorState }) =>
        COORDINATOR_STATES.map((state) => [{ state }, state === coordinatorState ? 1 : 0]),
    },
    {
      name: "codis_proxy_uptime_seconds",
      help: "Time since the start",
      type: "gauge",
      labels: [],
      samples: ({ uptimeMs }) => oneSample(uptimeMs / 1000),
    },
    {
      name: "codis_proxy_table_version",
      help: "Slot changes made since the start",
      type: "gauge",
      labels: [],
      samples: ({ tableVersion }) => oneSample(tableVersion),
    },
    {
      name: "codis_proxy_table_stale_seconds",
      help: "Time since the slot table was last known to agree with the coordinator",
      type: "gauge",
      labels: [],
      alerts: [{
        name: "CodisProxyTableStale",
        when: "codis_proxy_table_stale_seconds > 60",
        minutes: 0,
        severity: "warning",
        summary: "Proxy {{ $labels.instance }} has not heard of its coordinator for " +
          "{{ $value | humanizeDuration }}. Clients are served; slots cannot be changed.",
        fix: "Look at ZooKeeper or etcd, and at the network between.",
      }],
      samples: (_stats, { staleSeconds }) => oneSample(staleSeconds),
    },
    {
      name: "codis_proxy_slots",
      help: "Slots by state: offline, open, migrating, draining, blocked",
      type: "gauge",
      labels: ["state"],
      alerts: [{
        name: "CodisProxySlotsOffline",
        when: 'codis_proxy_slots{state="offline"} > 0',
        minutes: 1,
        severity: "critical",
        summary:
          "Proxy {{ $labels.instance }} cannot serve {{ $value }} slots: their requests get errors.",
        fix: "codis-proxy config check says which slots and how to mend them.",
      }, {
        name: "CodisProxySlotsBlocked",
        when: 'codis_proxy_slots{state=~"draining|blocked"} > 0',
        minutes: 1,
        severity: "critical",
        summary:
          "Proxy {{ $labels.instance }} holds the requests of {{ $value }} slots back: a slot change is not finished.",
        fix: "codis-proxy config status names the proxy or server that it waits for.",
      }],
      *samples({ slots }) {
        const counts: Record<string, number> = {
          offline: 0,
          open: 0,
          migrating: 0,
          draining: 0,
          blocked: 0,
        };
        for (const state of slots.states) counts[state]!++;
        for (const [state, count] of Object.entries(counts)) yield [{ state }, count];
      },
    },
    {
      name: "codis_proxy_buffered_bytes",
      help: "Bytes held for all sessions together, bounded by proxy_max_buffer",
      type: "gauge",
      labels: [],
      isPerWorker: true,
      samples: ({ bufferedBytes }) => oneSample(bufferedBytes),
    },
    {
      name: "codis_proxy_event_loop_lag_seconds",
      help: "How late a timer of every 0.1 s was: how long the event loop was held up",
      type: "histogram",
      labels: [],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyHeldUp",
        when: "sum by (instance) (rate(codis_proxy_event_loop_lag_seconds_sum[5m])) / " +
          "sum by (instance) (rate(codis_proxy_event_loop_lag_seconds_count[5m])) > 0.05",
        minutes: 5,
        severity: "warning",
        summary: "The event loop of proxy {{ $labels.instance }} is late by " +
          "{{ $value | humanizeDuration }} on average: it has too little CPU, or too much to do.",
        fix: "Look at the CPU of the machine; add workers (--cpu) or proxies.",
      }],
      samples: ({ loopLag }) => loopLagSamples(loopLag),
    },
  ],
};
