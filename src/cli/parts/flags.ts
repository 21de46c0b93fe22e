/**
 * The flags that say what is logged and where, the same for every command.
 *
 * @module
 */

import { type LogLevel, parseLogLevel } from "../../base/log.ts";
import { type Flag, type FlagValues, readValue } from "./subcommand.ts";

const LEVELS = ["error", "warn", "info", "debug"];

/** Where the log goes. */
export const LOG_FILE: Flag<string> = {
  name: "L",
  value: "log_file",
  default: "",
  isFile: true,
  help: "log to files named <log_file>.<k>; without it to standard error",
};

/** What is logged; `initial` when nothing is said, `""`: nothing at all. */
export function logLevelFlag(initial: LogLevel | ""): Flag<LogLevel> {
  return {
    name: "log-level",
    value: "level",
    default: initial,
    words: LEVELS,
    help: "error, warn, info or debug",
    parse: parseLogLevel,
  };
}

/** What a command line says of its log. */
export function logOptions(values: FlagValues): { level: LogLevel; file: string | undefined } {
  const { level, file } = { level: values["log-level"]!, file: values[LOG_FILE.name] ?? "" };
  return {
    level: level === "" ? "info" : readValue(values, logLevelFlag("")),
    file: file === "" ? undefined : file,
  };
}
