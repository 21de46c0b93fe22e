/**
 * The rows that Redis 7.0.15 does not have: codis-server's own commands, the proxy's, subcommands that the
 * proxy answers as later versions do, and the first words of HTTP requests.
 *
 * @module
 */

import type { KeySpec, Origin } from "./command.ts";
import type { TableRow } from "./command_row.ts";

/** An added row with its COMMAND DOCS entry. */
export interface AddedRow {
  readonly origin: Origin;
  readonly row: TableRow;
  readonly summary: string;
  readonly since: string;
  readonly group: string;
}

function keys(flags: string, index: number, lastkey: number, keystep: number): KeySpec {
  return {
    flags: flags.split(" "),
    begin_search: { type: "index", spec: { index } },
    find_keys: { type: "range", spec: { lastkey, keystep, limit: 0 } },
  };
}

function codis(
  name: string,
  arity: number,
  flags: string,
  summary: string,
  since = "2.0",
): AddedRow {
  const categories = flags.includes("write") ? "@write @slow" : "@read @slow";
  const row: TableRow = [name, arity, flags, 0, 0, 0, categories, "", []];
  return { origin: "codis", row, summary, since, group: "codis" };
}

/** A command of the proxy's own with the subcommands GET, RESET and HELP, as Redis has SLOWLOG. */
function ownKeyList(name: string, since: string, what: string): readonly AddedRow[] {
  const row = (
    word: string,
    arity: number,
    flags: string,
    categories: string,
    summary: string,
  ): AddedRow => ({
    origin: "proxy",
    row: [`${name}${word}`, arity, flags, 0, 0, 0, categories, "", []],
    summary,
    since,
    group: "server",
  });
  const flags = "admin loading stale";
  return [
    row("", -2, "", "@slow", `A container for commands about ${what}`),
    row("|get", -2, flags, "@admin @slow @dangerous", `Get ${what}`),
    row("|reset", 2, flags, "@admin @slow @dangerous", `Forget ${what}`),
    row("|help", 2, "loading stale", "@slow", "Show helpful text about the subcommands"),
  ];
}

/** codis-server 3.2's asynchronous migration; the proxy speaks it to servers, clients may not. */
const ASYNC_MIGRATION: readonly string[] = [
  "slotsmgrtone-async",
  "slotsmgrtslot-async",
  "slotsmgrttagone-async",
  "slotsmgrttagslot-async",
  "slotsmgrt-exec-wrapper",
  "slotsmgrt-async-fence",
  "slotsmgrt-async-cancel",
  "slotsmgrt-async-status",
  "slotsrestore-async",
  "slotsrestore-async-auth",
  "slotsrestore-async-select",
  "slotsrestore-async-ack",
];

/** Every row that is not generated. */
export const ADDED_ROWS: readonly AddedRow[] = [
  codis("slotshashkey", -2, "readonly fast", "Get the slots of keys"),
  codis("slotsmapping", -1, "readonly fast", "Get the servers of all slots or of one", "3.2"),
  codis("slotsinfo", -1, "readonly", "Count the keys of each slot on one server"),
  codis("slotsscan", -1, "readonly", "Iterate over the keys of a slot", "3.1"),
  codis("slotsdel", -2, "write", "Delete all keys of slots"),
  codis("slotscheck", 1, "readonly admin", "Check the slot bookkeeping of one server"),
  codis("slotsmgrtone", 5, "write admin", "Move a key to another server"),
  codis("slotsmgrtslot", 5, "write admin", "Move one key of a slot to another server"),
  codis("slotsmgrttagone", 5, "write admin", "Move a key and all that share its tag"),
  codis("slotsmgrttagslot", 5, "write admin", "Move one key of a slot and all that share its tag"),
  {
    origin: "codis",
    // Codis 2.0 forwards it and redis-port depends on that: key, ttl in ms, payload, again and again.
    row: [
      "slotsrestore",
      -4,
      "write denyoom",
      1,
      -1,
      3,
      "@keyspace @write @slow @dangerous",
      "",
      [keys("OW update", 1, -1, 3)],
    ],
    summary: "Create keys from their serialized values, replacing those that exist",
    since: "2.0",
    group: "codis",
  },
  ...ASYNC_MIGRATION.map((name) =>
    codis(name, -1, "write admin", "Asynchronous migration between servers", "3.2")
  ),

  ...ownKeyList("hotkeys", "8.6.0", "the keys that clients ask for most"),
  ...ownKeyList("bigkeys", "0.1.0", "the keys of the largest requests and replies"),

  // node-redis, go-redis and others name themselves while they connect.
  {
    origin: "redis_later",
    row: ["client|setinfo", 4, "noscript loading stale", 0, 0, 0, "@slow @connection", "", []],
    summary: "Set client or connection specific info",
    since: "7.2.0",
    group: "connection",
  },
  {
    origin: "redis_later",
    row: ["client|no-touch", 3, "noscript loading stale", 0, 0, 0, "@slow @connection", "", []],
    summary: "Control whether commands sent by the client affect the LRU/LFU of accessed keys",
    since: "7.2.0",
    group: "connection",
  },
  // Of Redis Software and Redis Cloud; node-redis, go-redis, redis-py and Lettuce send it.
  {
    origin: "redis_later",
    row: [
      ...["client|maint_notifications", -3, "noscript loading stale", 0, 0, 0] as const,
      ...["@slow @connection", "", []] as const,
    ],
    summary: "Ask to be told before the connection is closed",
    since: "8.2.0",
    group: "connection",
  },
  {
    origin: "redis_later",
    row: ["cluster|myshardid", 2, "stale", 0, 0, 0, "@slow", "nondeterministic_output", []],
    summary: "Returns the shard ID of a node",
    since: "7.2.0",
    group: "cluster",
  },

  // Sent by a browser that a web site attacks us with; Redis closes the connection for both, too.
  ...["post", "host:"].map((name): AddedRow => ({
    origin: "http",
    row: [name, -1, "no_auth", 0, 0, 0, "@dangerous", "", []],
    summary: "Not a command: the beginning of an HTTP request",
    since: "3.2.7",
    group: "server",
  })),
];
