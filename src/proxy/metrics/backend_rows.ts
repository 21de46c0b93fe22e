/**
 * Metrics of the proxy's connections to Redis servers.
 *
 * @module
 */

import type { MetricSection } from "../../base/prometheus.ts";
import type { ProxyRow } from "./row.ts";

/** See the header. */
export const BACKEND_METRICS: MetricSection<ProxyRow> = {
  title: "Servers",
  rows: [
    {
      name: "codis_proxy_backend_up",
      help: "1 while a server has a connection that is ready",
      type: "gauge",
      labels: ["server"],
      across: "min",
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyServerNotReached",
        when: "min by (instance, server) (codis_proxy_backend_up) == 0",
        minutes: 1,
        severity: "critical",
        summary: "Proxy {{ $labels.instance }} has no connection to {{ $labels.server }}.",
        fix:
          "Look at that server and the network. codis-proxy config server promote another one if it stays away.",
      }],
      samples: ({ servers }) =>
        servers.map(({ address, connections }) => [
          { server: address },
          connections.includes("ready") ? 1 : 0,
        ]),
    },
    {
      name: "codis_proxy_backend_connections",
      help: "Connections to a server, by state",
      type: "gauge",
      labels: ["server", "state"],
      isPerWorker: true,
      *samples({ servers }) {
        for (const { address, connections } of servers) {
          const counts = new Map<string, number>();
          for (const state of connections) counts.set(state, (counts.get(state) ?? 0) + 1);
          for (const [state, count] of counts) yield [{ server: address, state }, count];
        }
      },
    },
    {
      name: "codis_proxy_backend_queue",
      help: "Requests sent to a server and not answered yet",
      type: "gauge",
      labels: ["server"],
      isPerWorker: true,
      samples: ({ servers }) =>
        servers.map(({ address, inFlight }) => [{ server: address }, inFlight]),
    },
    {
      name: "codis_proxy_backend_oldest_request_seconds",
      help: "Age of the oldest request a server has not answered yet",
      type: "gauge",
      labels: ["server"],
      across: "max",
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyServerSlow",
        when: "max by (instance, server) (codis_proxy_backend_oldest_request_seconds) > 3",
        minutes: 1,
        severity: "warning",
        summary:
          "Server {{ $labels.server }} has not answered a request of proxy {{ $labels.instance }} for {{ $value | humanizeDuration }}.",
        fix:
          "SLOWLOG GET, CLIENT LIST and LATENCY DOCTOR at that server: a long script, a big key, swap.",
      }],
      samples: ({ servers }) =>
        servers.map(({ address, oldestMs }) => [{ server: address }, oldestMs / 1000]),
    },
    {
      name: "codis_proxy_backend_losses_total",
      help: "Connections to a server that were lost",
      type: "counter",
      labels: ["server"],
      isPerWorker: true,
      samples: ({ servers }) => servers.map(({ address, losses }) => [{ server: address }, losses]),
    },
    {
      name: "codis_proxy_backend_circuit_open",
      help: "1 while requests for a server are refused because it does not answer in time",
      type: "gauge",
      labels: ["server"],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyCircuitOpen",
        when: "max by (instance, server) (codis_proxy_backend_circuit_open) == 1",
        minutes: 1,
        severity: "critical",
        summary:
          "Proxy {{ $labels.instance }} refuses requests for {{ $labels.server }}, which does not answer in time.",
        fix: "Look at its SLOWLOG, its machine and the network. It is used again when it answers.",
      }],
      samples: ({ servers }) =>
        servers.map(({ address, refusedFor }) => [
          { server: address },
          refusedFor === "" ? 0 : 1,
        ]),
    },
    {
      name: "codis_proxy_backend_circuit_openings_total",
      help: "How often requests for a server began to be refused because it did not answer in time",
      type: "counter",
      labels: ["server"],
      isPerWorker: true,
      samples: ({ servers }) =>
        servers.map(({ address, circuitOpenings }) => [{ server: address }, circuitOpenings]),
    },
    {
      name: "codis_proxy_private_connections",
      help:
        "Connections to a server that belong to one client each, at most private_connections_max",
      type: "gauge",
      labels: ["server"],
      isPerWorker: true,
      samples: ({ servers }) =>
        servers.map(({ address, privates }) => [{ server: address }, privates]),
    },
    {
      name: "codis_proxy_private_connection_refusals_total",
      help: "Clients that waited for a connection of their own in vain",
      type: "counter",
      labels: ["server"],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyPrivateConnectionsUsedUp",
        when:
          "sum by (instance, server) (increase(codis_proxy_private_connection_refusals_total[5m])) > 0",
        minutes: 0,
        severity: "warning",
        summary:
          "Clients of proxy {{ $labels.instance }} wait for a connection of their own to {{ $labels.server }} in vain.",
        fix: "Fewer clients that block, watch or subscribe, or a larger private_connections_max.",
      }],
      samples: ({ servers }) =>
        servers.map(({ address, privateRefusals }) => [{ server: address }, privateRefusals]),
    },
  ],
};
