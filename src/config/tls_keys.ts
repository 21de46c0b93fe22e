/**
 * The rows of the table of keys that say where TLS is spoken.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";

/** A part of the table, in its order. */
export const TLS_KEYS = [
  {
    key: "tls_addr",
    field: "tlsAddr",
    kind: "listen",
    default: "",
    example: ":9443",
    isOfProxy: true,
    help:
      "Address for Redis clients that speak TLS, beside the plain one; `--addr=off` switches the plain one off. " +
      "Needs tls_cert and tls_key.",
  },
  {
    key: "tls_cert",
    field: "tlsCert",
    kind: "text",
    reload: "while_set",
    default: "",
    example: "/etc/codis/server.pem",
    isOfProxy: true,
    help:
      "PEM file with the proxy's certificate for TLS clients, and the intermediate ones behind it. Read " +
      "again when it changes, and at a reload; connected clients stay.",
  },
  {
    key: "tls_key",
    field: "tlsKey",
    kind: "text",
    reload: "while_set",
    default: "",
    example: "/etc/codis/server-key.pem",
    isOfProxy: true,
    help: "PEM file with the private key of tls_cert.",
  },
  {
    key: "tls_client_ca",
    field: "tlsClientCa",
    kind: "text",
    reload: "live",
    default: "",
    example: "/etc/codis/client-ca.pem",
    isOfProxy: true,
    help: "PEM file with the certificate authority of clients' certificates.",
  },
  {
    key: "tls_auth_clients",
    field: "tlsAuthClients",
    kind: "word",
    reload: "live",
    words: ["no", "optional", "yes"],
    default: "no",
    isOfProxy: true,
    help:
      "Whether TLS clients must send a certificate that tls_client_ca signed. optional: they may; " +
      "a certificate that is not valid is refused.",
  },
  {
    key: "tls_auth_user",
    field: "tlsAuthUser",
    kind: "word",
    reload: "live",
    words: ["off", "cn"],
    default: "off",
    isOfProxy: true,
    help:
      "Whether a client's certificate logs it in. cn: as the user that its common name (CN) names, if " +
      "there is such a user and it is on; others log in with AUTH.",
  },
  {
    key: "backend_tls",
    field: "backendTls",
    kind: "switch",
    default: "off",
    help:
      "Whether all connections to the Redis servers speak TLS: of proxies, dashboard and config " +
      "commands. The servers need tls-replication yes and tls-cluster yes, too: only then do they speak " +
      "TLS to their replicas, and to each other when keys move.",
  },
  {
    key: "backend_tls_ca",
    field: "backendTlsCa",
    kind: "text",
    reload: "live",
    default: "",
    example: "/etc/codis/redis-ca.pem",
    help: "PEM file with the certificate authority of the servers' certificates. Not set: the " +
      "authorities that the runtime trusts.",
  },
  {
    key: "backend_tls_cert",
    field: "backendTlsCert",
    kind: "text",
    reload: "live",
    default: "",
    example: "/etc/codis/redis-client.pem",
    help: "PEM file with our certificate for the servers. Redis requires one unless " +
      "tls-auth-clients is no.",
  },
  {
    key: "backend_tls_key",
    field: "backendTlsKey",
    kind: "text",
    reload: "live",
    default: "",
    example: "/etc/codis/redis-client-key.pem",
    help: "PEM file with the private key of backend_tls_cert.",
  },
  {
    key: "backend_tls_server_name",
    field: "backendTlsServerName",
    kind: "text",
    reload: "live",
    default: "",
    example: "redis.example.com",
    help:
      "Name that all servers' certificates must have. Not set: the host of the server's address.",
  },
  {
    key: "http_tls_cert",
    field: "httpTlsCert",
    kind: "text",
    reload: "while_set",
    default: "",
    example: "/etc/codis/http.pem",
    help:
      "PEM file with the certificate for HTTP of proxy and dashboard. When set, they speak https only, and " +
      "so do they with each other: set it for all processes of the product.",
  },
  {
    key: "http_tls_key",
    field: "httpTlsKey",
    kind: "text",
    reload: "while_set",
    default: "",
    example: "/etc/codis/http-key.pem",
    help: "PEM file with the private key of http_tls_cert.",
  },
  {
    key: "dashboard_ca",
    field: "dashboardCa",
    kind: "text",
    reload: "while_set",
    default: "",
    example: "/etc/codis/http-ca.pem",
    help:
      "PEM file with the certificate authority of http_tls_cert, with which dashboard, proxies and " +
      "config commands trust each other. Not set: the authorities that the runtime trusts.",
  },
] as const satisfies readonly ConfigKey[];
