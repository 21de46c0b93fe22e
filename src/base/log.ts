/**
 * Sets up the log of the process: where lines go, which are kept, what a line looks like.
 *
 * @module
 */

import {
  configureSync,
  getLogger,
  type Logger,
  type LogLevel as LogtapeLevel,
  type LogRecord,
  resetSync,
} from "@logtape/logtape";
import { LogFile } from "./log_file.ts";

/** The levels of Codis 2.0, most to least important. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** Where the log goes. */
export interface LogOptions {
  readonly level: LogLevel;
  /** Log files are `<file>.<k>`; without it lines go to standard error. */
  readonly file?: string | undefined;
  /** Size at which the next file is begun. @default 1 GiB */
  readonly fileBytesMax?: number | undefined;
  /** Takes the lines instead of a file or standard error: a worker hands them to the process. */
  readonly write?: ((line: string) => void) | undefined;
}

/** Root of all categories of this program. */
const ROOT = "codis";

const FILE_BYTES_MAX = 1024 ** 3;

const LOGTAPE_LEVELS: { readonly [L in LogLevel]: LogtapeLevel } = {
  error: "error",
  warn: "warning",
  info: "info",
  debug: "debug",
};

const LABELS: { readonly [L in LogtapeLevel]: string } = {
  fatal: "PANIC",
  error: "ERROR",
  warning: "WARN",
  info: "INFO",
  debug: "DEBUG",
  trace: "TRACE",
};

let level: LogLevel = "info";
let file: LogFile | undefined;
let write: ((line: string) => void) | undefined;

/**
 * Reads a level: `error`, `warn` or `warning`, `info`, `debug` in any letter case.
 *
 * @throws {SyntaxError} When it is none of them, for which Codis 2.0 takes `info`.
 */
export function parseLogLevel(text: string): LogLevel {
  const word = text.toLowerCase();
  if (word === "warning") return "warn";
  if (Object.hasOwn(LOGTAPE_LEVELS, word)) return word as LogLevel;
  throw new SyntaxError(`"${text}" is not a log level: ${Object.keys(LOGTAPE_LEVELS).join(", ")}`);
}

/**
 * Begins logging; before it, and after {@linkcode stopLog}, lines are dropped.
 *
 * @throws {Error} When the log file cannot be made.
 */
export function startLog(options: LogOptions): void {
  stopLog();
  write = options.write ?? writeLine;
  if (options.file !== undefined) {
    file = new LogFile(options.file, options.fileBytesMax ?? FILE_BYTES_MAX);
  }
  setLogLevel(options.level);
}

/** Keeps lines of this level and above from now on. */
export function setLogLevel(next: LogLevel): void {
  level = next;
  configureSync({
    reset: true,
    sinks: { lines: writeRecord },
    loggers: [
      { category: ROOT, sinks: ["lines"], lowestLevel: LOGTAPE_LEVELS[next] },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
}

/** The level in force. */
export function logLevel(): LogLevel {
  return level;
}

/**
 * Opens the log file again, after it was moved away (log rotation): what SIGHUP asks for. Without a file,
 * or when it cannot be opened, lines go where they went before.
 */
export function reopenLog(): void {
  const log = logger("log");
  try {
    file?.reopen();
    log.info("got SIGHUP: log file opened again");
  } catch (error) {
    log.error("got SIGHUP: log file not opened again: {error}", { error });
  }
}

/** Ends logging and closes the file. */
export function stopLog(): void {
  resetSync();
  write = undefined;
  file?.close();
  file = undefined;
}

/**
 * The logger of one module: `logger("router").info("backend {addr} is ready", { addr })`.
 *
 * Values belong in the properties, never in the template: there they are escaped, and a brace or a
 * line break in them stays harmless.
 */
export function logger(module: string): Logger {
  return getLogger([ROOT, module]);
}

/** One record as one line: time in UTC, level, module, message. */
export function formatRecord(record: LogRecord): string {
  const message = record.message
    .map((part, i) => i % 2 === 0 ? String(part) : formatValue(part))
    .join("");
  const time = new Date(record.timestamp).toISOString();
  const module = record.category.slice(1).join(".");
  return `${time} [${LABELS[record.level]}] ${module}: ${escapeControls(message)}`;
}

function formatValue(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.message;
  return Deno.inspect(value, { compact: true, breakLength: Infinity, colors: false });
}

/** A client must not be able to forge a line, nor to send escape sequences to a terminal. */
function escapeControls(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => {
    if (char === "\n") return "\\n";
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function writeRecord(record: LogRecord): void {
  writeLogLine(formatRecord(record));
}

/** Writes a line that is formatted already to this thread's log. */
export function writeLogLine(line: string): void {
  write?.(line);
}

function writeLine(line: string): void {
  try {
    if (file !== undefined) return file.writeLine(line);
  } catch {
    // A full disk must not stop the proxy; standard error is the next best place.
  }
  writeStderr(`${line}\n`);
}

function writeStderr(text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let written = 0; written < bytes.length;) {
      written += Deno.stderr.writeSync(bytes.subarray(written));
    }
  } catch {
    // The reader of our standard error has gone: there is nowhere left to report it.
  }
}
