/**
 * What keys of config.ini say together: which need each other, and which have no effect.
 *
 * @module
 */

import { excerpt } from "../base/excerpt.ts";
import { formatByteSize } from "../base/byte_size.ts";
import { backendLogin, type Config, type ConfigReader } from "./config.ts";
import { ConfigError } from "./error.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { type ConfigLine, foreignPart } from "./lines.ts";
import { isSecretKey } from "./secrets.ts";
import { checkTls } from "./tls.ts";

/** Values of `zk_session_timeout` up to this are seconds; operators rely on it. */
const ZK_SESSION_TIMEOUT_SECONDS_MAX = 100;
/** Smallest value that means milliseconds. */
const ZK_SESSION_TIMEOUT_MS_MIN = 1000;

/** Keys that only some coordinators use. */
const KEYS_OF_COORDINATORS: readonly { key: string; usedBy: readonly string[]; advice: string }[] =
  [
    { key: "zk", usedBy: ["zookeeper", "etcd"], advice: "the store is in embedded_dir" },
    {
      key: "servers",
      usedBy: ["embedded"],
      advice: "add them with `codis-proxy config server add`",
    },
    { key: "coordinator_auth", usedBy: ["zookeeper", "etcd"], advice: "files have no password" },
    { key: "coordinator_ca", usedBy: ["etcd"], advice: "TLS is for etcd only" },
    { key: "coordinator_cert", usedBy: ["etcd"], advice: "TLS is for etcd only" },
    { key: "coordinator_key", usedBy: ["etcd"], advice: "TLS is for etcd only" },
  ];

/** The lines that settings come from, by key. */
type Lines = ReadonlyMap<string, ConfigLine>;

/**
 * Checks settings against each other.
 *
 * @param file The config file's name, for messages.
 * @returns The settings, with what some mean beside others.
 * @throws {ConfigError} When a rule is broken.
 */
export function checkRules(
  config: Config,
  entries: Lines,
  file: string,
  reader: ConfigReader,
  warnings: string[],
): Config {
  checkUsers(config, entries);
  checkRequired(config, entries, file, reader);
  checkAnnounced(config, entries, file);
  checkZookeeper(config, entries, file);
  checkJodis(config, entries, file, warnings);
  checkBackendUser(config, entries);
  checkCoordinatorAuth(config, entries, file);
  warnUnused(config, entries, warnings);
  checkTlsKeys(config, entries, file, warnings);
  const bounded = boundSessionBuffer(config, entries);
  checkSessionTimeout(config, entries);
  return readQuirks(bounded, file, warnings);
}

/** Users are defined in one place, and the default one's password in one. */
function checkUsers(config: Config, entries: Lines): void {
  const [first] = config.users;
  if (first !== undefined && config.aclFile !== "") {
    throw new ConfigError(
      `${first.at}: users here and aclfile are both set: define either an ACL file or users in the ` +
        "configuration, but not both",
    );
  }
  const own = entries.get("aclfile")?.at ?? first?.at;
  if (config.acl === "store" && (config.aclFile !== "" || first !== undefined)) {
    throw new ConfigError(
      `${own}: acl = store takes the users from the coordinator: remove aclfile and user lines here, and ` +
        "take them over with `config acl import FILE`",
    );
  }
  const byDefault = entries.get("user.default");
  if (byDefault === undefined || !config.password.isSet) return;
  throw new ConfigError(
    `${byDefault.at}: user.default and password are both set: keep one of them; ` +
      "a rule >PASSWORD of user.default does what password does",
  );
}

function checkRequired(
  config: Config,
  entries: Lines,
  file: string,
  reader: ConfigReader,
): void {
  for (const row of CONFIG_KEYS as readonly ConfigKey[]) {
    if (!row.requiredBy?.includes(config.coordinator)) continue;
    if (row.isOfProxy && reader !== "proxy") continue;
    const entry = entries.get(row.key);
    if (entry !== undefined && entry.value !== "") continue;
    const at = entry?.at ?? file;
    throw new ConfigError(`${at}: ${row.key} must be set when coordinator = ${config.coordinator}`);
  }
}

/**
 * Refuses values that are neither seconds nor a usable number of milliseconds.
 *
 * @throws {ConfigError} When the value is one.
 */
function checkSessionTimeout(config: Config, entries: Lines): void {
  const value = config.zkSessionTimeoutMs;
  if (value <= ZK_SESSION_TIMEOUT_SECONDS_MAX || value >= ZK_SESSION_TIMEOUT_MS_MIN) return;
  const { at } = entries.get("zk_session_timeout")!;
  throw new ConfigError(
    `${at}: zk_session_timeout = "${value}": must be 1 to ` +
      `${ZK_SESSION_TIMEOUT_SECONDS_MAX} seconds, or at least ${ZK_SESSION_TIMEOUT_MS_MIN} ms`,
  );
}

/** Other machines dial an announced address; "all interfaces" would lead them to themselves. */
function checkAnnounced(config: Config, entries: Lines, file: string): void {
  for (const row of CONFIG_KEYS) {
    if (row.field !== "announceAddr" && row.field !== "announceHttpAddr") continue;
    const hostname = config[row.field]?.hostname ?? "";
    if (hostname !== "0.0.0.0" && !/^[0:]+$/.test(hostname)) continue;
    const entry = entries.get(row.key);
    const rule = "must be an address that other machines can reach";
    throw new ConfigError(describeBadValue(file, row, entry, rule));
  }
}

/** Refuses URLs where ZooKeeper is meant: only etcd's endpoints are some. */
function checkZookeeper(config: Config, entries: Lines, file: string): void {
  const { coordinator, coordinatorEndpoints, jodisName, jodisServers } = config;
  const named = [
    ["zk", coordinator === "zookeeper" ? coordinatorEndpoints : []],
    ["jodis_addr", jodisName === "zookeeper" ? jodisServers : []],
  ] as const;
  const bad = named.find(([, servers]) => servers.some((server) => server.includes("//")));
  if (bad === undefined) return;
  const row = CONFIG_KEYS.find(({ key }) => key === bad[0])!;
  const rule = "ZooKeeper's hosts are written host or host:port";
  throw new ConfigError(describeBadValue(file, row, entries.get(row.key), rule));
}

/** Refuses an entry for Jodis clients that cannot be made, or that would be one of the store's own. */
function checkJodis(config: Config, entries: Lines, file: string, warnings: string[]): void {
  const { jodisServers, jodisName, jodisAuth, jodisCompatible, coordinator, product } = config;
  const refuse = (key: string, rule: string) => {
    const row = CONFIG_KEYS.find((each) => each.key === key)!;
    throw new ConfigError(describeBadValue(file, row, entries.get(key), rule));
  };
  if (jodisServers.length === 0) {
    const unused = { jodis_auth: jodisAuth.isSet, jodis_compatible: jodisCompatible };
    for (const [key, isSet] of Object.entries(unused)) {
      if (isSet) warnings.push(`${entries.get(key)!.at}: ${key} is not used without jodis_addr`);
    }
    return;
  }
  if (jodisAuth.isSet && !/^[^:]+:./.test(jodisAuth.reveal())) {
    refuse("jodis_auth", "must be user:password");
  }
  if (!jodisCompatible || jodisName !== "zookeeper" || coordinator !== "zookeeper") return;
  refuse(
    "jodis_compatible",
    "must be off when coordinator = zookeeper: the proxy registers itself below " +
      `/zk/codis/db_${product}/proxy, and clients that look there find it`,
  );
}

/** Refuses what is no user and password where the coordinator takes them. */
function checkCoordinatorAuth(
  { coordinator, coordinatorAuth: auth }: Config,
  entries: Lines,
  file: string,
): void {
  if (coordinator === "embedded" || !auth.isSet || /^[^:]+:./.test(auth.reveal())) return;
  const at = entries.get("coordinator_auth")?.at ?? file;
  throw new ConfigError(`${at}: coordinator_auth must be user:password`);
}

/** Checks the users: AUTH needs a password, so a user name alone would never be sent. */
function checkBackendUser(config: Config, entries: Lines): void {
  if (config.backendUser !== "" && !backendLogin(config).password.isSet) {
    const { at } = entries.get("backend_user")!;
    throw new ConfigError(`${at}: backend_user needs backend_password or password`);
  }
  const { backendClientUser, backendClientPassword } = config;
  if ((backendClientUser === "") === !backendClientPassword.isSet) return;
  const given = backendClientUser === "" ? "backend_client_password" : "backend_client_user";
  const { at } = entries.get(given)!;
  throw new ConfigError(
    `${at}: backend_client_user and backend_client_password must be set together`,
  );
}

/** @throws {ConfigError} When a key about TLS needs another one. */
function checkTlsKeys(
  config: Config,
  entries: Lines,
  file: string,
  warnings: string[],
): void {
  const isSet = (key: string) => (entries.get(key)?.value ?? "") !== "";
  const at = (key: string, other = key) =>
    entries.get(isSet(key) || !isSet(other) ? key : other)?.at ?? file;
  try {
    warnings.push(...checkTls(config, at));
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
}

/** Warns of keys that are set and have no effect: the operator expects one. */
function warnUnused(
  { coordinator, webhookUrl }: Config,
  entries: Lines,
  warnings: string[],
): void {
  for (const key of ["webhook_secret", "webhook_ca"]) {
    const entry = entries.get(key);
    if (webhookUrl.isSet || entry === undefined || entry.value === "") continue;
    warnings.push(`${entry.at}: ${key} is not used without webhook_url`);
  }
  for (const { key, usedBy, advice } of KEYS_OF_COORDINATORS) {
    const entry = entries.get(key);
    if (entry === undefined || entry.value === "" || usedBy.includes(coordinator)) continue;
    const why = `${key} is not used when coordinator = ${coordinator}`;
    warnings.push(`${entry.at}: ${why}: ${advice}`);
  }
}

/**
 * Bounds the memory of one client by that of all clients, for files that lower only the latter.
 *
 * @throws {ConfigError} When the file sets the limit of one client higher.
 */
function boundSessionBuffer(config: Config, entries: Lines): Config {
  const { sessionMaxBufferBytes, proxyMaxBufferBytes } = config;
  if (sessionMaxBufferBytes <= proxyMaxBufferBytes) return config;
  const entry = entries.get("session_max_buffer");
  if (entry === undefined) return { ...config, sessionMaxBufferBytes: proxyMaxBufferBytes };
  const limit = `proxy_max_buffer (${formatByteSize(proxyMaxBufferBytes)})`;
  throw new ConfigError(
    `${entry.at}: session_max_buffer = "${excerpt(entry.value)}": must not be above ${limit}`,
  );
}

function readQuirks(config: Config, file: string, warnings: string[]): Config {
  const seconds = config.zkSessionTimeoutMs;
  if (seconds > ZK_SESSION_TIMEOUT_SECONDS_MAX) return config;
  warnings.push(`${file}: zk_session_timeout = ${seconds} means ${seconds} seconds`);
  return { ...config, zkSessionTimeoutMs: seconds * 1000 };
}

/** A value that breaks a rule, in one line with where it is; a secret is masked. */
export function describeBadValue(
  file: string,
  row: ConfigKey,
  entry: ConfigLine | undefined,
  rule: string,
): string {
  const at = entry?.at ?? file;
  const value = entry?.value ?? row.default;
  const part = foreignPart(value);
  const hint = part === undefined ? "" : ` (${part} of the value)`;
  const shown = isSecretKey(row) ? "***" : JSON.stringify(excerpt(value));
  return `${at}: ${row.key} = ${shown}: ${rule}${hint}`;
}
