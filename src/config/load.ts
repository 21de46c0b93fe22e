/**
 * Loads the settings of a process and checks them against the table of keys.
 *
 *      what was set while it runs   ─┐
 *      flags                         ├─► entries: the first that has a key counts ─► settings, checked
 *      environment, files of secrets │
 *      config.ini                   ─┘
 *
 * @module
 */

import { KeyError } from "../base/key_error.ts";
import type { Secret } from "../base/secret.ts";
import type { Config, ConfigReader } from "./config.ts";
import { openConfigFile } from "./config_file.ts";
import { ConfigError } from "./error.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { type ConfigLine, configUsersOf, readEntries } from "./lines.ts";
import { checkRules, describeBadValue } from "./rules.ts";
import {
  findSecret,
  type FoundSecret,
  isSecretKey,
  SECRET_SOURCES,
  type SecretSources,
} from "./secrets.ts";
import { readConfigValue } from "./value.ts";

/** A line, or a secret with what else is good for it. */
type Entry = ConfigLine | FoundSecret;

/** What a process is told. */
export interface ConfigInput {
  /** The whole config file. */
  readonly text: string;
  /** Its name, for messages. */
  readonly file: string;
  /** Who reads it, which decides what is required. */
  readonly reader: ConfigReader;
  /** Where else secrets may be. */
  readonly sources: SecretSources;
  /** What counts more than the file, by key; of several, the last. */
  readonly given?: readonly ReadonlyMap<string, ConfigLine>[];
}

/** The settings of a process, and where they come from. */
export interface LoadedConfig {
  readonly config: Config;
  /** One sentence each; never holds a secret. */
  readonly warnings: readonly string[];
  readonly entries: ConfigEntries;
}

/** What was read of each key that is set, before it is checked. It shows no values: some are secrets. */
export class ConfigEntries {
  readonly #file: string;
  readonly #reader: ConfigReader;
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(file: string, reader: ConfigReader, entries: ReadonlyMap<string, Entry>) {
    this.#file = file;
    this.#reader = reader;
    this.#entries = entries;
  }

  /** Where a key is set; `undefined`: nowhere, it has its default. */
  origin(key: string): Pick<ConfigLine, "at" | "source"> | undefined {
    const entry = this.#entries.get(key);
    return entry && { at: entry.at, source: entry.source ?? "file" };
  }

  /** The error with the place of its key before it, if it is about a key that is set. */
  placed(error: unknown): unknown {
    const at = error instanceof KeyError ? this.origin(error.key)?.at : undefined;
    return at === undefined ? error : new ConfigError(`${at}: ${(error as Error).message}`);
  }

  /** Whether a key is set to the same here and there. */
  isSame(key: string, other: ConfigEntries): boolean {
    return textOf(this.#entries.get(key)) === textOf(other.#entries.get(key));
  }

  /** These, but some keys as they are set elsewhere. */
  with(keys: Iterable<string>, other: ConfigEntries): ConfigEntries {
    const entries = new Map(this.#entries);
    for (const key of keys) {
      const entry = other.#entries.get(key);
      if (entry === undefined) entries.delete(key);
      else entries.set(key, entry);
    }
    return new ConfigEntries(this.#file, this.#reader, entries);
  }

  /**
   * The settings that they mean.
   *
   * @throws {ConfigError} When they break a rule.
   */
  settings(warnings: string[]): Config {
    const fields: Record<string, unknown> = {};
    for (const row of CONFIG_KEYS as readonly ConfigKey[]) {
      const entry = this.#entries.get(row.key);
      const read = (value: string) => {
        try {
          return readConfigValue(value, row);
        } catch (error) {
          throw new ConfigError(describeBadValue(this.#file, row, entry, (error as Error).message));
        }
      };
      fields[row.field] = read(entry?.value ?? row.default);
      if (entry === undefined || !("values" in entry)) continue;
      for (const value of entry.values) read(value);
      (fields[row.field] as Secret).replace(entry.values);
    }
    fields.users = configUsersOf(this.#entries);
    const config = fields as unknown as Config;
    return checkRules(config, this.#entries, this.#file, this.#reader, warnings);
  }
}

function textOf(entry: Entry | undefined): string | undefined {
  return entry && JSON.stringify("values" in entry ? entry.values : [entry.value]);
}

/**
 * Reads and checks a config file.
 *
 * @param given What counts more than the file, by key.
 * @throws {ConfigError} When the file cannot be read or breaks a rule.
 */
export async function loadConfig(
  file: string,
  reader: ConfigReader = "proxy",
  given: ReadonlyMap<string, ConfigLine> = new Map(),
): Promise<LoadedConfig> {
  const { text } = await openConfigFile(file);
  return readConfig({ text, file, reader, sources: SECRET_SOURCES, given: [given] });
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
  return readConfig({ text, file, reader, sources });
}

/**
 * Checks all that a process is told.
 *
 * @throws {ConfigError} When it breaks a rule.
 */
export function readConfig({ text, file, reader, sources, given = [] }: ConfigInput): LoadedConfig {
  const warnings: string[] = [];
  const lines: Map<string, Entry> = readEntries(text, file, warnings);
  for (const [key, line] of given.flatMap((layer) => [...layer])) lines.set(key, line);
  findSecrets(lines, sources);
  assumeZookeeper(lines, warnings);
  assumeOpen(lines, reader, warnings);
  const entries = new ConfigEntries(file, reader, lines);
  return { config: entries.settings(warnings), warnings, entries };
}

/** Finds the secrets, wherever they are, and puts their values among the entries. */
function findSecrets(
  entries: Map<string, Entry>,
  sources: SecretSources,
): void {
  for (const row of (CONFIG_KEYS as readonly ConfigKey[]).filter(isSecretKey)) {
    try {
      const secret = findSecret(row, entries, sources);
      if (secret !== undefined) entries.set(row.key, secret);
    } catch (error) {
      throw new ConfigError((error as Error).message);
    }
  }
}

const NO_SOURCES: SecretSources = {
  variable: () => undefined,
  read: () => {
    throw new Error("no file is read here");
  },
};

/** Codis 2.0's default coordinator is ZooKeeper: its config files need not name it. */
function assumeZookeeper(entries: Map<string, Entry>, warnings: string[]): void {
  const zk = entries.get("zk");
  if (zk === undefined || zk.value === "" || entries.has("coordinator")) return;
  entries.set("coordinator", { value: "zookeeper", at: zk.at, source: "implied" });
  warnings.push(`${zk.at}: zk is set and coordinator is not: using zookeeper`);
}

/** Codis 2.0 serves every machine: its config files, which name zk, go on to mean that. */
function assumeOpen(
  entries: Map<string, Entry>,
  reader: ConfigReader,
  warnings: string[],
): void {
  const zk = entries.get("zk");
  if (zk === undefined || zk.value === "" || entries.has("protected_mode")) return;
  if (entries.get("coordinator")?.value === "embedded") return;
  entries.set("protected_mode", { value: "no", at: zk.at, source: "implied" });
  if (reader !== "proxy") return;
  const open = (entries.get("password")?.value ?? "") === ""
    ? "serves every machine, and without a password"
    : "answers HTTP requests of every machine (metrics, slots)";
  warnings.push(
    `${zk.at}: zk is set and protected_mode is not: as in Codis 2.0, the proxy ${open}; ` +
      "write protected_mode = yes or no",
  );
}
