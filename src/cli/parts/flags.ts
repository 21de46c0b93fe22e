/**
 * The flags that several commands take: the config file, the addresses, the log.
 *
 * @module
 */

import { type LogLevel, parseLogLevel } from "../../base/log.ts";
import { type Flag, type FlagValues, readValue } from "./subcommand.ts";

/** The config file. */
export const CONFIG_FILE: Flag<string> = {
  name: "c",
  value: "config_file",
  default: "config.ini",
  isFile: true,
  help: "the config file",
};

/** Where a proxy listens, for every command that starts one. */
export function addressFlags(addr: string, httpAddr: string): readonly Flag[] {
  return [
    { name: "addr", value: "host:port", default: addr, help: "where Redis clients connect" },
    { name: "http-addr", value: "host:port", default: httpAddr, help: "where HTTP is served" },
  ];
}

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
