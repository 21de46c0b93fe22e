/**
 * Loads config.ini and checks it against the table of keys.
 *
 * @module
 */

import { formatByteSize } from "../base/byte_size.ts";
import type { Secret } from "../base/secret.ts";
import { ConfigError } from "./error.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { type ConfigLine, configUsersOf, decodeConfig, foreignPart, readEntries } from "./lines.ts";
import {
  findSecret,
  type FoundSecret,
  isSecretKey,
  SECRET_SOURCES,
  SecretFiles,
  type SecretSources,
} from "./secrets.ts";
import { checkTls } from "./tls.ts";
import { type ConfigValueByKind, printConfigValue, readConfigValue } from "./value.ts";

type Row = (typeof CONFIG_KEYS)[number];
type ValueOf<R extends Row> = R extends { readonly words: readonly (infer W)[] } ? W
  : ConfigValueByKind[R["kind"]];

/** Every setting, by the `field` of its row; durations in milliseconds, sizes in bytes. */
export type Config = { readonly [R in Row as R["field"]]: ValueOf<R> };

/** Who reads the file. As in Codis 2.0, dashboard and config commands need no keys of a proxy. */
export type ConfigReader = "proxy" | "control";

/** The settings of a file, and warnings for the log. */
export interface LoadedConfig {
  readonly config: Config;
  /** One sentence each; never holds a secret. */
  readonly warnings: readonly string[];
  /** The secrets that came from files. */
  readonly secrets: SecretFiles;
}

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

/**
 * Reads and checks a config file.
 *
 * @throws {ConfigError} When the file cannot be read or breaks a rule.
 */
export async function loadConfig(
  file: string,
  reader: ConfigReader = "proxy",
): Promise<LoadedConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(file);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof Error
      ? error.message.replace(/:? ?(open|readfile).*$/, "")
      : String(error);
    throw new ConfigError(`${file}: cannot read config file: ${reason}`);
  }
  return parseConfig(decodeConfig(bytes, file), file, reader, SECRET_SOURCES);
}

/**
 * Checks the text of a config file.
 *
 * @param text The whole file.
 * @param file Its name, for messages.
 * @param reader Who reads it, which decides what is required.
 * @param sources Where else secrets may be. @default nowhere
 * @throws {ConfigError} When it breaks a rule.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const { config } = parseConfig("servers = 127.0.0.1:6379", "config.ini");
 * assertEquals(config.servers, [{ hostname: "127.0.0.1", port: 6379 }]);
 * ```
 */
export function parseConfig(
  text: string,
  file: string,
  reader: ConfigReader = "proxy",
  sources: SecretSources = NO_SOURCES,
): LoadedConfig {
  const warnings: string[] = [];
  const entries = readEntries(text, file, warnings);
  const found = findSecrets(entries, sources);
  assumeZookeeper(entries, warnings);
  assumeOpen(entries, reader, warnings);
  const fields: Record<string, unknown> = {};
  const secrets = new SecretFiles(sources);
  for (const row of CONFIG_KEYS as readonly ConfigKey[]) {
    const entry = entries.get(row.key);
    const read = (value: string) => {
      try {
        return readConfigValue(value, row);
      } catch (error) {
        throw new ConfigError(describeBadValue(file, row, entry, (error as Error).message));
      }
    };
    fields[row.field] = read(entry?.value ?? row.default);
    const secret = found.get(row.key);
    if (secret === undefined) continue;
    for (const value of secret.values) read(value);
    (fields[row.field] as Secret).replace(secret.values);
    secrets.add(row, secret, fields[row.field] as Secret, read);
  }
  fields.users = configUsersOf(entries);
  const config = fields as unknown as Config;
  checkUsers(config, entries);
  checkRequired(config, entries, file, reader);
  checkAnnounced(config, entries, file);
  checkBackendUser(config, entries);
  warnUnused(config, entries, warnings);
  checkTlsKeys(config, entries, file, warnings);
  const bounded = boundSessionBuffer(config, entries);
  checkSessionTimeout(config, entries);
  return { config: readQuirks(bounded, file, warnings), warnings, secrets };
}

/** Users are defined in one place, and the default one's password in one. */
function checkUsers(config: Config, entries: ReadonlyMap<string, ConfigLine>): void {
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

/** Finds the secrets, wherever they are, and puts their values among the entries. */
function findSecrets(
  entries: Map<string, ConfigLine>,
  sources: SecretSources,
): ReadonlyMap<string, FoundSecret> {
  const found = new Map<string, FoundSecret>();
  for (const row of (CONFIG_KEYS as readonly ConfigKey[]).filter(isSecretKey)) {
    try {
      const secret = findSecret(row, entries, sources);
      if (secret === undefined) continue;
      found.set(row.key, secret);
      entries.set(row.key, secret);
    } catch (error) {
      throw new ConfigError((error as Error).message);
    }
  }
  return found;
}

const NO_SOURCES: SecretSources = {
  variable: () => undefined,
  read: () => {
    throw new Error("no file is read here");
  },
};

/** The login of dashboard and mover at the Redis servers. */
export function backendLogin(config: Config): { readonly user: string; readonly password: Secret } {
  const { backendUser: user, backendPassword, password } = config;
  return { user, password: backendPassword.isSet ? backendPassword : password };
}

/** The login for the requests of clients; `undefined`: the same as {@linkcode backendLogin}. */
export function clientLogin(
  config: Config,
): { readonly user: string; readonly password: Secret } | undefined {
  const { backendClientUser: user, backendClientPassword: password } = config;
  return user === "" ? undefined : { user, password };
}

/** Every setting as config.ini spells it, in the order of the table; secrets are masked. */
export function configEntries(config: Config): [key: string, value: string][] {
  return CONFIG_KEYS.map((row) => [row.key, printConfigValue(config[row.field], row)]);
}

/** Codis 2.0's default coordinator is ZooKeeper: its config files need not name it. */
function assumeZookeeper(entries: Map<string, ConfigLine>, warnings: string[]): void {
  const zk = entries.get("zk");
  if (zk === undefined || zk.value === "" || entries.has("coordinator")) return;
  entries.set("coordinator", { value: "zookeeper", at: zk.at });
  warnings.push(`${zk.at}: zk is set and coordinator is not: using zookeeper`);
}

/** Codis 2.0 serves every machine: its config files, which name zk, go on to mean that. */
function assumeOpen(
  entries: Map<string, ConfigLine>,
  reader: ConfigReader,
  warnings: string[],
): void {
  const zk = entries.get("zk");
  if (zk === undefined || zk.value === "" || entries.has("protected_mode")) return;
  if (entries.get("coordinator")?.value === "embedded") return;
  entries.set("protected_mode", { value: "no", at: zk.at });
  if (reader !== "proxy") return;
  const open = (entries.get("password")?.value ?? "") === ""
    ? "serves every machine, and without a password"
    : "answers HTTP requests of every machine (metrics, slots)";
  warnings.push(
    `${zk.at}: zk is set and protected_mode is not: as in Codis 2.0, the proxy ${open}; ` +
      "write protected_mode = yes or no",
  );
}

function checkRequired(
  config: Config,
  entries: Map<string, ConfigLine>,
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
function checkSessionTimeout(config: Config, entries: Map<string, ConfigLine>): void {
  const value = config.zkSessionTimeoutMs;
  if (value <= ZK_SESSION_TIMEOUT_SECONDS_MAX || value >= ZK_SESSION_TIMEOUT_MS_MIN) return;
  const { at } = entries.get("zk_session_timeout")!;
  throw new ConfigError(
    `${at}: zk_session_timeout = "${value}": must be 1 to ` +
      `${ZK_SESSION_TIMEOUT_SECONDS_MAX} seconds, or at least ${ZK_SESSION_TIMEOUT_MS_MIN} ms`,
  );
}

/** Other machines dial an announced address; "all interfaces" would lead them to themselves. */
function checkAnnounced(config: Config, entries: Map<string, ConfigLine>, file: string): void {
  for (const row of CONFIG_KEYS) {
    if (row.field !== "announceAddr" && row.field !== "announceHttpAddr") continue;
    const hostname = config[row.field]?.hostname ?? "";
    if (hostname !== "0.0.0.0" && !/^[0:]+$/.test(hostname)) continue;
    const entry = entries.get(row.key);
    const rule = "must be an address that other machines can reach";
    throw new ConfigError(describeBadValue(file, row, entry, rule));
  }
}

/** Checks the users: AUTH needs a password, so a user name alone would never be sent. */
function checkBackendUser(config: Config, entries: Map<string, ConfigLine>): void {
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
  entries: ReadonlyMap<string, ConfigLine>,
  file: string,
  warnings: string[],
): void {
  const at = (key: string) => entries.get(key)?.at ?? file;
  try {
    warnings.push(...checkTls(config, at));
  } catch (error) {
    throw new ConfigError((error as Error).message);
  }
}

/** Warns of keys that are set and have no effect: the operator expects one. */
function warnUnused(
  { coordinator, webhookUrl }: Config,
  entries: Map<string, ConfigLine>,
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
function boundSessionBuffer(config: Config, entries: Map<string, ConfigLine>): Config {
  const { sessionMaxBufferBytes, proxyMaxBufferBytes } = config;
  if (sessionMaxBufferBytes <= proxyMaxBufferBytes) return config;
  const entry = entries.get("session_max_buffer");
  if (entry === undefined) return { ...config, sessionMaxBufferBytes: proxyMaxBufferBytes };
  const limit = `proxy_max_buffer (${formatByteSize(proxyMaxBufferBytes)})`;
  throw new ConfigError(
    `${entry.at}: session_max_buffer = "${entry.value}": must not be above ${limit}`,
  );
}

function readQuirks(config: Config, file: string, warnings: string[]): Config {
  const seconds = config.zkSessionTimeoutMs;
  if (seconds > ZK_SESSION_TIMEOUT_SECONDS_MAX) return config;
  warnings.push(`${file}: zk_session_timeout = ${seconds} means ${seconds} seconds`);
  return { ...config, zkSessionTimeoutMs: seconds * 1000 };
}

function describeBadValue(
  file: string,
  row: ConfigKey,
  entry: ConfigLine | undefined,
  rule: string,
): string {
  const at = entry?.at ?? file;
  const value = entry?.value ?? row.default;
  const part = foreignPart(value);
  const hint = part === undefined ? "" : ` (${part} of the value)`;
  const shown = isSecretKey(row) ? "***" : JSON.stringify(value);
  return `${at}: ${row.key} = ${shown}: ${rule}${hint}`;
}
