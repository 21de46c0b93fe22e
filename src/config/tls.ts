/**
 * What the keys about TLS say together: which of them need each other, and the files that they name.
 *
 * @module
 */

import type { Address, HttpAddress } from "../base/address.ts";

/** The fields of the configuration that are about TLS. */
export interface TlsConfig {
  readonly tlsAddr: Address | undefined;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsClientCa: string;
  readonly tlsAuthClients: "no" | "optional" | "yes";
  readonly tlsAuthUser: "off" | "cn";
  readonly backendTls: boolean;
  readonly sentinelTls: boolean;
  readonly backendTlsCa: string;
  readonly backendTlsCert: string;
  readonly backendTlsKey: string;
  readonly backendTlsServerName: string;
  readonly httpTlsCert: string;
  readonly httpTlsKey: string;
  readonly dashboardAddr: HttpAddress | undefined;
  readonly dashboardCa: string;
  readonly coordinator: "embedded" | "zookeeper" | "etcd";
  readonly coordinatorEndpoints: readonly string[];
  readonly coordinatorCa: string;
  readonly coordinatorCert: string;
  readonly coordinatorKey: string;
  readonly jodisName: "zookeeper" | "etcd";
  readonly jodisServers: readonly string[];
}

/** A file and the key that names it. */
interface NamedFile {
  readonly key: string;
  readonly path: string;
}

/** The files of one end of TLS. */
interface NamedFiles {
  readonly cert: NamedFile;
  readonly key: NamedFile;
  readonly ca: NamedFile;
}

/** A key that is set, and what must be so then. */
interface TlsRule {
  readonly key: string;
  /** Another key that may be set without it. */
  readonly other?: string;
  isSet(config: TlsConfig): boolean;
  isKept(config: TlsConfig): boolean;
  readonly rule: string;
}

/** Rules whose breach is an error. */
const RULES: readonly TlsRule[] = [
  {
    key: "tls_addr",
    isSet: ({ tlsAddr }) => tlsAddr !== undefined,
    isKept: ({ tlsCert, tlsKey }) => tlsCert !== "" && tlsKey !== "",
    rule: "needs tls_cert and tls_key",
  },
  pair("tls_cert", "tls_key", ({ tlsCert, tlsKey }) => [tlsCert, tlsKey]),
  {
    key: "tls_auth_clients",
    isSet: ({ tlsAuthClients }) => tlsAuthClients !== "no",
    isKept: ({ tlsClientCa }) => tlsClientCa !== "",
    rule: "needs tls_client_ca",
  },
  {
    key: "tls_auth_user",
    isSet: ({ tlsAuthUser }) => tlsAuthUser !== "off",
    isKept: ({ tlsAuthClients }) => tlsAuthClients !== "no",
    rule: "needs tls_auth_clients = optional or yes",
  },
  {
    key: "sentinel_tls",
    isSet: ({ sentinelTls }) => sentinelTls,
    isKept: ({ backendTls }) => backendTls,
    rule: "needs backend_tls = on",
  },
  pair("http_tls_cert", "http_tls_key", ({ httpTlsCert, httpTlsKey }) => [httpTlsCert, httpTlsKey]),
  pair(
    "backend_tls_cert",
    "backend_tls_key",
    ({ backendTlsCert, backendTlsKey }) => [backendTlsCert, backendTlsKey],
  ),
  pair(
    "coordinator_cert",
    "coordinator_key",
    (config) => speaksEtcd(config) ? [config.coordinatorCert, config.coordinatorKey] : ["", ""],
  ),
];

/** Keys that have no effect without another one. */
const UNUSED: readonly TlsRule[] = [
  {
    key: "tls_cert",
    isSet: ({ tlsCert }) => tlsCert !== "",
    isKept: ({ tlsAddr }) => tlsAddr !== undefined,
    rule: "is not used without tls_addr",
  },
  {
    key: "tls_client_ca",
    isSet: ({ tlsClientCa }) => tlsClientCa !== "",
    isKept: ({ tlsAuthClients }) => tlsAuthClients !== "no",
    rule: "is not used with tls_auth_clients = no",
  },
  {
    key: "dashboard_ca",
    isSet: ({ dashboardCa }) => dashboardCa !== "",
    isKept: speaksHttps,
    rule: "is not used without http_tls_cert or a dashboard_addr with https://",
  },
  ofEtcd("coordinator_ca", ({ coordinatorCa }) => coordinatorCa),
  ofEtcd("coordinator_cert", ({ coordinatorCert }) => coordinatorCert),
  ofServers("backend_tls_ca", ({ backendTlsCa }) => backendTlsCa),
  ofServers("backend_tls_cert", ({ backendTlsCert }) => backendTlsCert),
  ofServers("backend_tls_server_name", ({ backendTlsServerName }) => backendTlsServerName),
];

function speaksEtcd({ coordinator, jodisName, jodisServers }: TlsConfig): boolean {
  return coordinator === "etcd" || (jodisName === "etcd" && jodisServers.length > 0);
}

/** Whether the processes of the product speak https to each other. */
export function speaksHttps({ httpTlsCert, dashboardAddr }: TlsConfig): boolean {
  return httpTlsCert !== "" || dashboardAddr?.isTls === true;
}

/** The files for HTTP with TLS; `undefined`: it is without. */
export function httpTlsFiles(config: TlsConfig): NamedFiles | undefined {
  if (config.httpTlsCert === "") return undefined;
  return {
    cert: { key: "http_tls_cert", path: config.httpTlsCert },
    key: { key: "http_tls_key", path: config.httpTlsKey },
    ca: { key: "", path: "" },
  };
}

/** The file with the authority of HTTP certificates. */
export function httpAuthorityFiles(config: TlsConfig): NamedFiles {
  const none = { key: "", path: "" };
  return { cert: none, key: none, ca: { key: "dashboard_ca", path: config.dashboardCa } };
}

function ofEtcd(key: string, valueOf: (config: TlsConfig) => string): TlsRule {
  return {
    key,
    isSet: (config) => valueOf(config) !== "" && speaksEtcd(config),
    isKept: ({ coordinator, coordinatorEndpoints, jodisName, jodisServers }) =>
      [
        ...coordinator === "etcd" ? coordinatorEndpoints : [],
        ...jodisName === "etcd" ? jodisServers : [],
      ].some((endpoint) => endpoint.startsWith("https://")),
    rule: "is not used without an endpoint of etcd with https://",
  };
}

function ofServers(key: string, valueOf: (config: TlsConfig) => string): TlsRule {
  return {
    key,
    isSet: (config) => valueOf(config) !== "",
    isKept: ({ backendTls }) => backendTls,
    rule: "is not used with backend_tls = off",
  };
}

function pair(
  cert: string,
  key: string,
  values: (config: TlsConfig) => readonly [cert: string, key: string],
): TlsRule {
  return {
    ...{ key: cert, other: key },
    isSet: (config) => values(config).some((value) => value !== ""),
    isKept: (config) => values(config).every((value) => value !== ""),
    rule: `and ${key} must be set together`,
  };
}

/**
 * Checks the keys about TLS against each other.
 *
 * @param at Where a key is, for a message: `config.ini:12`; of two keys, that which is set.
 * @returns The keys that have no effect, for warnings.
 * @throws {Error} When one needs another that is not set.
 */
export function checkTls(
  config: TlsConfig,
  at: (key: string, other?: string) => string,
): string[] {
  for (const { key, other, isSet, isKept, rule } of RULES) {
    if (isSet(config) && !isKept(config)) throw new Error(`${at(key, other)}: ${key} ${rule}`);
  }
  return UNUSED.filter(({ isSet, isKept }) => isSet(config) && !isKept(config))
    .map(({ key, rule }) => `${at(key)}: ${key} ${rule}`);
}

/** The files for clients that speak TLS; `undefined`: none may. */
export function clientTlsFiles(config: TlsConfig): NamedFiles | undefined {
  if (config.tlsAddr === undefined) return undefined;
  return {
    cert: { key: "tls_cert", path: config.tlsCert },
    key: { key: "tls_key", path: config.tlsKey },
    ca: {
      key: "tls_client_ca",
      path: config.tlsAuthClients === "no" ? "" : config.tlsClientCa,
    },
  };
}

/** The files for connections to the Redis servers; `undefined`: those speak no TLS. */
export function backendTlsFiles(config: TlsConfig): NamedFiles | undefined {
  if (!config.backendTls) return undefined;
  return {
    cert: { key: "backend_tls_cert", path: config.backendTlsCert },
    key: { key: "backend_tls_key", path: config.backendTlsKey },
    ca: { key: "backend_tls_ca", path: config.backendTlsCa },
  };
}

/** The files for connections to etcd; `undefined`: neither the store nor the entry for Jodis clients is there. */
export function etcdTlsFiles(config: TlsConfig): NamedFiles | undefined {
  if (!speaksEtcd(config)) return undefined;
  return {
    cert: { key: "coordinator_cert", path: config.coordinatorCert },
    key: { key: "coordinator_key", path: config.coordinatorKey },
    ca: { key: "coordinator_ca", path: config.coordinatorCa },
  };
}
