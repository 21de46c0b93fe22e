/**
 * Metrics of reads that may go to replicas.
 *
 * @module
 */

import { type MetricSection, oneSample } from "../../base/prometheus.ts";
import type { ProxyRow } from "./row.ts";

/** See the header. */
export const REPLICA_METRICS: MetricSection<ProxyRow> = {
  title: "Reads from replicas",
  rows: [
    {
      name: "codis_proxy_reads_total",
      help:
        "Reads of clients that may read from replicas, by the server that they went to: role is master or replica",
      type: "counter",
      labels: ["server", "role"],
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
      help:
        "Reads that a replica has not answered, or with an error, and that were sent to another server",
      type: "counter",
      labels: [],
      isPerWorker: true,
      samples: ({ totals }) => oneSample(totals.retriedReads),
    },
    {
      name: "codis_proxy_replica_serving",
      help: "1: the replica serves reads. 0: INFO proxy says why not",
      type: "gauge",
      labels: ["server", "group"],
      across: "min",
      isPerWorker: true,
      alerts: [{
        name: "CodisProxyReplicaServesNoReads",
        when: "max by (instance, server) (codis_proxy_replica_serving) == 0",
        minutes: 5,
        severity: "warning",
        summary: "Replica {{ $labels.server }} serves no reads at proxy {{ $labels.instance }}.",
        fix: "INFO proxy at the proxy says why: lag, a lost link, another history.",
      }],
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
      labels: ["server"],
      across: "max",
      isPerWorker: true,
      samples: ({ replicas }) =>
        replicas.map(({ address, lagBytes }) => [{ server: address }, lagBytes]),
    },
    {
      name: "codis_proxy_replica_age_seconds",
      help:
        "The greatest age that the replica's data may have; above replica_max_lag, it serves no reads; -1: not known",
      type: "gauge",
      labels: ["server"],
      across: "max",
      isPerWorker: true,
      samples: ({ replicas }) =>
        replicas.map(({ address, ageMs }) => [{ server: address }, ageMs < 0 ? -1 : ageMs / 1000]),
    },
  ],
};
