/**
 * What the proxy does with each command: the one hand-written table about commands.
 *
 * A command with keys that is not named here is forwarded by them. A command without keys that is
 * not named here is refused, and a test makes sure that there is none.
 *
 * @module
 */

import type { Caution, Handling, MergeRule } from "./command.ts";

/** The row of this table for one command. */
export interface HandlingRow {
  readonly handling: Handling;
  readonly merge: MergeRule;
  readonly isDestructive: boolean;
  readonly isServerCommand: boolean;
  readonly isClusterCommand: boolean;
  readonly closesSession: boolean;
  readonly isBlocking: boolean;
  readonly blockingOption: string;
  readonly reason: string;
  /** How many arguments it takes, where that differs from Redis. */
  readonly arity?: number;
}

const SPLIT: Readonly<Record<string, MergeRule>> = {
  mget: "concat",
  mset: "all_succeeded",
  del: "agg_sum",
  unlink: "agg_sum",
  exists: "agg_sum",
  touch: "agg_sum",
};

const FANOUT: Readonly<Record<string, MergeRule>> = {
  "dbsize": "agg_sum",
  "flushall": "all_succeeded",
  "flushdb": "all_succeeded",
  "keys": "concat",
  "scan": "scan",
  "randomkey": "random_key",
  "slotsinfo": "one_master",
  "slotsscan": "one_master",
  "script|load": "all_succeeded",
  "script|exists": "agg_logical_and",
  "script|flush": "all_succeeded",
  "script|kill": "one_succeeded",
  "function|load": "all_succeeded",
  "function|delete": "all_succeeded",
  "function|flush": "all_succeeded",
  "function|restore": "all_succeeded",
  "function|kill": "one_succeeded",
  "pubsub|channels": "union",
  "pubsub|numpat": "agg_max",
  "pubsub|numsub": "pairs_max",
  "pubsub|shardchannels": "union",
  "pubsub|shardnumsub": "pairs_max",
};

const DESTRUCTIVE = "flushall flushdb script|flush function|delete function|flush function|restore";

/** Commands that need `server_commands = on`. */
const SERVER = `
  config|set config|resetstat config|rewrite bgsave bgrewriteaof save swapdb memory|purge
  debug`;

const LOCAL = `
  subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe
  ping echo quit auth hello select reset readonly readwrite time info
  client|id client|info client|list client|kill client|no-evict client|no-touch
  client|maint_notifications client|setname client|getname client|setinfo client|getredir
  client|reply
  client|tracking client|caching client|trackinginfo client|pause client|unpause monitor
  client|unblock wait
  command command|count command|info command|docs command|list
  command|getkeys command|getkeysandflags
  config|get config|set config|resetstat config|rewrite slotshashkey slotsmapping
  acl|cat acl|deluser acl|dryrun acl|genpass acl|getuser acl|list acl|load acl|log acl|save
  acl|setuser acl|users acl|whoami
  role lastsave bgsave bgrewriteaof save swapdb debug function|stats module|list
  memory|stats memory|doctor memory|malloc-stats memory|purge
  latency|latest latency|history latency|doctor latency|graph latency|histogram latency|reset
  slowlog|get slowlog|len slowlog|reset
  hotkeys|get hotkeys|reset hotkeys|help bigkeys|get bigkeys|reset bigkeys|help`;

/** Commands without keys that any server can answer, because all answer the same. */
const ANY_SERVER = `
  lolwut function|list function|dump publish spublish acl|help
  latency|help memory|help module|help slowlog|help
  command|help client|help config|help object|help xgroup|help xinfo|help script|help
  function|help pubsub|help`;

/** Commands that take other numbers of arguments than in Redis. */
const OWN_ARITY: Readonly<Record<string, number>> = { monitor: -1 };

/** Commands whose arguments are looked at before they are let through. */
export const CAUTIONS: Readonly<Record<string, Caution>> = {
  eval: "script",
  eval_ro: "script",
  evalsha: "script",
  evalsha_ro: "script",
  fcall: "function",
  fcall_ro: "function",
  sort: "sort",
  sort_ro: "sort",
};

const TRANSACTION = "multi exec discard watch unwatch";

/** Commands that walk through one key, with a cursor of its server. */
const KEY_SCANS = "hscan sscan zscan";

/** Commands that wait at a server: always, or with one option. */
const BLOCKING = "blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop";
const BLOCKING_OPTION: Readonly<Record<string, string>> = { xread: "BLOCK", xreadgroup: "BLOCK" };

/** The refused commands by reason; the reason is a part of the error text. */
const REFUSED: readonly (readonly [reason: string, names: string])[] = [
  [
    "it takes a connection of its own, connect to the server instead",
    "script|debug",
  ],
  [
    "the dashboard decides which servers are masters, and what they are",
    "failover replicaof slaveof",
  ],
  ["a server is stopped on its own machine, a proxy by a signal", "shutdown"],
  [
    "it concerns one server, connect to that server instead",
    `module|load module|loadex module|unload pfdebug pfselftest psync replconf slotscheck slotsdel
     sync`,
  ],
  ["keys are placed by slots of the proxy, not of a cluster", "restore-asking"],
  [
    "keys are moved by the dashboard only",
    `migrate slotsmgrtone slotsmgrtslot slotsmgrttagone slotsmgrttagslot slotsmgrtone-async
     slotsmgrtslot-async slotsmgrttagone-async slotsmgrttagslot-async slotsmgrt-exec-wrapper
     slotsmgrt-async-fence slotsmgrt-async-cancel slotsmgrt-async-status slotsrestore-async
     slotsrestore-async-auth slotsrestore-async-select slotsrestore-async-ack`,
  ],
  ["this is not an HTTP port", "post host:"],
];

/** Commands that need `cluster_mode = on`: those that the proxy answers then, and those that are refused then, too. */
const CLUSTER_LOCAL = `
  asking cluster|count-failure-reports cluster|help cluster|info cluster|keyslot cluster|links
  cluster|myid cluster|myshardid cluster|nodes cluster|replicas cluster|shards cluster|slaves
  cluster|slots`;
const CLUSTER_REFUSED: readonly (readonly [reason: string, names: string])[] = [
  [
    "the nodes are the proxies that are online, and the slots are dealt out among them",
    `cluster|addslots cluster|addslotsrange cluster|bumpepoch cluster|delslots
     cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget cluster|meet
     cluster|replicate cluster|reset cluster|saveconfig cluster|set-config-epoch cluster|setslot`,
  ],
  [
    "servers do not know which keys are in a cluster slot: they only know the 1024 slots of Codis",
    "cluster|countkeysinslot cluster|getkeysinslot",
  ],
];

const CLOSES_SESSION = "post host:";

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** Builds the table by command name. */
export function buildHandling(): ReadonlyMap<string, HandlingRow> {
  const destructive = new Set(words(DESTRUCTIVE));
  const server = new Set(words(SERVER));
  const closing = new Set(words(CLOSES_SESSION));
  const cluster = new Set(
    words([CLUSTER_LOCAL, ...CLUSTER_REFUSED.map(([, names]) => names)].join(" ")),
  );
  const table = new Map<string, HandlingRow>();
  const add = (
    name: string,
    handling: Handling,
    merge: MergeRule,
    reason = "",
    blocking: { readonly option: string } | null = null,
  ) => {
    if (table.has(name)) throw new Error(`command "${name}" has two rows`);
    table.set(name, {
      handling,
      merge,
      isDestructive: destructive.has(name),
      isServerCommand: server.has(name),
      isClusterCommand: cluster.has(name),
      closesSession: closing.has(name),
      isBlocking: blocking !== null,
      blockingOption: blocking?.option ?? "",
      reason,
    });
  };
  for (const [name, merge] of Object.entries(SPLIT)) add(name, "split", merge);
  for (const [name, merge] of Object.entries(FANOUT)) add(name, "fanout", merge);
  for (const name of words(LOCAL + CLUSTER_LOCAL)) add(name, "local", "");
  for (const name of words(ANY_SERVER)) add(name, "forward", "");
  for (const name of words(KEY_SCANS)) add(name, "forward", "key_scan");
  for (const name of words(TRANSACTION)) add(name, "transaction", "");
  for (const name of words(BLOCKING)) add(name, "forward", "", "", { option: "" });
  for (const [name, option] of Object.entries(BLOCKING_OPTION)) {
    add(name, "forward", "", "", { option });
  }
  for (const [reason, names] of [...REFUSED, ...CLUSTER_REFUSED]) {
    for (const name of words(names)) add(name, "refuse", "", reason);
  }
  for (const [name, arity] of Object.entries(OWN_ARITY)) {
    table.set(name, { ...table.get(name)!, arity });
  }
  return table;
}
