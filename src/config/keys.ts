/**
 * Every key of config.ini, one row each: what is read, checked, documented and printed follows from
 * this table alone.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** Coordinators that other processes share, as opposed to files of this machine. */
const REMOTE = ["zookeeper", "etcd"] as const;

/** The table. Order is the order of config.ini. */
export const CONFIG_KEYS = [
  {
    key: "coordinator",
    field: "coordinator",
    kind: "word",
    words: ["embedded", "zookeeper", "etcd"],
    default: "embedded",
    help: "Where the slot table lives: files of this machine, ZooKeeper or etcd. " +
      "A file that sets zk but not this key means zookeeper, as in Codis 2.0.",
  },
  {
    key: "embedded_dir",
    field: "embeddedDir",
    kind: "folder",
    default: "./codis-data",
    help: "Folder of the embedded coordinator, made when missing; relative to the working folder.",
  },
  {
    key: "servers",
    field: "servers",
    kind: "addresses",
    default: "",
    sample: "127.0.0.1:6379",
    help:
      "Redis servers, masters all, that fill an empty embedded store: one group each, slots spread evenly, " +
      "all online. A store that holds something is left as it is.",
  },
  {
    key: "zk",
    field: "coordinatorEndpoints",
    kind: "endpoints",
    default: "",
    requiredBy: REMOTE,
    example: "zk-1:2181,zk-2:2181,zk-3:2181",
    help: "Hosts of ZooKeeper (port 2181 when none is given) or endpoints of etcd " +
      "(http:// and port 2379 when nothing is given).",
  },
  {
    key: "coordinator_auth",
    field: "coordinatorAuth",
    kind: "secret",
    default: "",
    example: "user:password",
    help: "User and password for ZooKeeper's digest scheme or for etcd. What is created in " +
      "ZooKeeper is then for them alone, and no longer for everybody as in Codis 2.0.",
  },
  {
    key: "coordinator_ca",
    field: "coordinatorCa",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/ca.pem",
    help: "PEM file with the authority that vouches for etcd's https endpoints; not set: those " +
      "that the system trusts.",
  },
  {
    key: "coordinator_cert",
    field: "coordinatorCert",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/client.pem",
    help: "PEM file with the certificate that we show to etcd, where it wants one.",
  },
  {
    key: "coordinator_key",
    field: "coordinatorKey",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/client-key.pem",
    help: "PEM file with the private key of that certificate.",
  },
  {
    key: "product",
    field: "product",
    kind: "name",
    default: "test",
    help: "Name of the cluster; everything is stored below /zk/codis/db_<product>.",
  },
  {
    key: "proxy_id",
    field: "proxyId",
    kind: "name",
    default: "proxy_1",
    requiredBy: REMOTE,
    isOfProxy: true,
    help: "Name of this proxy, different for every proxy of the product.",
  },
  {
    key: "dashboard_addr",
    field: "dashboardAddr",
    kind: "address",
    default: "",
    requiredBy: REMOTE,
    example: "localhost:18087",
    help:
      "Where the proxy and the config commands reach the dashboard. Not set with the embedded " +
      "coordinator: the proxy serves the dashboard on its own http address.",
  },
  {
    key: "dashboard_token",
    field: "dashboardToken",
    kind: "token",
    default: "",
    help:
      "Token for every request to the dashboard that changes something, and for each one that comes " +
      "from another machine; the same for dashboard, proxies and config commands. Not set: only this " +
      "machine gets in, or everybody where the dashboard's --addr names a host.",
  },
  {
    key: "http_names",
    field: "httpNames",
    kind: "hostnames",
    default: "",
    example: "codis.example.com",
    help:
      "Further names by which proxy and dashboard are asked over HTTP, such as a reverse proxy's. " +
      "Under a name that is neither here, nor the machine's, nor in dashboard_addr and " +
      "announce_http_addr, nothing can be changed: it might be an attacker's.",
  },
  {
    key: "announce_addr",
    field: "announceAddr",
    kind: "address",
    default: "",
    example: "redis.example.com:9000",
    help: "Address for Redis clients that the proxy registers instead of the one it listens on: " +
      "behind NAT, in a container.",
  },
  {
    key: "announce_http_addr",
    field: "announceHttpAddr",
    kind: "address",
    default: "",
    example: "proxy-1.example.com:9001",
    help: "HTTP address that the proxy registers instead of the one it listens on; dashboards " +
      "ask there.",
  },
  {
    key: "password",
    field: "password",
    kind: "secret",
    default: "",
    help: "Password that clients AUTH with, and that every Redis server is given.",
  },
  {
    key: "backend_user",
    field: "backendUser",
    kind: "text",
    default: "",
    help: "User name for AUTH to the Redis servers; not set: the default user.",
  },
  {
    key: "backend_password",
    field: "backendPassword",
    kind: "secret",
    default: "",
    help: "Password for the Redis servers where it is not the clients' one; not set: password.",
  },
  {
    key: "backend_client_user",
    field: "backendClientUser",
    kind: "text",
    default: "",
    example: "codis-clients",
    help: "User, with fewer rights, by whom proxies do what clients ask for; `config server " +
      "harden` makes it. Not set: backend_user, who moves keys, too.",
  },
  {
    key: "backend_client_password",
    field: "backendClientPassword",
    kind: "secret",
    default: "",
    help: "Password of backend_client_user.",
  },
  {
    key: "proto",
    field: "proto",
    kind: "word",
    words: ["tcp", "tcp4", "tcp6"],
    default: "tcp",
    help: "What the proxy listens with: both IP versions, or one of them.",
  },
  {
    key: "backend_ping_period",
    field: "backendPingPeriodMs",
    kind: "duration",
    unit: "s",
    default: "5",
    max: 86_400,
    help: "Time between keep-alive PINGs to an idle Redis connection; 0 sends none.",
  },
  {
    key: "backend_dial_timeout",
    field: "backendDialTimeoutMs",
    kind: "duration",
    unit: "ms",
    default: "1000",
    min: 1,
    max: 60_000,
    help: "Time that connecting to a Redis server may take.",
  },
  {
    key: "backend_timeout",
    field: "backendTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "15",
    min: 1,
    max: 3600,
    help:
      "Time that a Redis server may leave a request unanswered before its connection is closed.",
  },
  {
    key: "slot_wait_timeout",
    field: "slotWaitTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "20",
    min: 1,
    max: 29,
    help: "Time that a slot change waits for requests in flight, and that a request waits for a " +
      "blocked slot; below the 30 s that a dashboard waits for a proxy.",
  },
  {
    key: "session_max_timeout",
    field: "sessionMaxTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "1800",
    max: 31_536_000,
    help: "Time that a client may stay silent; 0 means for ever.",
  },
  {
    key: "session_auth_timeout",
    field: "sessionAuthTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "10",
    min: 1,
    max: 3600,
    help: "Time that a client has to AUTH where a password is set.",
  },
  {
    key: "session_partial_timeout",
    field: "sessionPartialTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "30",
    min: 1,
    max: 3600,
    help: "Time that a half-received request may go without a further byte.",
  },
  {
    key: "session_write_timeout",
    field: "sessionWriteTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "30",
    min: 1,
    max: 3600,
    help: "Time that a client may take no byte of a reply that waits for it. Of a large reply it " +
      "must read about 1 MB in it: the system only then takes more.",
  },
  {
    key: "session_max_bufsize",
    field: "sessionMaxBufsizeBytes",
    kind: "size",
    default: "131072",
    min: 1024,
    max: 64 * 1024 * 1024,
    help: "Most bytes that one read takes from a client; buffers start smaller and grow.",
  },
  {
    key: "session_max_pipeline",
    field: "sessionMaxPipeline",
    kind: "count",
    default: "1024",
    max: 1_048_576,
    help: "Requests of one client in flight; reading pauses above it, nothing is dropped.",
  },
  {
    key: "session_max_buffer",
    field: "sessionMaxBufferBytes",
    kind: "size",
    default: "64mb",
    min: 64 * 1024,
    help: "Bytes that one client's requests and replies may hold in the proxy.",
  },
  {
    key: "proxy_max_buffer",
    field: "proxyMaxBufferBytes",
    kind: "size",
    default: "128mb",
    min: 1024 * 1024,
    help:
      "Bytes that all clients' requests and replies together may hold in the proxy, in all workers. Past half of it less is asked for at once; past all of it the client that most replies wait for is closed.",
  },
  {
    key: "max_clients",
    field: "maxClients",
    kind: "count",
    default: "10000",
    min: 1,
    max: 1_000_000,
    help:
      "Clients at one time, of all workers together; the next one gets Redis's error and is closed.",
  },
  {
    key: "read_mode",
    field: "readMode",
    kind: "word",
    words: ["byob", "direct"],
    default: "byob",
    help: "How client bytes are read: BYOB stream readers, or straight from the connection.",
  },
  {
    key: "destructive_commands",
    field: "allowsDestructiveCommands",
    kind: "switch",
    default: "on",
    help:
      "Whether FLUSHALL, FLUSHDB, SCRIPT FLUSH, and FUNCTION FLUSH, DELETE and RESTORE are allowed. " +
      "A script can call FLUSHALL and FLUSHDB all the same, unless backend_client_user is set.",
  },
  {
    key: "failover",
    field: "failover",
    kind: "word",
    words: ["off", "auto"],
    default: "off",
    help:
      "Whether the dashboard promotes a replica when a master is down, as most proxies see it too.",
  },
  {
    key: "failover_after",
    field: "failoverAfterMs",
    kind: "duration",
    unit: "s",
    default: "10",
    min: 1,
    max: 3600,
    help: "Time that a master must be down before a replica is promoted in its place.",
  },
  {
    key: "migrate_keys_per_second",
    field: "migrateKeysPerSecond",
    kind: "count",
    default: "0",
    max: 1_000_000_000,
    help: "Most keys per second that migrations move from one server to another; 0 is no limit.",
  },
  {
    key: "migrate_bytes_per_second",
    field: "migrateBytesPerSecond",
    kind: "size",
    default: "0",
    help: "Most bytes per second that migrations move from one server to another, by the memory " +
      "that keys take at the source; 0 is no limit. Codis-servers do not tell it.",
  },
  {
    key: "migrate_big_key",
    field: "migrateBigKeyBytes",
    kind: "size",
    default: "1mb",
    min: 1024,
    help: "Memory from which on a key is a big one, whose move stops its servers for a while.",
  },
  {
    key: "migrate_big_key_policy",
    field: "migrateBigKeyPolicy",
    kind: "word",
    words: ["last", "warn", "refuse"],
    default: "warn",
    help:
      "What a migration does with a big key: moves it alone, after the slot's other keys; the " +
      "same, with a warning before; or does not begin with its slot.",
  },
  {
    key: "migrate_p99_max",
    field: "migrateP99MaxMs",
    kind: "duration",
    unit: "ms",
    default: "0",
    max: 60_000,
    help:
      "Migrations go slower and slower while 99 of 100 requests at some proxy take longer than " +
      "this, and faster again after it; 0: whatever they take.",
  },
  {
    key: "zk_session_timeout",
    field: "zkSessionTimeoutMs",
    kind: "duration",
    unit: "ms",
    default: "30000",
    min: 1,
    max: 3_600_000,
    help: "Time after which a lost coordinator session ends; 100 and below are taken as seconds.",
  },
] as const satisfies readonly ConfigKey[];
