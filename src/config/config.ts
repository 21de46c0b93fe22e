/**
 * Loads config.ini and checks it against the table of keys.
 *
 * @module
 */

import { suggestion } from "../base/nearest.ts";
import { CONFIG_KEYS, type ConfigKey } from "./keys.ts";
import { type ConfigValueByKind, printConfigValue, readConfigValue } from "./value.ts";

type Row = (typeof CONFIG_KEYS)[number];
type ValueOf<R extends Row> = R extends { readonly words: readonly (infer W)[] } ? W
  : ConfigValueByKind[R["kind"]];

/** Every setting, by the `field` of its row; durations in milliseconds, sizes in bytes. */
export type Config = { readonly [R in Row as R["field"]]: ValueOf<R> };

/** What a file says, and what about it deserves a line in the log. */
export interface LoadedConfig {
  readonly config: Config;
  /** One sentence each; never holds a secret. */
  readonly warnings: readonly string[];
}

/** A config.ini that cannot be used; the message is one line with file, line, key, value and rule. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Values of `zk_session_timeout` up to this are seconds, a quirk that operators rely on. */
const ZK_SESSION_TIMEOUT_SECONDS_MAX = 100;

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
export async function loadConfig(file: string): Promise<LoadedConfig> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof Error
      ? error.message.replace(/:? ?readfile.*$/, "")
      : String(error);
    throw new ConfigError(`${file}: cannot read config file: ${reason}`);
  }
  return parseConfig(text, file);
}

/**
 * Checks the text of a config file.
 *
 * @param text The whole file.
 * @param file Its name, for messages.
 * @throws {ConfigError} When it breaks a rule.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const { config } = parseConfig("servers = 127.0.0.1:6379", "config.ini");
 * assertEquals(config.servers, [{ hostname: "127.0.0.1", port: 6379 }]);
 * ```
 */
export function parseConfig(text: string, file: string): LoadedConfig {
  const entries = readEntries(text, file);
  const warnings: string[] = [];
  assumeZookeeper(entries, file, warnings);
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
  checkRequired(config, entries, file);
  return { config: readQuirks(config, file, warnings), warnings };
}

/** Every setting as config.ini spells it, in the order of the table; secrets are masked. */
export function configEntries(config: Config): [key: string, value: string][] {
  return CONFIG_KEYS.map((row) => [row.key, printConfigValue(config[row.field], row)]);
}

/**
 * Splits the file into entries by Codis 2.0's own rules, which no ini library keeps: only spaces are
 * trimmed, the first `=` splits, no sections, no quotes, no trailing comments, the last of a
 * repeated key wins; and errors must name the line.
 */
function readEntries(text: string, file: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  const lines = text.split("\n");
  for (const [index, rawLine] of lines.entries()) {
    const line = trimSpaces(rawLine.endsWith("\r") ? rawLine.slice(0, -1) : rawLine);
    if (line === "" || line.startsWith("#")) continue;
    const at = `${file}:${index + 1}`;
    const equals = line.indexOf("=");
    // The line is not quoted: it may be a password that lost its key.
    if (equals < 0) throw new ConfigError(`${at}: line without "=": write key = value`);
    const key = trimSpaces(line.slice(0, equals));
    if (!CONFIG_KEYS.some((row) => row.key === key)) {
      const hint = suggestion(key, CONFIG_KEYS.map((row) => row.key));
      throw new ConfigError(`${at}: unknown key ${JSON.stringify(key)}${hint}`);
    }
    entries.set(key, { value: trimSpaces(line.slice(equals + 1)), line: index + 1 });
  }
  return entries;
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

function checkRequired(config: Config, entries: Map<string, Entry>, file: string): void {
  for (const row of CONFIG_KEYS as readonly ConfigKey[]) {
    if (!row.requiredBy?.includes(config.coordinator)) continue;
    const entry = entries.get(row.key);
    if (entry !== undefined && entry.value !== "") continue;
    const at = entry === undefined ? file : `${file}:${entry.line}`;
    throw new ConfigError(`${at}: ${row.key} must be set when coordinator = ${config.coordinator}`);
  }
}

function readQuirks(config: Config, file: string, warnings: string[]): Config {
  const seconds = config.zkSessionTimeoutMs;
  if (seconds > ZK_SESSION_TIMEOUT_SECONDS_MAX) return config;
  warnings.push(`${file}: zk_session_timeout = ${seconds} is taken as ${seconds} seconds`);
  return { ...config, zkSessionTimeoutMs: seconds * 1000 };
}

function describeBadValue(
  file: string,
  row: ConfigKey,
  entry: Entry | undefined,
  rule: string,
): string {
  const at = entry === undefined ? file : `${file}:${entry.line}`;
  return `${at}: ${row.key} = ${JSON.stringify(entry?.value ?? row.default)}: ${rule}`;
}
