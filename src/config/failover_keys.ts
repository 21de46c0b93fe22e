/**
 * The rows of the table of keys that say when a replica takes the place of its master.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** A part of the table, in its order. */
export const FAILOVER_KEYS = [
  {
    key: "failover",
    field: "failover",
    kind: "word",
    words: ["off", "auto"],
    default: "off",
    help:
      "Whether the dashboard promotes a replica when a master is down and most proxies see it down, too.",
  },
  {
    key: "failover_after",
    field: "failoverAfterMs",
    kind: "duration",
    unit: "s",
    default: "10",
    min: 1,
    max: 3600,
    help: "Time that a master must be down before the dashboard promotes a replica.",
  },
  {
    key: "failover_rejoin",
    field: "failoverRejoins",
    kind: "switch",
    default: "on",
    help:
      "Whether a master in whose place a replica was promoted becomes a replica by itself when it is back. " +
      "Writes that only it had are lost by that, and told.",
  },
  {
    key: "failover_lost_writes_dir",
    field: "failoverLostWritesDir",
    kind: "text",
    default: "",
    example: "/var/lib/codis/lost-writes",
    help:
      "Folder of the dashboard's machine in which writes that only a failed master had are kept, as Redis " +
      "commands, one file for each time. As far as that server's replication backlog still has them. Not " +
      "set: they are only counted.",
  },
] as const satisfies readonly ConfigKey[];
