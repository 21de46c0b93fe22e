/**
 * The configuration of a process that serves, with what its flags say; and the parts of every such process that
 * take other settings while it runs.
 *
 * @module
 */

import { logger, type LogOptions, parseLogLevel, prepareLog, startLog } from "../../base/log.ts";
import type { Config, ConfigReader } from "../../config/config.ts";
import type { ConfigLine } from "../../config/lines.ts";
import { type ConfiguredPart, RunningConfig } from "../../config/running.ts";
import { CONFIG_FILE, LOG_FILE, PLACE_FLAGS } from "./flags.ts";
import { prepareHttps, prepareWarning } from "./product_tls.ts";
import { type FlagValues, spellFlag } from "./subcommand.ts";

/** Keys that flags give, too. */
const KEYS_OF_FLAGS: Readonly<Record<string, string>> = {
  "log-level": "log_level",
  [LOG_FILE.name]: "log_file",
  "log-filesize": "log_max_size",
  ...Object.fromEntries(PLACE_FLAGS.map(({ name }) => [name, name.replaceAll("-", "_")])),
};

/** Keys that say where the log goes, and how. */
const LOG_KEYS = ["log_level", "log_file", "log_format", "log_max_size", "log_files"];

const NOTHING = () => {};

/**
 * Reads the configuration and begins the log.
 *
 * @throws {ConfigError} When the file cannot be read or breaks a rule.
 * @throws {Error} When the log file cannot be made.
 */
export async function startConfigured(
  values: FlagValues,
  reader: ConfigReader,
): Promise<RunningConfig> {
  const running = await RunningConfig.load(values[CONFIG_FILE.name]!, reader, linesOfFlags(values));
  startLog(logOptionsOf(running.config));
  for (const warning of running.warnings) logger("config").warn("{warning}", { warning });
  running.use(LOG);
  running.use(PRODUCT_TLS);
  return running;
}

/** What flags say, by key of the configuration. */
export function linesOfFlags(values: FlagValues): Map<string, ConfigLine> {
  const lines = new Map<string, ConfigLine>();
  for (const [name, key] of Object.entries(KEYS_OF_FLAGS)) {
    const text = values[name] ?? "";
    if (text === "") continue;
    const value = name === "log-level" ? parseLogLevel(text) : text;
    lines.set(key, { value, at: `flag ${spellFlag(name)}`, source: "flag" });
  }
  return lines;
}

function logOptionsOf(config: Config): LogOptions {
  return {
    level: config.logLevel,
    file: config.logFile === "" ? undefined : config.logFile,
    format: config.logFormat,
    fileBytesMax: config.logMaxBytes,
    filesMax: config.logFiles,
  };
}

/** The log. */
const LOG: ConfiguredPart = {
  prepare(next, changed) {
    const isMeant = LOG_KEYS.some((key) => changed.has(key));
    return Promise.resolve(isMeant ? prepareLog(logOptionsOf(next)) : NOTHING);
  },
};

const PRODUCT_TLS_KEYS = ["dashboard_ca", "http_tls_cert", "http_tls_key"];

/** Which authority this process trusts when it asks the others of its product. */
const PRODUCT_TLS: ConfiguredPart = {
  async prepare(next, changed, isReload) {
    if (!isReload && !PRODUCT_TLS_KEYS.some((key) => changed.has(key))) return NOTHING;
    const [trust, warn] = [await prepareHttps(next), await prepareWarning(next)];
    return () => {
      trust();
      warn();
    };
  },
};
