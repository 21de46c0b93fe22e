/**
 * `/metrics` for Prometheus: one table of what is measured, read when asked. With several workers, what
 * each of them counts for itself is one series for each, told apart by the label `worker`.
 *
 * @module
 */

import { textOfBytes } from "../acl/users.ts";
import { COORDINATOR_STATES, type CoordinatorState } from "../coordinator/coordinator.ts";
import type { StatsSnapshot } from "../router/stats_snapshot.ts";
import type { UserUsage } from "../router/limits/limit_cells.ts";
import { latencyMetrics } from "./latency_metrics.ts";
import { type Metric, prometheusText, type Sample } from "./prometheus.ts";
import type { PlaneStats } from "./workers/data_plane.ts";

/** What metrics show that routers do not know. */
export interface ProxyFacts {
  readonly version: string;
  /** `online`, `offline`, … as in the store. */
  readonly state: string;
  /** Where the session with the coordinator stands. */
  readonly coordinatorState: CoordinatorState;
  /** Seconds since the table was last known to agree with the coordinator. */
  readonly staleSeconds: number;
  /** What users with limits have taken. */
  readonly usage: readonly UserUsage[];
}

interface Row extends Omit<Metric, "samples"> {
  /** Whether each worker has samples of its own; otherwise they are the process's. */
  readonly isPerWorker?: true;
  readonly samples: (stats: StatsSnapshot, facts: ProxyFacts) => Iterable<Sample>;
}

const one = (value: number): Sample[] => [[{}, value]];

const ROWS: readonly Row[] = [
  {
    name: "codis_proxy_info",
    help: "The version that runs; always 1",
    type: "gauge",
    samples: (_stats, { version }) => [[{ version }, 1]],
  },
  {
    name: "codis_proxy_online",
    help: "Whether the proxy is online at its coordinator",
    type: "gauge",
    samples: (_stats, { state }) => one(state === "online" ? 1 : 0),
  },
  {
    name: "codis_proxy_coordinator_state",
    help: "Where the session with the coordinator stands: 1 for the state it is in",
    type: "gauge",
    samples: (_stats, { coordinatorState }) =>
      COORDINATOR_STATES.map((state) => [{ state }, state === coordinatorState ? 1 : 0]),
  },
  {
    name: "codis_proxy_uptime_seconds",
    help: "Time since the start",
    type: "gauge",
    samples: ({ uptimeMs }) => one(uptimeMs / 1000),
  },
  {
    name: "codis_proxy_table_version",
    help: "Slot changes put in force since the start",
    type: "counter",
    samples: ({ tableVersion }) => one(tableVersion),
  },
  {
    name: "codis_proxy_table_stale_seconds",
    help: "Time since the slot table was last known to agree with the coordinator",
    type: "gauge",
    samples: (_stats, { staleSeconds }) => one(staleSeconds),
  },
  {
    name: "codis_proxy_slots",
    help: "Slots by state",
    type: "gauge",
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
    name: "codis_proxy_sessions",
    help: "Connected clients",
    type: "gauge",
    isPerWorker: true,
    samples: ({ sessions }) => one(sessions),
  },
  {
    name: "codis_proxy_subscribers",
    help: "Clients that subscribe; each has a connection of its own to every master",
    type: "gauge",
    isPerWorker: true,
    samples: ({ subscribers }) => one(subscribers),
  },
  {
    name: "codis_proxy_tracking_clients",
    help: "Clients of CLIENT TRACKING; each has connections of its own",
    type: "gauge",
    isPerWorker: true,
    samples: ({ tracking }) => one(tracking),
  },
  {
    name: "codis_proxy_lost_subscriptions_total",
    help: "Connections lost over which clients subscribed; they are opened again",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.lostSubscriptions),
  },
  {
    name: "codis_proxy_connections_total",
    help: "Connections accepted",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.connections),
  },
  {
    name: "codis_proxy_rejected_connections_total",
    help: "Connections refused because of max_clients",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.rejectedConnections),
  },
  {
    name: "codis_proxy_tls_handshakes_failed_total",
    help: "TLS clients that were cut before their handshake was done",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.failedHandshakes),
  },
  {
    name: "codis_proxy_closed_sessions_total",
    help: "Sessions the proxy closed, by reason",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => [
      [{ reason: "overflow" }, totals.overflowedSessions],
      [{ reason: "eviction" }, totals.evictedSessions],
      [{ reason: "protocol" }, totals.protocolErrors],
      [{ reason: "timeout" }, totals.timedOutSessions],
    ],
  },
  {
    name: "codis_proxy_denied_requests_total",
    help: "Requests that the rules of their users did not allow",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.deniedCommands + totals.deniedKeys + totals.deniedChannels),
  },
  {
    name: "codis_proxy_wrong_auths_total",
    help: "Wrong users or passwords that clients gave",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.wrongAuths),
  },
  {
    name: "codis_proxy_throttled_auths_total",
    help: "Wrong users or passwords that were answered late, as many came from one address",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.throttledAuths),
  },
  {
    name: "codis_proxy_user_connections",
    help: "Clients of a user with limits",
    type: "gauge",
    samples: (_stats, { usage }) => perUser(usage, "connections"),
  },
  {
    name: "codis_proxy_user_requests_total",
    help: "Requests of a user with limits",
    type: "counter",
    samples: (_stats, { usage }) => perUser(usage, "requests"),
  },
  {
    name: "codis_proxy_user_bytes_total",
    help: "Bytes of requests and replies of a user with limits",
    type: "counter",
    samples: (_stats, { usage }) => perUser(usage, "bytes"),
  },
  {
    name: "codis_proxy_user_delayed_total",
    help: "How often a client had to wait because its user had used up its limits",
    type: "counter",
    samples: (_stats, { usage }) => perUser(usage, "delayed"),
  },
  {
    name: "codis_proxy_user_refused_total",
    help: "Requests and logins that were refused because of the user's limits",
    type: "counter",
    samples: (_stats, { usage }) => perUser(usage, "refused"),
  },
  {
    name: "codis_proxy_input_bytes_total",
    help: "Bytes received from clients",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.inputBytes),
  },
  {
    name: "codis_proxy_output_bytes_total",
    help: "Bytes sent to clients",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.outputBytes),
  },
  {
    name: "codis_proxy_buffered_bytes",
    help: "Bytes held for all sessions together, bounded by proxy_max_buffer",
    type: "gauge",
    isPerWorker: true,
    samples: ({ bufferedBytes }) => one(bufferedBytes),
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
    isPerWorker: true,
    samples: (stats) => perCommand(stats, "calls"),
  },
  {
    name: "codis_proxy_command_errors_total",
    help: "Answers that were errors",
    type: "counter",
    isPerWorker: true,
    samples: (stats) => perCommand(stats, "errors"),
  },
  {
    name: "codis_proxy_command_failures_total",
    help: "Requests the proxy failed itself: no server, lost connection, deadline",
    type: "counter",
    isPerWorker: true,
    samples: (stats) => perCommand(stats, "failures"),
  },
  {
    name: "codis_proxy_backend_up",
    help: "Whether a server has a connection that is ready",
    type: "gauge",
    isPerWorker: true,
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
    isPerWorker: true,
    samples: ({ servers }) =>
      servers.map(({ address, inFlight }) => [{ server: address }, inFlight]),
  },
  {
    name: "codis_proxy_backend_oldest_request_seconds",
    help: "Age of the oldest request a server has not answered yet",
    type: "gauge",
    isPerWorker: true,
    samples: ({ servers }) =>
      servers.map(({ address, oldestMs }) => [{ server: address }, oldestMs / 1000]),
  },
  {
    name: "codis_proxy_backend_losses_total",
    help: "Connections to a server that were lost",
    type: "counter",
    isPerWorker: true,
    samples: ({ servers }) => servers.map(({ address, losses }) => [{ server: address }, losses]),
  },
  {
    name: "codis_proxy_private_connections",
    help: "Connections to a server that belong to one client each",
    type: "gauge",
    isPerWorker: true,
    samples: ({ servers }) =>
      servers.map(({ address, privates }) => [{ server: address }, privates]),
  },
  {
    name: "codis_proxy_private_connection_refusals_total",
    help: "Clients that waited for a connection of their own in vain",
    type: "counter",
    isPerWorker: true,
    samples: ({ servers }) =>
      servers.map(({ address, privateRefusals }) => [{ server: address }, privateRefusals]),
  },
  {
    name: "codis_proxy_reads_total",
    help: "Reads of clients that may read from replicas, by the server that they were sent to",
    type: "counter",
    isPerWorker: true,
    *samples({ servers, replicas }) {
      const groups = new Set(replicas.map(({ groupId }) => groupId));
      for (const { address, groupId, reads } of servers) {
        if (groups.has(groupId)) yield [{ server: address, role: "master" }, reads];
      }
      for (const { address, reads } of replicas) {
        yield [{ server: address, role: "replica" }, reads];
      }
    },
  },
  {
    name: "codis_proxy_retried_reads_total",
    help: "Reads that a replica has not answered, and the master was asked for",
    type: "counter",
    isPerWorker: true,
    samples: ({ totals }) => one(totals.retriedReads),
  },
  {
    name: "codis_proxy_replica_serving",
    help: "Whether a replica serves reads; INFO proxy says why it does not",
    type: "gauge",
    isPerWorker: true,
    samples: ({ replicas }) =>
      replicas.map(({ address, groupId, fault }) => [
        { server: address, group: groupId },
        fault === "" ? 1 : 0,
      ]),
  },
  {
    name: "codis_proxy_replica_lag_bytes",
    help: "How far a replica was behind its master when it was last asked",
    type: "gauge",
    isPerWorker: true,
    samples: ({ replicas }) =>
      replicas.map(({ address, lagBytes }) => [{ server: address }, lagBytes]),
  },
  {
    name: "codis_proxy_replica_age_seconds",
    help: "The greatest age that the data of a replica may have; -1 when that is not known",
    type: "gauge",
    isPerWorker: true,
    samples: ({ replicas }) =>
      replicas.map(({ address, ageMs }) => [{ server: address }, ageMs < 0 ? -1 : ageMs / 1000]),
  },
];

function perCommand(
  { commands }: StatsSnapshot,
  counter: "calls" | "errors" | "failures",
): Sample[] {
  return commands.map((command) => [{ command: command.name }, command[counter]]);
}

/** A row's samples, of the process or of each worker. */
function* samplesOf(
  row: Row,
  { sum, workers }: PlaneStats,
  facts: ProxyFacts,
): Generator<Sample> {
  if (!row.isPerWorker || workers.length === 1) return yield* row.samples(sum, facts);
  for (const [worker, stats] of workers.entries()) {
    for (const [labels, value, suffix] of row.samples(stats, facts)) {
      const sample: Sample = [{ worker, ...labels }, value];
      yield suffix === undefined ? sample : [sample[0], value, suffix];
    }
  }
}

/**
 * Prints all metrics in Prometheus's text format.
 *
 * @param facts What routers do not know.
 */
export function metricsText(stats: PlaneStats, facts: ProxyFacts): string {
  return prometheusText([
    ...ROWS.map((row) => ({ ...row, samples: samplesOf(row, stats, facts) })),
    ...latencyMetrics(stats.sum),
  ]);
}

function perUser(usage: readonly UserUsage[], count: Exclude<keyof UserUsage, "name">): Sample[] {
  return usage.map((user) => [{ user: textOfBytes(user.name) }, user[count]]);
}
