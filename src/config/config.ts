/**
 * Loads config.ini and checks it against the table of keys.
 *
 * @module
 */

import { formatByteSize } from "../base/byte_size.ts";
import { suggestion } from "../base/nearest.ts";
import type { Secret } from "../base/secret.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
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
}

/** A config.ini that cannot be used; the message is one line with file, line, key, value and rule. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Values of `zk_session_timeout` up to this are seconds; operators rely on it. */
const ZK_SESSION_TIMEOUT_SECONDS_MAX = 100;
/** Smallest value that means milliseconds. */
const ZK_SESSION_TIMEOUT_MS_MIN = 1000;

/** The first bytes of a UTF-16 file, for both byte orders. */
const UTF16_MARKS = ["fffe", "feff"];

/** The invisible mark that some editors put before UTF-8 text. */
const BYTE_ORDER_MARK = "\ufeff";

/** Invisible characters, which web pages and word processors use in place of spaces. */
const INVISIBLE = /(?! )[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u;

/** Invisible characters that not even a password can need. */
const CONTROL = /\p{Cc}/u;

/** Lines of other programs' ini files, and what to do about them. */
const FOREIGN_LINES: readonly (readonly [begins: string, advice: string])[] = [
  [";", 'comments begin with "#", not with ";"'],
  ["//", 'comments begin with "#", not with "//"'],
  ["[", "there are no sections here: remove the line"],
];

/** Kinds whose values may contain a quote or a "#". */
const FREE_KINDS = ["text", "name", "folder", "secret", "token"];

/** Kinds whose values no message may quote. */
const SECRET_KINDS = ["secret", "token"];

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

/** One `key = value` line. */
interface Entry {
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

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
  return parseConfig(decode(bytes, file), file, reader);
}

function decode(bytes: Uint8Array, file: string): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    const isUtf16 = UTF16_MARKS.includes(bytes.subarray(0, 2).toHex());
    if (isUtf16) throw new ConfigError(`${file}: the file is UTF-16: save it as UTF-8`);
    // Line by line, so that the message can name one.
    const lines = new TextDecoder("latin1").decode(bytes).split("\n");
    const bad = lines.findIndex((line) => !isUtf8(line));
    throw new ConfigError(`${file}:${bad + 1}: the line is not UTF-8: save the file as UTF-8`);
  }
}

/** Whether characters that stand for one byte each are UTF-8. */
function isUtf8(latin1: string): boolean {
  const bytes = Uint8Array.from(latin1, (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes).includes("\ufffd") === false;
}

/**
 * Checks the text of a config file.
 *
 * @param text The whole file.
 * @param file Its name, for messages.
 * @param reader Who reads it, which decides what is required.
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
): LoadedConfig {
  const warnings: string[] = [];
  const entries = readEntries(text.replace(BYTE_ORDER_MARK, ""), file, warnings);
  assumeZookeeper(entries, file, warnings);
  assumeOpen(entries, file, reader, warnings);
  const fields: Record<string, unknown> = {};
  for (const row of CONFIG_KEYS as readonly ConfigKey[]) {
    const entry = entries.get(row.key);
    try {
      fields[row.field] = readConfigValue(entry?.value ?? row.default, row);
    } catch (error) {
      throw new ConfigError(describeBadValue(file, row, entry, (error as Error).message));
    }
  }
  const config = fields as unknown as Config;
  checkRequired(config, entries, file, reader);
  checkAnnounced(config, entries, file);
  checkBackendUser(config, entries, file);
  warnUnused(config, entries, file, warnings);
  const bounded = boundSessionBuffer(config, entries, file);
  checkSessionTimeout(config, entries, file);
  return { config: readQuirks(bounded, file, warnings), warnings };
}

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

/**
 * Splits the file into entries by Codis 2.0's own rules, which no ini library follows: only spaces are
 * trimmed, the first `=` splits, there are no sections, quotes or trailing comments, and the last of a
 * repeated key wins. Errors must name the line.
 */
function readEntries(text: string, file: string, warnings: string[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const lines = text.split("\n");
  for (const [index, rawLine] of lines.entries()) {
    const line = trimSpaces(rawLine.endsWith("\r") ? rawLine.slice(0, -1) : rawLine);
    if (line.trim() === "" || line.startsWith("#")) continue;
    const at = `${file}:${index + 1}`;
    const foreign = FOREIGN_LINES.find(([begins]) => line.startsWith(begins));
    if (foreign !== undefined) throw new ConfigError(`${at}: ${foreign[1]}`);
    const equals = line.indexOf("=");
    // The line is not quoted: it may be a password that lost its key.
    if (equals < 0) throw new ConfigError(`${at}: line without "=": write key = value`);
    const key = trimSpaces(line.slice(0, equals));
    if (key === "") throw new ConfigError(`${at}: line without a key: write key = value`);
    const value = trimSpaces(line.slice(equals + 1));
    checkVisible(key, INVISIBLE, at);
    const row = (CONFIG_KEYS as readonly ConfigKey[]).find((each) => each.key === key);
    if (row === undefined) {
      const hint = suggestion(key, CONFIG_KEYS.map((each) => each.key));
      throw new ConfigError(`${at}: unknown key ${JSON.stringify(key)}${hint}`);
    }
    checkVisible(value, SECRET_KINDS.includes(row.kind) ? CONTROL : INVISIBLE, `${at}: ${key}`);
    const before = entries.get(key);
    if (before !== undefined) {
      warnings.push(
        `${at}: ${key} is set twice: this line is used, line ${before.line} is ignored`,
      );
    }
    const part = FREE_KINDS.includes(row.kind) ? foreignPart(value) : undefined;
    if (part !== undefined) warnings.push(`${at}: ${key}: ${part} of the value`);
    entries.set(key, { value, line: index + 1 });
  }
  return entries;
}

/** @throws {ConfigError} When the text has an invisible character; the message does not quote the text. */
function checkVisible(text: string, pattern: RegExp, at: string): void {
  const char = pattern.exec(text)?.[0];
  if (char === undefined) return;
  const code = char.codePointAt(0)!;
  if (char === "\t") throw new ConfigError(`${at}: the line has a tab: use spaces`);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  throw new ConfigError(`${at}: the line has an invisible character: ${name}`);
}

/** The part of a value that may be there by mistake. */
function foreignPart(value: string): string | undefined {
  if (/^(["']).*\1$/.test(value)) return "the quotes are part";
  if (/ [#;]/.test(value)) return "a comment is a line of its own, this one is part";
  return undefined;
}

function trimSpaces(text: string): string {
  return text.replace(/^ +| +$/g, "");
}

/** Codis 2.0's default coordinator is ZooKeeper: its config files need not name it. */
function assumeZookeeper(entries: Map<string, Entry>, file: string, warnings: string[]): void {
  const zk = entries.get("zk");
  if (zk === undefined || zk.value === "" || entries.has("coordinator")) return;
  entries.set("coordinator", { value: "zookeeper", line: zk.line });
  warnings.push(`${file}:${zk.line}: zk is set and coordinator is not: using zookeeper`);
}

/** Codis 2.0 serves every machine: its config files, which name zk, go on to mean that. */
function assumeOpen(
  entries: Map<string, Entry>,
  file: string,
  reader: ConfigReader,
  warnings: string[],
): void {
  const zk = entries.get("zk");
  if (zk === undefined || zk.value === "" || entries.has("protected_mode")) return;
  if (entries.get("coordinator")?.value === "embedded") return;
  entries.set("protected_mode", { value: "no", line: zk.line });
  if (reader !== "proxy") return;
  const open = (entries.get("password")?.value ?? "") === ""
    ? "serves every machine, and without a password"
    : "answers HTTP requests of every machine (metrics, slots)";
  warnings.push(
    `${file}:${zk.line}: zk is set and protected_mode is not: as in Codis 2.0, the proxy ${open}; ` +
      "write protected_mode = yes or no",
  );
}

function checkRequired(
  config: Config,
  entries: Map<string, Entry>,
  file: string,
  reader: ConfigReader,
): void {
  for (const row of CONFIG_KEYS as readonly ConfigKey[]) {
    if (!row.requiredBy?.includes(config.coordinator)) continue;
    if (row.isOfProxy && reader !== "proxy") continue;
    const entry = entries.get(row.key);
    if (entry !== undefined && entry.value !== "") continue;
    const at = entry === undefined ? file : `${file}:${entry.line}`;
    throw new ConfigError(`${at}: ${row.key} must be set when coordinator = ${config.coordinator}`);
  }
}

/**
 * Refuses values that are neither seconds nor a usable number of milliseconds.
 *
 * @throws {ConfigError} When the value is one.
 */
function checkSessionTimeout(config: Config, entries: Map<string, Entry>, file: string): void {
  const value = config.zkSessionTimeoutMs;
  if (value <= ZK_SESSION_TIMEOUT_SECONDS_MAX || value >= ZK_SESSION_TIMEOUT_MS_MIN) return;
  const { line } = entries.get("zk_session_timeout")!;
  throw new ConfigError(
    `${file}:${line}: zk_session_timeout = "${value}": must be 1 to ` +
      `${ZK_SESSION_TIMEOUT_SECONDS_MAX} seconds, or at least ${ZK_SESSION_TIMEOUT_MS_MIN} ms`,
  );
}

/** Other machines dial an announced address; "all interfaces" would lead them to themselves. */
function checkAnnounced(config: Config, entries: Map<string, Entry>, file: string): void {
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
function checkBackendUser(config: Config, entries: Map<string, Entry>, file: string): void {
  if (config.backendUser !== "" && !backendLogin(config).password.isSet) {
    const { line } = entries.get("backend_user")!;
    throw new ConfigError(`${file}:${line}: backend_user needs backend_password or password`);
  }
  const { backendClientUser, backendClientPassword } = config;
  if ((backendClientUser === "") === !backendClientPassword.isSet) return;
  const given = backendClientUser === "" ? "backend_client_password" : "backend_client_user";
  const { line } = entries.get(given)!;
  throw new ConfigError(
    `${file}:${line}: backend_client_user and backend_client_password must be set together`,
  );
}

/** Warns of keys that are set and have no effect: the operator expects one. */
function warnUnused(
  { coordinator }: Config,
  entries: Map<string, Entry>,
  file: string,
  warnings: string[],
): void {
  for (const { key, usedBy, advice } of KEYS_OF_COORDINATORS) {
    const entry = entries.get(key);
    if (entry === undefined || entry.value === "" || usedBy.includes(coordinator)) continue;
    const why = `${key} is not used when coordinator = ${coordinator}`;
    warnings.push(`${file}:${entry.line}: ${why}: ${advice}`);
  }
}

/**
 * Bounds the memory of one client by that of all clients, for files that lower only the latter.
 *
 * @throws {ConfigError} When the file sets the limit of one client higher.
 */
function boundSessionBuffer(config: Config, entries: Map<string, Entry>, file: string): Config {
  const { sessionMaxBufferBytes, proxyMaxBufferBytes } = config;
  if (sessionMaxBufferBytes <= proxyMaxBufferBytes) return config;
  const entry = entries.get("session_max_buffer");
  if (entry === undefined) return { ...config, sessionMaxBufferBytes: proxyMaxBufferBytes };
  const limit = `proxy_max_buffer (${formatByteSize(proxyMaxBufferBytes)})`;
  throw new ConfigError(
    `${file}:${entry.line}: session_max_buffer = "${entry.value}": must not be above ${limit}`,
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
  entry: Entry | undefined,
  rule: string,
): string {
  const at = entry === undefined ? file : `${file}:${entry.line}`;
  const value = entry?.value ?? row.default;
  const part = foreignPart(value);
  const hint = part === undefined ? "" : ` (${part} of the value)`;
  const shown = SECRET_KINDS.includes(row.kind) ? "***" : JSON.stringify(value);
  return `${at}: ${row.key} = ${shown}: ${rule}${hint}`;
}
