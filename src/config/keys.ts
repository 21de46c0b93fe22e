/**
 * The table of config.ini's keys, one row each. It alone decides what is read, checked, documented and
 * printed.
 *
 * @module
 */

import { CLIENT_KEYS } from "./client_keys.ts";
import type { ConfigKey } from "./key.ts";
import { SENTINEL_KEYS } from "./sentinel_keys.ts";
import { TLS_KEYS } from "./tls_keys.ts";

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
    help: "Where the slot table is stored: in files on this machine, in ZooKeeper or in etcd. " +
      "If zk is set and this key is not, it is zookeeper, as in Codis 2.0.",
  },
  {
    key: "embedded_dir",
    field: "embeddedDir",
    kind: "folder",
    default: "./codis-data",
    help:
      "Folder of the embedded coordinator. A missing folder is created. Relative to the working folder.",
  },
  {
    key: "servers",
    field: "servers",
    kind: "addresses",
    default: "",
    sample: "127.0.0.1:6379",
    help:
      "Redis masters for an empty embedded store: one group each, the slots spread evenly and online. " +
      "A store that is not empty stays unchanged.",
  },
  {
    key: "zk",
    field: "coordinatorEndpoints",
    kind: "endpoints",
    default: "",
    requiredBy: REMOTE,
    example: "zk-1:2181,zk-2:2181,zk-3:2181",
    help:
      "Hosts of ZooKeeper (default port 2181), or endpoints of etcd (default http:// and port 2379).",
  },
  {
    key: "coordinator_auth",
    field: "coordinatorAuth",
    kind: "secret",
    default: "",
    example: "user:password",
    help:
      "User and password for ZooKeeper (digest scheme) or for etcd. Only this user can then use new " +
      "nodes in ZooKeeper; without this key, everybody can, as in Codis 2.0.",
  },
  {
    key: "coordinator_ca",
    field: "coordinatorCa",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/ca.pem",
    help: "PEM file with the certificate authority of etcd's https endpoints. Not set: the " +
      "authorities that the system trusts.",
  },
  {
    key: "coordinator_cert",
    field: "coordinatorCert",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/client.pem",
    help: "PEM file with the client certificate for etcd, if etcd requires one.",
  },
  {
    key: "coordinator_key",
    field: "coordinatorKey",
    kind: "text",
    default: "",
    example: "/etc/ssl/etcd/client-key.pem",
    help: "PEM file with the private key of coordinator_cert.",
  },
  {
    key: "product",
    field: "product",
    kind: "name",
    default: "test",
    help: "Name of the cluster. Everything is stored below /zk/codis/db_<product>.",
  },
  {
    key: "proxy_id",
    field: "proxyId",
    kind: "name",
    default: "proxy_1",
    requiredBy: REMOTE,
    isOfProxy: true,
    help: "Name of this proxy. Every proxy of the product needs its own name.",
  },
  {
    key: "dashboard_addr",
    field: "dashboardAddr",
    kind: "httpAddress",
    default: "",
    requiredBy: REMOTE,
    example: "localhost:18087",
    help:
      "Address at which proxies and config commands reach the dashboard. Not set, with the embedded " +
      "coordinator: the proxy serves the dashboard on its own HTTP address.",
  },
  {
    key: "dashboard_token",
    field: "dashboardToken",
    kind: "token",
    default: "",
    help:
      "Token for every request to the dashboard that changes something or comes from another machine. " +
      "Dashboard, proxies and config commands need the same token. Not set: only this machine has " +
      "access, or everybody if the dashboard's --addr names a host.",
  },
  {
    key: "audit_log",
    field: "auditLog",
    kind: "text",
    default: "",
    example: "/var/log/codis/audit.jsonl",
    help:
      "File to which the dashboard adds a line of JSON for everything that somebody changed or was " +
      "refused. The newest entries are in the coordinator, too. Not set: only there.",
  },
  {
    key: "history_dir",
    field: "historyDir",
    kind: "text",
    default: "",
    example: "/var/lib/codis/history",
    help:
      "Folder of the dashboard's machine for the page's figures of 7 days: three files, about 8 KB for " +
      "each figure that is drawn. Not set: history in embedded_dir; with ZooKeeper or etcd none, and " +
      "a restart of the dashboard forgets them.",
  },
  {
    key: "log_format",
    field: "logFormat",
    kind: "word",
    words: ["text", "json"],
    default: "text",
    help:
      "How the lines of the log are written. json: one object a line, with the values of each event.",
  },
  {
    key: "log_max_size",
    field: "logMaxBytes",
    kind: "size",
    default: "1gb",
    min: 64 * 1024,
    help: "Size at which the next log file is begun (-L). --log-filesize wins.",
  },
  {
    key: "log_files",
    field: "logFiles",
    kind: "count",
    default: "10",
    max: 100_000,
    help: "Log files that are kept, the newest; older ones are deleted. 0: all are kept.",
  },
  {
    key: "http_names",
    field: "httpNames",
    kind: "hostnames",
    default: "",
    example: "codis.example.com",
    help:
      "More host names for HTTP requests to proxy and dashboard, such as a reverse proxy's. A request " +
      "that changes something, and one from this machine that reads, must use an IP address, one of " +
      "these names, the machine's name, or the host of dashboard_addr or announce_http_addr. This stops " +
      "attacks by other web sites.",
  },
  {
    key: "announce_addr",
    field: "announceAddr",
    kind: "address",
    default: "",
    example: "redis.example.com:9000",
    help:
      "Address for Redis clients that the proxy registers, instead of the one it listens on. For " +
      "proxies behind NAT or in a container.",
  },
  {
    key: "announce_http_addr",
    field: "announceHttpAddr",
    kind: "address",
    default: "",
    example: "proxy-1.example.com:9001",
    help:
      "HTTP address that the proxy registers, instead of the one it listens on. The dashboard " +
      "sends its requests there.",
  },
  {
    key: "protected_mode",
    field: "protectedMode",
    kind: "word",
    words: ["yes", "no"],
    default: "yes",
    help:
      "As Redis's protected-mode. If yes: without a password, and without a host in --addr, only " +
      "this machine can use Redis commands; and without a host in --http-addr and dashboard_token, " +
      "only this machine can use HTTP. If zk is set and this key is not, it is no, as in Codis 2.0.",
  },
  {
    key: "password",
    field: "password",
    kind: "secret",
    default: "",
    help: "Password that clients send with AUTH. The proxy also sends it to every Redis server.",
  },
  {
    key: "backend_user",
    field: "backendUser",
    kind: "text",
    default: "",
    help: "User name for AUTH to the Redis servers. Not set: the default user.",
  },
  {
    key: "backend_password",
    field: "backendPassword",
    kind: "secret",
    default: "",
    help:
      "Password for the Redis servers, if it differs from the clients' password. Not set: password.",
  },
  {
    key: "backend_client_user",
    field: "backendClientUser",
    kind: "text",
    default: "",
    example: "codis-clients",
    help:
      "User with fewer rights, for the requests of clients. `config server harden` creates it. Not " +
      "set: backend_user, which has the rights to migrate keys, too.",
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
    help: "IP version of the listening sockets: both, or only one.",
  },
  {
    key: "backend_ping_period",
    field: "backendPingPeriodMs",
    kind: "duration",
    unit: "s",
    default: "5",
    max: 86_400,
    help: "Time between keep-alive PINGs on an idle Redis connection. 0 sends none.",
  },
  {
    key: "backend_dial_timeout",
    field: "backendDialTimeoutMs",
    kind: "duration",
    unit: "ms",
    default: "1000",
    min: 1,
    max: 60_000,
    help: "Time limit for a connection to a Redis server.",
  },
  {
    key: "backend_timeout",
    field: "backendTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "15",
    min: 1,
    max: 3600,
    help: "Time limit for a reply of a Redis server. After it, the connection is closed.",
  },
  {
    key: "backend_connections",
    field: "backendConnections",
    kind: "count",
    default: "1",
    min: 1,
    max: 16,
    help:
      "Shared connections to one Redis server, for each worker, database and protocol. Each slot has " +
      "one of them, so requests of one slot keep their order. More than one seldom helps: measure it.",
  },
  {
    key: "slot_wait_timeout",
    field: "slotWaitTimeoutMs",
    kind: "duration",
    unit: "s",
    default: "20",
    min: 1,
    max: 29,
    help:
      "Time limit for a slot change to wait for requests in flight, and for a request to wait for a " +
      "blocked slot. Must be below the 30 s that a dashboard waits for a proxy.",
  },
  ...CLIENT_KEYS,
  ...TLS_KEYS,
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
  ...SENTINEL_KEYS,
  {
    key: "webhook_url",
    field: "webhookUrl",
    kind: "secretUrl",
    default: "",
    example: "https://hooks.example.com/codis",
    help:
      "Where the dashboard sends outage events, as JSON by POST: servers, replicas, proxies, failovers. " +
      "Printed nowhere: for some receivers the URL is a password. Not set: nowhere.",
  },
  {
    key: "webhook_secret",
    field: "webhookSecret",
    kind: "secret",
    default: "",
    help:
      "Signs what is sent to webhook_url: the header X-Codis-Signature is sha256= and the HMAC-SHA256 of " +
      "the body with this key, in hexadecimal. Not set: no signature.",
  },
  {
    key: "webhook_ca",
    field: "webhookCa",
    kind: "text",
    default: "",
    example: "/etc/ssl/hooks-ca.pem",
    help:
      "PEM file with the certificate authority of webhook_url. Not set: the authorities that the " +
      "runtime trusts.",
  },
  {
    key: "migrate_keys_per_second",
    field: "migrateKeysPerSecond",
    kind: "count",
    default: "0",
    max: 1_000_000_000,
    help: "Limit of keys per second that migrations move from one server to another. 0: no limit.",
  },
  {
    key: "migrate_bytes_per_second",
    field: "migrateBytesPerSecond",
    kind: "size",
    default: "0",
    help:
      "Limit of bytes per second that migrations move from one server to another, measured as " +
      "memory of the keys at the source. 0: no limit. It has no effect on codis-servers.",
  },
  {
    key: "migrate_big_key",
    field: "migrateBigKeyBytes",
    kind: "size",
    default: "1mb",
    min: 1024,
    help:
      "Memory from which a key counts as big. The move of a big key stops its servers for a while.",
  },
  {
    key: "migrate_big_key_policy",
    field: "migrateBigKeyPolicy",
    kind: "word",
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
    unit: "ms",
    default: "0",
    max: 60_000,
    help:
      "Migrations slow down while the p99 latency of a proxy is above this limit, and speed up again " +
      "below it. 0: no limit.",
  },
  {
    key: "zk_session_timeout",
    field: "zkSessionTimeoutMs",
    kind: "duration",
    unit: "ms",
    default: "30000",
    min: 1,
    max: 3_600_000,
    help: "Time after which a lost session at the coordinator ends. Values up to 100 are seconds.",
  },
] as const satisfies readonly ConfigKey[];
