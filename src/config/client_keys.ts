/**
 * The rows of the table of keys that say what clients may hold and do.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** A part of the table, in its order. */
export const CLIENT_KEYS = [
  {
    key: "acl",
    field: "acl",
    kind: "word",
    words: ["file", "store"],
    default: "file",
    isOfProxy: true,
    help:
      "Where the users that clients log in as come from: from this proxy's aclfile or user lines, " +
      "or from the coordinator, where they are the same for all proxies (config acl).",
  },
  {
    key: "aclfile",
    field: "aclFile",
    kind: "text",
    reload: "live",
    default: "",
    example: "/etc/codis/users.acl",
    help:
      "File with the users that may log in, as Redis has it: a line `user NAME rules…` for each. " +
      "ACL LOAD reads it again, ACL SAVE writes it.",
  },
  {
    key: "user.NAME",
    field: "users",
    kind: "users",
    reload: "live",
    default: "",
    example: "on >secret ~app:* &app:* +@all -@dangerous",
    help: "The user NAME and what it may do; a line for each user. Not together with aclfile.",
  },
  {
    key: "session_max_timeout",
    field: "sessionMaxTimeoutMs",
    kind: "duration",
    reload: "live",
    unit: "s",
    default: "1800",
    max: 31_536_000,
    help: "Time after which an idle client is closed. 0: never.",
  },
  {
    key: "drain_timeout",
    field: "drainTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "15",
    max: 3600,
    isOfProxy: true,
    help:
      "When the proxy ends, or a new process takes over: time for clients that are in a transaction or blocked, " +
      "or that watch keys. All others are let go between two requests.",
  },
  {
    key: "drain_delay",
    field: "drainDelayMs",
    kind: "duration",
    unit: "s",
    default: "0",
    max: 3600,
    isOfProxy: true,
    help:
      "When the proxy ends: time in which it still accepts clients although /healthz says 503, so that load " +
      "balancers send no new ones.",
  },
  {
    key: "session_auth_timeout",
    field: "sessionAuthTimeoutMs",
    kind: "duration",
    reload: "live",
    unit: "s",
    default: "10",
    min: 1,
    max: 3600,
    help: "Time limit for a client to send AUTH, if a password is set.",
  },
  {
    key: "session_partial_timeout",
    field: "sessionPartialTimeoutMs",
    kind: "duration",
    reload: "live",
    unit: "s",
    default: "30",
    min: 1,
    max: 3600,
    help: "Time limit between two bytes of an unfinished request.",
  },
  {
    key: "session_write_timeout",
    field: "sessionWriteTimeoutMs",
    kind: "duration",
    reload: "live",
    unit: "s",
    default: "30",
    min: 1,
    max: 3600,
    help:
      "Time after which a client that reads nothing of a reply is closed. For a large reply, it " +
      "must read about 1 MB in this time: only then does the system accept more bytes.",
  },
  {
    key: "session_max_bufsize",
    field: "sessionMaxBufsizeBytes",
    kind: "size",
    reload: "live",
    default: "131072",
    min: 1024,
    max: 64 * 1024 * 1024,
    help: "Largest read from a client. Buffers start smaller and grow.",
  },
  {
    key: "session_max_pipeline",
    field: "sessionMaxPipeline",
    kind: "count",
    reload: "live",
    default: "1024",
    max: 1_048_576,
    help:
      "Limit of requests in flight for one client. Above it, the proxy stops reading; nothing is lost. " +
      "While clients with fewer requests in flight are served, the limit is 64.",
  },
  {
    key: "session_max_buffer",
    field: "sessionMaxBufferBytes",
    kind: "size",
    reload: "live",
    default: "64mb",
    min: 64 * 1024,
    help: "Memory limit for the requests and replies of one client.",
  },
  {
    key: "proxy_max_buffer",
    field: "proxyMaxBufferBytes",
    kind: "size",
    reload: "live",
    default: "128mb",
    min: 1024 * 1024,
    help:
      "Memory limit for the requests and replies of all clients, in all workers. Above half of it, the " +
      "proxy sends fewer requests at once. Above it, the proxy closes the client with most waiting replies.",
  },
  {
    key: "max_clients",
    field: "maxClients",
    kind: "count",
    reload: "live",
    default: "10000",
    min: 1,
    max: 1_000_000,
    help:
      "Limit of connected clients, in all workers. The next client gets Redis's error and is closed.",
  },
  {
    key: "read_mode",
    field: "readMode",
    kind: "word",
    reload: "live",
    words: ["byob", "direct"],
    default: "byob",
    help:
      "How the proxy reads from clients and servers. byob: from clients through BYOB stream readers; from servers, " +
      "and from clients that send no more than fits into their buffer, directly from the connection. direct: always " +
      "directly. On Linux, without TLS, reading directly uses an interface of Deno's node:net that costs less and " +
      "that Deno does not document; where it is missing, promises. With byob this takes a second file descriptor " +
      "for each connection; clients get one only if ulimit -n leaves enough. A change counts for connections that " +
      "are made from then on. After a change to direct, clients are read by promises until the process is started " +
      "again.",
  },
  {
    key: "read_from",
    field: "readFrom",
    kind: "word",
    reload: "live",
    words: ["master", "prefer_master", "prefer_replica", "replica", "nearest"],
    default: "master",
    help:
      "Where reads go. prefer_master: to a replica only while the master is down. prefer_replica: " +
      "to the master only while no replica can serve. replica: not to the master instead. nearest: " +
      "to a server of the same machine, of the same zone, or any other, in this order. A client that " +
      "sends READONLY prefers replicas, with READWRITE it reads from masters.",
  },
  {
    key: "read_your_writes",
    field: "readsOwnWrites",
    kind: "switch",
    reload: "live",
    default: "on",
    help:
      "Whether a client reads a slot from the master after it has written to it, until the replicas " +
      "are known to have what it wrote. When off, it may read what was there before.",
  },
  {
    key: "replica_max_lag",
    field: "replicaMaxLagMs",
    kind: "duration",
    reload: "live",
    unit: "ms",
    default: "2000",
    min: 200,
    max: 3_600_000,
    help:
      "How old the data of a replica may be that serves reads. The proxy compares the offsets of " +
      "master and replica several times in this time.",
  },
  {
    key: "replica_max_lag_bytes",
    field: "replicaMaxLagBytes",
    kind: "size",
    reload: "live",
    default: "16mb",
    min: 1,
    help: "How many bytes a replica that serves reads may be behind its master.",
  },
  {
    key: "zone",
    field: "zone",
    kind: "zone",
    default: "",
    example: "eu-west-1a",
    isOfProxy: true,
    help:
      "Zone of this proxy, for read_from = nearest. Servers get theirs by `config server add --zone`.",
  },
  {
    key: "destructive_commands",
    field: "allowsDestructiveCommands",
    kind: "switch",
    reload: "live",
    default: "on",
    help:
      "Whether FLUSHALL, FLUSHDB, SCRIPT FLUSH, and FUNCTION FLUSH, DELETE and RESTORE are allowed. " +
      "When off, scripts can still call FLUSHALL and FLUSHDB, unless backend_client_user is set.",
  },
  {
    key: "private_connections_max",
    field: "privateConnectionsMax",
    kind: "count",
    reload: "live",
    default: "1000",
    min: 1,
    max: 1_000_000,
    help:
      "Limit of connections to one Redis server that belong to one client each, in all workers: for " +
      "WATCH, blocking commands, subscriptions and tracking. Each worker has an equal share; clients " +
      "are spread over workers only about evenly, so set some more than they need. The next client waits " +
      "as long as backend_dial_timeout; then it gets an error.",
  },
  {
    key: "multi_slot_transactions",
    field: "allowsMultiSlotTransactions",
    kind: "switch",
    reload: "live",
    default: "off",
    help:
      "Whether the keys of a transaction may be in several slots. If on, EXEC sends each server its part " +
      "as a transaction of its own: it is atomic for each server, not over all of them.",
  },
  {
    key: "cluster_mode",
    field: "clusterMode",
    kind: "switch",
    default: "off",
    isOfProxy: true,
    help:
      "Whether clients of a Redis Cluster find the proxies as its nodes: CLUSTER SLOTS, SHARDS and NODES deal " +
      "the 16384 slots of a cluster out among the proxies that are online, and every proxy serves all of " +
      "them. Clients connect to what each proxy registers: see announce_addr.",
  },
  {
    key: "jodis_addr",
    field: "jodisServers",
    kind: "endpoints",
    default: "",
    example: "zk-1:2181,zk-2:2181,zk-3:2181",
    isOfProxy: true,
    help:
      "Hosts of the ZooKeeper in which Jodis clients of Codis 3.x look for proxies: while it serves, the proxy " +
      "has an entry there, below /jodis/<product>, that is as Codis 3.2's. Not set: none. Clients that look " +
      "where Codis 2.0's proxies are need no key, with coordinator = zookeeper.",
  },
  {
    key: "jodis_name",
    field: "jodisName",
    kind: "word",
    words: ["zookeeper", "etcd"],
    default: "zookeeper",
    isOfProxy: true,
    help:
      "What is at jodis_addr. etcd: its keys of version 2, which etcd 3.4 and 3.5 have with --enable-v2=true.",
  },
  {
    key: "jodis_auth",
    field: "jodisAuth",
    kind: "secret",
    default: "",
    example: "user:password",
    isOfProxy: true,
    help: "User and password for it, as coordinator_auth.",
  },
  {
    key: "jodis_compatible",
    field: "jodisCompatible",
    kind: "switch",
    default: "off",
    isOfProxy: true,
    help:
      "Whether the entry is below /zk/codis/db_<product>/proxy, where clients of Codis 2.0 look.",
  },
  {
    key: "server_commands",
    field: "allowsServerCommands",
    kind: "switch",
    reload: "live",
    default: "off",
    help:
      "Whether clients may use CONFIG SET, RESETSTAT and REWRITE, SWAPDB, SAVE, BGSAVE, BGREWRITEAOF, " +
      "MEMORY PURGE and parts of DEBUG (docs/commands.md says which). They act on the masters of all groups; CONFIG SET and REWRITE on " +
      "the proxy's own keys, too.",
  },
  {
    key: "slowlog_slower_than",
    field: "slowerThanUs",
    kind: "count",
    reload: "live",
    default: "10000",
    min: -1,
    max: 3_600_000_000,
    help:
      "Requests that take so many microseconds from when they are read until their reply is written are " +
      "in the slow log, with what each stage took. 0: all requests. -1: none.",
  },
  {
    key: "hot_key_samples",
    field: "hotKeySamples",
    kind: "count",
    reload: "live",
    default: "4000",
    max: 100_000,
    help:
      "How many requests for each second every worker looks at, to find hot and big keys (HOTKEYS, " +
      "BIGKEYS). 0: none, and the names of keys are not kept.",
  },
  {
    key: "undeclared_keys",
    field: "undeclaredKeys",
    kind: "word",
    reload: "live",
    words: ["refuse", "allow"],
    default: "refuse",
    help:
      "Whether scripts and functions that declare no keys may call commands with keys. If allowed, " +
      "such a script runs on one server, and sees the keys of that server only.",
  },
] as const satisfies readonly ConfigKey[];
