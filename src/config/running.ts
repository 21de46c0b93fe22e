/**
 * The configuration of a running process: what is in force, where each value comes from, and how it changes.
 *
 *      SIGHUP, reload ──► config.ini, secrets ─┐
 *      CONFIG SET ──────► what was set ────────┴─► checked ─► made ready by all parts ─► in force everywhere
 *                                                     └────────────┴─ refused: nothing was changed
 *
 * One change is made after the other. Keys that need a restart keep their values and are told. What CONFIG SET
 * has set counts more than the file, until the file says something else of that key than when it was read
 * before: then the file is what was decided last.
 *
 * @module
 */

import { logger } from "../base/log.ts";
import { Turns } from "../base/turns.ts";
import type { Config, ConfigReader } from "./config.ts";
import { type ConfigFile, openConfigFile } from "./config_file.ts";
import {
  changeText,
  type ConfigChange,
  type ConfigDifference,
  differenceOf,
  printed,
} from "./difference.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import type { ConfigLine, ConfigSource } from "./lines.ts";
import { type ConfigEntries, type LoadedConfig, readConfig } from "./load.ts";
import { copyOf, exchange, putInto } from "./in_place.ts";
import { rewriteConfig } from "./rewrite.ts";
import { SECRET_SOURCES } from "./secrets.ts";
import { checkSettable, needsRestart } from "./settable.ts";

/** A part of the process that works by the configuration. */
export interface ConfiguredPart {
  /**
   * Makes everything ready for other settings, and changes nothing yet.
   *
   * @param next All settings as they shall be.
   * @param changed The keys that differ.
   * @param isReload Whether files that the settings name are read again, too; else those of changed keys only.
   * @returns What puts them into force; it fails only when a worker does not answer.
   * @throws {Error} When they cannot be used; the message names key, value and rule.
   */
  prepare(
    next: Config,
    changed: ReadonlySet<string>,
    isReload: boolean,
  ): Promise<() => Promise<void> | void>;
  /**
   * Checks what a reload leaves to the next start.
   *
   * @param wanted All settings as they are after a restart.
   * @throws {Error} When the process could not start with them.
   */
  checkNextStart?(wanted: Config): Promise<void>;
}

/** What a change did, or would do. */
export interface ConfigOutcome {
  readonly changed: readonly ConfigChange[];
  /** Other values that need a restart. */
  readonly waiting: readonly ConfigChange[];
  /** What CONFIG SET has set and the file says otherwise: `from` is in force, `to` is the file's. */
  readonly kept: readonly ConfigChange[];
  readonly warnings: readonly string[];
}

/** How the last reload ended. */
export interface LastReload {
  readonly atMs: number;
  readonly by: string;
  /** Empty: it went well. */
  readonly error: string;
}

/** A key as it is in force. */
export interface RunningKey {
  readonly row: ConfigKey;
  /** As config.ini spells it; a secret is masked. */
  readonly value: string;
  /** `config.ini:12`, `default`, … */
  readonly at: string;
  readonly source: ConfigSource | "default";
  readonly waits?: ConfigChange;
}

/** A change that was made or refused, for who notes such things. */
export interface ConfigNote {
  readonly by: string;
  /** What has changed, in words; empty: nothing. */
  readonly changes: string;
  /** Why nothing was changed; empty: it was. */
  readonly error: string;
}

const ROWS = CONFIG_KEYS as readonly ConfigKey[];
/** What is named as the place of a value that CONFIG SET has set. */
const SET_AT = "CONFIG SET";
/** The same of a store to which the product has moved. */
const MOVED_AT = "config move";
/** Keys that say where the store is, and how it is reached. */
const KEYS_OF_STORE: readonly string[] = [
  ...["coordinator", "embedded_dir", "zk"],
  ...["coordinator_auth", "coordinator_ca", "coordinator_cert", "coordinator_key"],
];

/** What is in the files of secrets, by path. */
type SecretFiles = Map<string, Uint8Array>;

const log = logger("config");

/** See the header. */
export class RunningConfig {
  /** What is in force: always this object, whose fields change. So do the secrets in it. */
  readonly config: Config;
  /** What was said when it was read first. */
  readonly warnings: readonly string[];
  /** When what is in force was read. */
  loadedMs = Date.now();
  /** When a reload last went well. */
  reloadedMs = Date.now();
  lastReload: LastReload | undefined;
  /** Called for every change, and for every reload that failed. */
  onNote: (note: ConfigNote) => void = () => {};
  readonly #file: ConfigFile;
  readonly #reader: ConfigReader;
  readonly #flags: ReadonlyMap<string, ConfigLine>;
  readonly #parts: ConfiguredPart[] = [];
  /** As the file and the flags say. */
  #filed: LoadedConfig;
  /** As they were read with the file: what is no reload goes by them. */
  #secretFiles: SecretFiles = new Map();
  /** As they are in force. */
  #entries: ConfigEntries;
  #set: ReadonlyMap<string, ConfigLine> = new Map();
  #waiting: readonly ConfigChange[] = [];
  readonly #turns = new Turns(1);

  private constructor(
    file: ConfigFile,
    reader: ConfigReader,
    flags: ReadonlyMap<string, ConfigLine>,
  ) {
    this.#file = file;
    this.#reader = reader;
    this.#flags = flags;
    this.#filed = this.#read(file.text, this.#secretFiles, [flags]);
    this.#entries = this.#filed.entries;
    this.config = this.#filed.config;
    this.warnings = this.#filed.warnings;
  }

  /**
   * Reads the configuration that a process starts with.
   *
   * @param flags Keys that flags of the command line give.
   * @throws {ConfigError} When it cannot be read or breaks a rule.
   */
  static async load(
    path: string,
    reader: ConfigReader,
    flags: ReadonlyMap<string, ConfigLine> = new Map(),
  ): Promise<RunningConfig> {
    return new RunningConfig(await openConfigFile(path), reader, flags);
  }

  /** The name of the file. */
  get path(): string {
    return this.#file.path;
  }

  /** What has another value in the configuration, and needs a restart for it. */
  get waiting(): readonly ConfigChange[] {
    return this.#waiting;
  }

  /** An error of the start, with the place of the key that it is about. */
  placed(error: unknown): unknown {
    return this.#entries.placed(error);
  }

  /** A part takes part in all changes from now on, after those that were added before. */
  use(part: ConfiguredPart): void {
    this.#parts.push(part);
  }

  /**
   * Reads file and secrets again.
   *
   * @param by Who asks for it, for the log.
   * @param isDryRun Only checks, and says what would change.
   * @throws {Error} When something cannot be used; nothing was changed then.
   */
  reload(by: string, isDryRun = false): Promise<ConfigOutcome> {
    return this.#turns.take(async () => {
      try {
        const file = await this.#file.read();
        const secretFiles: SecretFiles = new Map();
        const filed = this.#read(file.text, secretFiles, [this.#flags]);
        const set = new Map(
          [...this.#set].filter(([key]) => filed.entries.isSame(key, this.#filed.entries)),
        );
        const wanted = set.size === 0
          ? filed
          : this.#read(file.text, secretFiles, [this.#flags, set]);
        const outcome = await this.#turnTo(wanted, true, isDryRun);
        const kept = [...set.keys()].flatMap((key) => this.#keptOf(key, wanted, filed));
        if (!isDryRun) {
          this.#file.text = file.text;
          this.#filed = filed;
          this.#secretFiles = secretFiles;
          this.#set = set;
          this.loadedMs = this.reloadedMs = Date.now();
          this.lastReload = { atMs: Date.now(), by, error: "" };
          report(`${by}: ${this.path} read again`, { ...outcome, kept });
          this.onNote({ by, changes: listText(outcome.changed), error: "" });
        }
        return { ...outcome, kept, warnings: wanted.warnings };
      } catch (error) {
        const { message } = error as Error;
        if (!isDryRun) {
          this.lastReload = { atMs: Date.now(), by, error: message };
          log.error("{by}: nothing was changed: {cause}", { by, cause: message });
          this.onNote({ by, changes: "", error: message });
        }
        throw error;
      }
    });
  }

  /**
   * Sets keys while the process runs: until it ends, or {@linkcode RunningConfig.rewrite} writes them.
   *
   * @throws {Error} When a value breaks a rule or needs a restart; nothing was changed then.
   */
  set(
    pairs: readonly (readonly [key: string, value: string])[],
    by: string,
  ): Promise<ConfigOutcome> {
    return this.#turns.take(async () => {
      for (const [key, value] of pairs) checkSettable(key, value);
      const lines = pairs.map(([key, value]): [string, ConfigLine] => [
        key,
        { value, at: SET_AT, source: "set" },
      ]);
      const set = new Map([...this.#set, ...lines]);
      const wanted = this.#read(this.#file.text, this.#secretFiles, [this.#flags, set]);
      const keys = new Set(pairs.map(([key]) => key));
      const stuck = differenceOf(this.config, wanted.config).waiting.find(({ key }) =>
        keys.has(key)
      );
      if (stuck !== undefined) throw new Error(needsRestart(stuck));
      const outcome = await this.#turnTo(wanted, false);
      this.#set = set;
      report(by, outcome);
      this.onNote({ by, changes: listText(outcome.changed), error: "" });
      return outcome;
    });
  }

  /**
   * Writes what was set into the file.
   *
   * @returns The keys that were written.
   * @throws {Error} When the file is not as it was read, or cannot be written.
   */
  rewrite(by: string): Promise<readonly string[]> {
    return this.#turns.take(async () => {
      const keys = [...this.#set.keys()];
      const values = new Map([...this.#set].map(([key, { value }]) => [key, value]));
      const text = rewriteConfig(this.#file.text, values);
      const filed = this.#read(text, this.#secretFiles, [this.#flags]);
      await this.#file.replace(text);
      this.#filed = filed;
      this.#set = new Map();
      this.#entries = filed.entries.with(this.#waiting.map(({ key }) => key), this.#entries);
      log.info("{by}: {keys} written to {path}", {
        by,
        keys: keys.length === 0 ? "nothing" : keys.join(", "),
        path: this.path,
      });
      return keys;
    });
  }

  /**
   * Reads file and secrets, and changes nothing.
   *
   * @param keys What counts more than the file.
   * @throws {ConfigError} When something breaks a rule.
   */
  async read(keys: Readonly<Record<string, string>> = {}): Promise<LoadedConfig> {
    const { text } = await this.#file.read();
    const lines = Object.entries(keys).map(([key, value]): [string, ConfigLine] => [
      key,
      { value, at: MOVED_AT, source: "set" },
    ]);
    return this.#read(text, new Map(), [this.#flags, new Map(lines)]);
  }

  /** The store is another one from now on: how to reach it is in force, all else stays. */
  movedTo({ config, entries }: Pick<LoadedConfig, "config"> & Partial<LoadedConfig>): void {
    exchange(this.config, config, KEYS_OF_STORE);
    if (entries !== undefined) this.#entries = this.#entries.with(KEYS_OF_STORE, entries);
    this.#waiting = this.#waiting.filter(({ key }) => !KEYS_OF_STORE.includes(key));
  }

  /** All keys as they are in force. */
  keys(): RunningKey[] {
    return ROWS.map((row) => {
      const origin = this.#entries.origin(row.key);
      const waits = this.#waiting.find(({ key }) => key === row.key);
      return {
        row,
        value: printed(row, this.config),
        at: origin?.at ?? "default",
        source: origin?.source ?? "default",
        ...waits === undefined ? {} : { waits },
      };
    });
  }

  /** Checks a text, with the files of secrets that are there already; it adds the others. */
  #read(
    text: string,
    secretFiles: SecretFiles,
    given: readonly ReadonlyMap<string, ConfigLine>[],
  ): LoadedConfig {
    const read = (path: string) => {
      const bytes = secretFiles.get(path) ?? SECRET_SOURCES.read(path);
      secretFiles.set(path, bytes);
      return bytes;
    };
    const sources = { ...SECRET_SOURCES, read };
    return readConfig({ text, file: this.path, reader: this.#reader, sources, given });
  }

  /** Puts other settings into force, as far as that can be without a restart. */
  async #turnTo(
    wanted: LoadedConfig,
    isReload: boolean,
    isDryRun = false,
  ): Promise<ConfigOutcome> {
    const { waiting } = differenceOf(this.config, wanted.config);
    const entries = wanted.entries.with(waiting.map(({ key }) => key), this.#entries);
    const next = settingsBeside(waiting, wanted, entries);
    const { changed } = differenceOf(this.config, next);
    const keys = new Set(changed.map(({ key }) => key));
    const puts = [];
    try {
      for (const part of this.#parts) {
        if (isReload) await part.checkNextStart?.(wanted.config);
        puts.push(await part.prepare(next, keys, isReload));
      }
    } catch (error) {
      throw wanted.entries.placed(error);
    }
    const outcome = {
      changed: changed.map((row) => changeOf(row, this.config, next, wanted.entries)),
      waiting: waiting.map((row) => changeOf(row, this.config, wanted.config, wanted.entries)),
      kept: [],
      warnings: wanted.warnings,
    };
    if (isDryRun) return outcome;
    const before = copyOf(this.config);
    try {
      putInto(this.config, next);
      for (const put of puts) await put();
    } catch (error) {
      await this.#backTo(before, keys, isReload);
      throw error;
    }
    this.#entries = entries;
    this.#waiting = outcome.waiting;
    return outcome;
  }

  /** Puts back what was in force, as far as workers answer. */
  async #backTo(before: Config, keys: ReadonlySet<string>, isReload: boolean): Promise<void> {
    putInto(this.config, before);
    for (const part of this.#parts) {
      try {
        await (await part.prepare(before, keys, isReload))();
      } catch (error) {
        log.error("the settings from before are not in force everywhere: {error}", { error });
      }
    }
  }

  #keptOf(key: string, wanted: LoadedConfig, filed: LoadedConfig): ConfigChange[] {
    const row = ROWS.find((each) => each.key === key)!;
    const change = changeOf(row, wanted.config, filed.config, filed.entries);
    return change.from === change.to ? [] : [change];
  }
}

/** The settings with what waits for a restart as it is in force. */
function settingsBeside(
  waiting: ConfigDifference["waiting"],
  wanted: LoadedConfig,
  entries: ConfigEntries,
): Config {
  if (waiting.length === 0) return wanted.config;
  try {
    return entries.settings([]);
  } catch (error) {
    const keys = waiting.map(({ key }) => key).join(", ");
    throw new Error(
      `${
        (error as Error).message
      }: that is so as long as ${keys} waits for a restart: restart instead`,
    );
  }
}

function changeOf(row: ConfigKey, from: Config, to: Config, entries: ConfigEntries): ConfigChange {
  const at = entries.origin(row.key)?.at ?? "default";
  return { key: row.key, from: printed(row, from), to: printed(row, to), at };
}

function report(what: string, { changed, waiting, kept }: Omit<ConfigOutcome, "warnings">): void {
  const changes = changed.length === 0 ? "nothing has changed" : listText(changed);
  log.info("{what}: {changes}", { what, changes });
  if (waiting.length > 0) {
    log.warn("waits for a restart: {changes}", { changes: listText(waiting) });
  }
  if (kept.length > 0) {
    log.warn("set by CONFIG SET, and otherwise in the file: {changes}", {
      changes: listText(kept),
    });
  }
}

function listText(changes: readonly ConfigChange[]): string {
  return changes.map(changeText).join(", ");
}
