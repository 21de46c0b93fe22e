/**
 * Sets up the log of the process: where lines go, which are kept, what a line looks like.
 *
 * @module
 */

import { countOf } from "./count_of.ts";
import {
  configureSync,
  getLogger,
  type Logger,
  type LogLevel as LogtapeLevel,
  resetSync,
} from "@logtape/logtape";
import { LogFile, type LogFileLimits } from "./log_file.ts";
import { entryOf, formatEntry, type LogEntry, type LogFormat } from "./log_line.ts";
import { LogRepeats } from "./log_repeats.ts";

export type { Logger };

/** The levels of Codis 2.0, most to least important. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** Where the log goes. */
export interface LogOptions {
  readonly level: LogLevel;
  /** @default "text" */
  readonly format?: LogFormat | undefined;
  /** Log files are `<file>.<k>`; `-`: standard output; without it lines go to standard error. */
  readonly file?: string | undefined;
  /** Size at which the next file is begun. @default 1 GiB */
  readonly fileBytesMax?: number | undefined;
  /** Log files that are kept; 0: all. @default 10 */
  readonly filesMax?: number | undefined;
  /** Takes the lines instead of a file or standard error: a worker hands them to the process. */
  readonly write?: ((entry: LogEntry) => void) | undefined;
}

/** Root of all categories of this program. */
const ROOT = "codis";

const FILE_BYTES_MAX = 1024 ** 3;
const FILES_MAX = 10;
/** The name of a log file that stands for standard output. */
const STDOUT = "-";

const LOGTAPE_LEVELS: { readonly [L in LogLevel]: LogtapeLevel } = {
  error: "error",
  warn: "warning",
  info: "info",
  debug: "debug",
};

let level: LogLevel = "info";
let file: LogFile | undefined;
let format: LogFormat = "text";
let stream: Pick<typeof Deno.stderr, "writeSync"> = Deno.stderr;
let repeats: LogRepeats | undefined;
let write: ((entry: LogEntry) => void) | undefined;
/** Lines that the file has not taken since it last took one. */
let unwritten = 0;

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
  // What a worker hands on is counted where it is written.
  repeats = options.write === undefined ? new LogRepeats(writeEntry) : undefined;
  write = options.write ?? writeLogEntry;
  useLog(options);
}

/**
 * Checks that the log can go elsewhere or look otherwise, and changes nothing yet.
 *
 * @returns What lets lines go to the new one from then on.
 * @throws {Error} When the log file cannot be made.
 */
export function prepareLog(options: LogOptions): () => void {
  const name = fileOf(options);
  if (name !== undefined && file?.name !== name) {
    withName(name, () => LogFile.try(name, limitsOf(options)));
  }
  return () => useLog(options);
}

function useLog(options: LogOptions): void {
  const [name, limits] = [fileOf(options), limitsOf(options)];
  // One that is open already goes on: what it was moved to is nobody's choice here.
  if (name !== undefined && file?.name === name) file.limits = limits;
  else {
    const next = name === undefined ? undefined : withName(name, () => new LogFile(name, limits));
    file?.close();
    file = next;
    unwritten = 0;
  }
  format = options.format ?? "text";
  stream = options.file === STDOUT ? Deno.stdout : Deno.stderr;
  setLogLevel(options.level);
}

function fileOf(options: LogOptions): string | undefined {
  return options.file === STDOUT ? undefined : options.file;
}

function limitsOf({ fileBytesMax, filesMax }: LogOptions): LogFileLimits {
  return { bytesMax: fileBytesMax ?? FILE_BYTES_MAX, filesMax: filesMax ?? FILES_MAX };
}

function withName<T>(name: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    const reason = (error as Error).message.replace("cannot open log file ", "");
    throw new Error(`log file "${name}" cannot be opened: ${reason}`);
  }
}

/** Keeps lines of this level and above from now on. */
export function setLogLevel(next: LogLevel): void {
  level = next;
  configureSync({
    reset: true,
    sinks: { lines: (record) => write?.(entryOf(record)) },
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
 * Opens the log file again, after it was moved away (log rotation): what SIGHUP and SIGUSR1 ask for. Without a
 * file, or when it cannot be opened, lines go where they went before.
 */
export function reopenLog(signal: Deno.Signal): void {
  if (file === undefined) return;
  const log = logger("log");
  try {
    file.reopen();
    log.info("got {signal}: log file {path} opened again", { signal, path: file.path });
  } catch (error) {
    log.error("got {signal}: log file not opened again, lines go where they went before: {error}", {
      signal,
      error,
    });
  }
}

/**
 * Writes the error that ends the process to the log file, too: whoever starts it sees it on standard error.
 */
export function logEnd(error: unknown): void {
  if (file !== undefined) logger("log").error("the process ends: {error}", { error });
}

/** Ends logging and closes the file. */
export function stopLog(): void {
  resetSync();
  repeats?.flush();
  repeats = undefined;
  write = undefined;
  unwritten = 0;
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

/** Writes an entry to this thread's log; it may be of another thread. */
export function writeLogEntry(entry: LogEntry): void {
  repeats?.take(entry);
}

function writeEntry(entry: LogEntry): void {
  const line = formatEntry(entry, format);
  if (file === undefined) return writeStream(line);
  try {
    file.writeLine(line);
    if (unwritten > 0) {
      const lines = countOf(unwritten, "line");
      unwritten = 0;
      logger("log").warn(
        "log file {path} can be written again: {lines} went to standard error",
        {
          path: file.path,
          lines,
        },
      );
    }
  } catch (error) {
    // A full disk must not stop the proxy; standard error is the next best place.
    if (unwritten++ === 0) reportUnwritten(file.path, error as Error);
    writeStream(line);
  }
}

/** To standard error at once: the file does not take it. */
function reportUnwritten(path: string, { message: cause }: Error): void {
  const event =
    "log file {path} cannot be written: {cause}; lines go to standard error until it can: " +
    "free the disk, or move old log files away";
  const message = event.replace("{path}", path).replace("{cause}", cause);
  const entry = { at: Date.now(), level: "error", module: "log", message, event } as const;
  writeStream(formatEntry({ ...entry, values: { path, cause } }, format));
}

function writeStream(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  try {
    for (let written = 0; written < bytes.length;) {
      written += stream.writeSync(bytes.subarray(written));
    }
  } catch {
    // The reader of our output has gone: there is nowhere left to report it.
  }
}
