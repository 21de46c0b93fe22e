/**
 * The flags that several commands take: the config file, the addresses, the log.
 *
 * @module
 */

import { type LogLevel, type LogOptions, parseLogLevel } from "../../base/log.ts";
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
    { name: "addr", value: "host:port", default: addr, help: "address for Redis clients" },
    { name: "http-addr", value: "host:port", default: httpAddr, help: "address for HTTP" },
  ];
}

/** What of a proxy is its own, where several share a config file, as in containers; the keys have the same names. */
export const PLACE_FLAGS: readonly Flag[] = [
  {
    name: "proxy-id",
    value: "name",
    default: "",
    help: "name of this proxy; without this flag: proxy_id",
  },
  {
    name: "announce-addr",
    value: "host:port",
    default: "",
    help: "address for Redis clients that it registers; without this flag: announce_addr",
  },
  {
    name: "announce-http-addr",
    value: "host:port",
    default: "",
    help: "HTTP address that it registers; without this flag: announce_http_addr",
  },
];

const LEVELS = ["error", "warn", "info", "debug"];

/** The files of the log. */
export const LOG_FILE: Flag<string> = {
  name: "L",
  value: "log_file",
  default: "",
  isFile: true,
  help:
    "write the log to files <log_file>.<k>; -: to standard output; without this flag: to standard error",
};

/** The log level; `initial` is its default, `""`: no log. */
export function logLevelFlag(initial: LogLevel | ""): Flag<LogLevel> {
  return {
    name: "log-level",
    value: "level",
    default: initial,
    words: LEVELS,
    help: "log level: error, warn, info or debug",
    parse: parseLogLevel,
  };
}

/** The log level of what serves. */
export const SERVING_LOG_LEVEL: Flag<LogLevel> = {
  ...logLevelFlag(""),
  help: "log level: error, warn, info or debug; without this flag: log_level",
};

/** Smallest size of a log file: in smaller ones, each line would need a file. */
export const LOG_FILE_BYTES_MIN = 64 * 1024;

/** Reads the level and the file of the log from the flags. */
export function logOptions(values: FlagValues): LogOptions {
  const { level, file } = { level: values["log-level"]!, file: values[LOG_FILE.name] ?? "" };
  return {
    level: level === "" ? "info" : readValue(values, logLevelFlag("")),
    file: file === "" ? undefined : file,
  };
}
