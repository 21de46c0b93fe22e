/**
 * Metrics of clients: who is connected, who was refused or closed, what users with limits take.
 *
 * @module
 */

import { textOfBytes } from "../../acl/users.ts";
import { type MetricSection, oneSample, type Sample } from "../../base/prometheus.ts";
import type { UserUsage } from "../../router/limits/limit_cells.ts";
import type { ProxyRow } from "./row.ts";

/** See the header. */
export const CLIENT_METRICS: MetricSection<ProxyRow> = {
  title: "Clients",
  rows: [
    {
      name: "codis_proxy_sessions",
      help: "Connected clients",
      type: "gauge",
      labels: [],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyClientsNearLimit",
        when:
          "sum by (instance) (codis_proxy_sessions) / on (instance) codis_proxy_clients_max > 0.9",
        minutes: 2,
        severity: "warning",
        summary:
          "Proxy {{ $labels.instance }} has {{ $value | humanizePercentage }} of the clients that it can serve.",
        fix: "Add a proxy, or raise max_clients and ulimit -n.",
      }],
      samples: ({ sessions }) => oneSample(sessions),
    },
    {
      name: "codis_proxy_clients_max",
      help:
        "Most clients that are served at one time: max_clients, or as many as there are descriptors for",
      type: "gauge",
      labels: [],
      samples: (_stats, { clientsMax }) => oneSample(clientsMax),
    },
    {
      name: "codis_proxy_subscribers",
      help: "Clients that subscribe; each has a connection of its own to every master",
      type: "gauge",
      labels: [],
      isPerWorker: true,
      samples: ({ subscribers }) => oneSample(subscribers),
    },
    {
      name: "codis_proxy_tracking_clients",
      help: "Clients of CLIENT TRACKING; each has connections of its own",
      type: "gauge",
      labels: [],
      isPerWorker: true,
      samples: ({ tracking }) => oneSample(tracking),
    },
    {
      name: "codis_proxy_lost_subscriptions_total",
      help:
        "Connections lost over which clients subscribed. They are opened again; what was published in between did not reach the clients",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.lostSubscriptions),
    },
    {
      name: "codis_proxy_lost_access_lines_total",
      help: "Lines of access_log that could not be written, or not in time",
      type: "counter",
      labels: [],
      samples: ({ totals }) => oneSample(totals.lostAccessLines),
    },
    {
      name: "codis_proxy_connections_total",
      help: "Connections accepted",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.connections),
    },
    {
      name: "codis_proxy_rejected_connections_total",
      help: "Connections refused because of max_clients",
      type: "counter",
      labels: [],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyClientsRejected",
        when: "sum by (instance) (rate(codis_proxy_rejected_connections_total[5m])) > 0",
        minutes: 0,
        severity: "critical",
        summary:
          "Proxy {{ $labels.instance }} refuses clients: max_clients, or ulimit -n, is reached.",
        fix: "Add a proxy, or raise max_clients and ulimit -n. CLIENT LIST shows who is connected.",
      }],
      samples: ({ totals }) => oneSample(totals.rejectedConnections),
    },
    {
      name: "codis_proxy_tls_handshakes_failed_total",
      help: "TLS clients that were cut before their handshake was done",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.failedHandshakes),
    },
    {
      name: "codis_proxy_closed_sessions_total",
      help: "Sessions that the proxy closed: overflow and eviction (memory), protocol, timeout",
      type: "counter",
      labels: ["reason"],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyClientsClosedForMemory",
        when:
          'sum by (instance, reason) (increase(codis_proxy_closed_sessions_total{reason=~"overflow|eviction"}[5m])) > 0',
        minutes: 0,
        severity: "warning",
        summary:
          "Proxy {{ $labels.instance }} closes clients that do not read their replies ({{ $labels.reason }}).",
        fix: "Its log names them. They should read faster, or ask for less at once.",
      }],
      samples: ({ totals }) => [
        [{ reason: "overflow" }, totals.overflowedSessions],
        [{ reason: "eviction" }, totals.evictedSessions],
        [{ reason: "protocol" }, totals.protocolErrors],
        [{ reason: "timeout" }, totals.timedOutSessions],
      ],
    },
    {
      name: "codis_proxy_denied_requests_total",
      help: "Requests that users' rules did not allow; ACL LOG says which",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) =>
        oneSample(totals.deniedCommands + totals.deniedKeys + totals.deniedChannels),
    },
    {
      name: "codis_proxy_wrong_auths_total",
      help: "Wrong users or passwords that clients gave",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.wrongAuths),
    },
    {
      name: "codis_proxy_throttled_auths_total",
      help:
        "Wrong users or passwords that were answered late, because many came from one address: somebody guesses, or a client has an old password",
      type: "counter",
      labels: [],
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyWrongPasswords",
        when: "sum by (instance) (increase(codis_proxy_throttled_auths_total[5m])) > 0",
        minutes: 0,
        severity: "warning",
        summary:
          "Many wrong passwords reach proxy {{ $labels.instance }}: somebody guesses, or a client has an old password.",
        fix: "Its log names the address.",
      }],
      samples: ({ totals }) => oneSample(totals.throttledAuths),
    },
    {
      name: "codis_proxy_user_connections",
      help: "Clients of a user with limits",
      type: "gauge",
      labels: ["user"],
      samples: (_stats, { usage }) => perUser(usage, "connections"),
    },
    {
      name: "codis_proxy_user_requests_total",
      help: "Requests of a user with limits",
      type: "counter",
      labels: ["user"],
      samples: (_stats, { usage }) => perUser(usage, "requests"),
    },
    {
      name: "codis_proxy_user_bytes_total",
      help: "Bytes of requests and replies of a user with limits",
      type: "counter",
      labels: ["user"],
      samples: (_stats, { usage }) => perUser(usage, "bytes"),
    },
    {
      name: "codis_proxy_user_delayed_total",
      help: "How often a client had to wait because its user had used up its limits",
      type: "counter",
      labels: ["user"],
      samples: (_stats, { usage }) => perUser(usage, "delayed"),
    },
    {
      name: "codis_proxy_user_refused_total",
      help: "Requests and logins that were refused because of the user's limits",
      type: "counter",
      labels: ["user"],
      samples: (_stats, { usage }) => perUser(usage, "refused"),
    },
    {
      name: "codis_proxy_input_bytes_total",
      help: "Bytes received from clients",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.inputBytes),
    },
    {
      name: "codis_proxy_output_bytes_total",
      help: "Bytes sent to clients",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.outputBytes),
    },
  ],
};

function perUser(usage: readonly UserUsage[], count: Exclude<keyof UserUsage, "name">): Sample[] {
  return usage.map((user) => [{ user: textOfBytes(user.name) }, user[count]]);
}
