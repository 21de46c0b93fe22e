/**
 * The rows of the table of keys that say how Redis Sentinel is used.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** A part of the table, in its order. */
export const SENTINEL_KEYS = [
  {
    key: "sentinels",
    field: "sentinels",
    kind: "addresses",
    default: "",
    example: "sentinel-1:26379,sentinel-2:26379,sentinel-3:26379",
    help:
      "Sentinels that decide about the masters, for a store that has none yet; `config sentinel` adds and " +
      "removes them later. With sentinels, failover has no effect.",
  },
  {
    key: "sentinel_password",
    field: "sentinelPassword",
    kind: "secret",
    reload: "while_set",
    default: "",
    help: "Password of the sentinels themselves, their requirepass.",
  },
  {
    key: "sentinel_tls",
    field: "sentinelTls",
    kind: "switch",
    default: "off",
    help:
      "Whether the dashboard speaks TLS to the sentinels, with the certificates of backend_tls.",
  },
  {
    key: "sentinel_quorum",
    field: "sentinelQuorum",
    kind: "count",
    default: "0",
    max: 100,
    help: "How many sentinels must find a master down before they replace it. 0: more than half.",
  },
  {
    key: "sentinel_down_after",
    field: "sentinelDownAfterMs",
    kind: "duration",
    unit: "s",
    default: "30",
    min: 1,
    max: 3600,
    help: "Time that a master must not have answered a sentinel, which then finds it down.",
  },
  {
    key: "sentinel_failover_timeout",
    field: "sentinelFailoverTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "300",
    min: 1,
    max: 86_400,
    help: "Time limit for a failover by the sentinels; after twice that, they may try again.",
  },
  {
    key: "sentinel_parallel_syncs",
    field: "sentinelParallelSyncs",
    kind: "count",
    default: "1",
    min: 1,
    max: 1000,
    help: "How many replicas the sentinels point at a new master at once.",
  },
] as const satisfies readonly ConfigKey[];
