/**
 * The rows of the table of keys that say how fast keys are moved.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** A part of the table, in its order. */
export const MIGRATE_KEYS = [
  {
    key: "migrate_keys_per_second",
    field: "migrateKeysPerSecond",
    kind: "count",
    reload: "live",
    default: "0",
    max: 1_000_000_000,
    help: "Limit of keys per second that migrations move from one server to another. 0: no limit.",
  },
  {
    key: "migrate_bytes_per_second",
    field: "migrateBytesPerSecond",
    kind: "size",
    reload: "live",
    default: "0",
    help:
      "Limit of bytes per second that migrations move from one server to another, measured as " +
      "memory of the keys at the source. 0: no limit. It has no effect on codis-servers.",
  },
  {
    key: "migrate_big_key",
    field: "migrateBigKeyBytes",
    kind: "size",
    reload: "live",
    default: "1mb",
    min: 1024,
    help:
      "Memory from which a key counts as big. The move of a big key stops its servers for a while.",
  },
  {
    key: "migrate_big_key_policy",
    field: "migrateBigKeyPolicy",
    kind: "word",
    reload: "live",
    words: ["last", "warn", "refuse"],
    default: "warn",
    help:
      "What a migration does with big keys. last: it moves each one alone, after the other keys of the " +
      "slot. warn: the same, after a warning. refuse: it does not start with the slot.",
  },
  {
    key: "migrate_p99_max",
    field: "migrateP99MaxMs",
    kind: "duration",
    reload: "live",
    unit: "ms",
    default: "0",
    max: 60_000,
    help:
      "Migrations slow down while the p99 latency of a proxy is above this limit, and speed up again " +
      "below it. 0: no limit.",
  },
] as const satisfies readonly ConfigKey[];
