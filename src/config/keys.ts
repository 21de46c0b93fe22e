/**
 * The table of config.ini's keys, one row each. It alone decides what is read, checked, documented and
 * printed.
 *
 * @module
 */

import { CLIENT_KEYS } from "./client_keys.ts";
import { FAILOVER_KEYS } from "./failover_keys.ts";
import type { ConfigKey } from "./key.ts";
import { MIGRATE_KEYS } from "./migrate_keys.ts";
import { SENTINEL_KEYS } from "./sentinel_keys.ts";
import { SERVER_KEYS } from "./server_keys.ts";
import { STORE_KEYS } from "./store_keys.ts";
import { TLS_KEYS } from "./tls_keys.ts";

/** The table. Order is the order of config.ini. */
export const CONFIG_KEYS = [
  ...STORE_KEYS,
  {
    key: "dashboard_token",
    field: "dashboardToken",
    kind: "token",
    reload: "while_set",
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
    key: "log_level",
    field: "logLevel",
    kind: "word",
    reload: "live",
    words: ["error", "warn", "info", "debug"],
    default: "info",
    help: "Which lines are written to the log: those of this level and above. --log-level wins.",
  },
  {
    key: "log_file",
    field: "logFile",
    kind: "text",
    reload: "live",
    default: "",
    example: "/var/log/codis/proxy.log",
    help:
      "Log files are <log_file>.<k>; -: standard output. Not set: standard error. Each process needs a file " +
      "of its own. -L wins.",
  },
  {
    key: "log_format",
    field: "logFormat",
    kind: "word",
    reload: "live",
    words: ["text", "json"],
    default: "text",
    help:
      "How the lines of the log are written. json: one object a line, with the values of each event.",
  },
  {
    key: "log_max_size",
    field: "logMaxBytes",
    kind: "size",
    reload: "live",
    default: "1gb",
    min: 64 * 1024,
    help: "Size at which the next log file is begun (-L). --log-filesize wins.",
  },
  {
    key: "log_files",
    field: "logFiles",
    kind: "count",
    reload: "live",
    default: "10",
    max: 100_000,
    help: "Log files that are kept, the newest; older ones are deleted. 0: all are kept.",
  },
  {
    key: "access_log",
    field: "accessLog",
    kind: "text",
    default: "",
    example: "/var/log/codis/access.log",
    isOfProxy: true,
    help:
      "Where the proxy writes a line of JSON for each sampled or slow request, without keys and values: " +
      "files <access_log>.<k>, as large and as many as log_max_size and log_files say, or stdout. " +
      "Not set, or off: nowhere.",
  },
  {
    key: "request_sample",
    field: "requestSample",
    kind: "count",
    reload: "live",
    default: "1000",
    max: 1_000_000_000,
    isOfProxy: true,
    help:
      "One of so many requests is written to access_log, and traced where OTEL_DENO=true is in the " +
      "environment. 1: all; 0: none but slow ones, which always are (slowlog_slower_than).",
  },
  {
    key: "http_names",
    field: "httpNames",
    kind: "hostnames",
    reload: "live",
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
    key: "proto",
    field: "proto",
    kind: "word",
    words: ["tcp", "tcp4", "tcp6"],
    default: "tcp",
    help: "IP version of the listening sockets: both, or only one.",
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
    reload: "live",
    default: "",
    help: "Password that clients send with AUTH. The proxy also sends it to every Redis server.",
  },
  ...SERVER_KEYS,
  ...CLIENT_KEYS,
  ...TLS_KEYS,
  ...FAILOVER_KEYS,
  ...SENTINEL_KEYS,
  {
    key: "webhook_url",
    field: "webhookUrl",
    kind: "secretUrl",
    reload: "while_set",
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
    reload: "live",
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
  ...MIGRATE_KEYS,
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
