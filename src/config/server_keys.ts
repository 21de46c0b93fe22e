/**
 * The rows of the table of keys that say how the Redis servers are spoken to.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** A part of the table, in its order. */
export const SERVER_KEYS = [
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
    reload: "while_set",
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
    reload: "while_set",
    default: "",
    help: "Password of backend_client_user.",
  },
  {
    key: "backend_ping_period",
    field: "backendPingPeriodMs",
    kind: "duration",
    reload: "live",
    unit: "s",
    default: "5",
    max: 86_400,
    help: "Time between keep-alive PINGs on an idle Redis connection. 0 sends none.",
  },
  {
    key: "backend_dial_timeout",
    field: "backendDialTimeoutMs",
    kind: "duration",
    reload: "live",
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
    reload: "live",
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
    reload: "live",
    unit: "s",
    default: "20",
    min: 1,
    max: 29,
    help:
      "Time limit for a slot change to wait for requests in flight, and for a request to wait for a " +
      "blocked slot. Must be below the 30 s that a dashboard waits for a proxy.",
  },
] as const satisfies readonly ConfigKey[];
