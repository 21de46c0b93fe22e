/**
 * Lines of the log: what one is made of, and how it is written, as text or as JSON.
 *
 * @module
 */

import type { LogLevel as LogtapeLevel, LogRecord } from "@logtape/logtape";

/** How lines are written. */
export type LogFormat = "text" | "json";

/** A line before it is written; it can be sent to another thread as JSON. */
export interface LogEntry {
  /** Unix milliseconds. */
  readonly at: number;
  readonly level: LogtapeLevel;
  /** The module that has written it: `router`. */
  readonly module: string;
  /** The worker that has written it, where there are several. */
  readonly worker?: number;
  /** The whole text. */
  readonly message: string;
  /** The text without its values, `backend {address} is ready`: what kind of event it is. */
  readonly event: string;
  readonly values: Readonly<Record<string, string | number | boolean | null>>;
}

/** The words for levels in a line of text. */
const LABELS: { readonly [L in LogtapeLevel]: string } = {
  fatal: "PANIC",
  error: "ERROR",
  warning: "WARN",
  info: "INFO",
  debug: "DEBUG",
  trace: "TRACE",
};

/** Makes an entry of LogTape's record. */
export function entryOf(record: LogRecord): LogEntry {
  const { rawMessage, properties } = record;
  const values = Object.entries(properties).map(([name, value]) => [name, plain(value)] as const);
  return {
    at: record.timestamp,
    level: record.level,
    module: record.category.slice(1).join("."),
    message: record.message
      .map((part, i) => i % 2 === 0 ? String(part) : formatValue(part))
      .join(""),
    event: typeof rawMessage === "string" ? rawMessage : rawMessage.join("{}"),
    values: Object.fromEntries(values),
  };
}

/** One entry as one line, without its end. */
export function formatEntry(entry: LogEntry, format: LogFormat): string {
  return format === "json" ? jsonOf(entry) : textOf(entry);
}

/** Time in UTC, level, module, message. */
function textOf({ at, level, module, message }: LogEntry): string {
  const time = new Date(at).toISOString();
  return `${time} [${LABELS[level]}] ${module}: ${escapeControls(message)}`;
}

/** One object: an event that is only a value, `{text}`, tells nothing of its own. */
function jsonOf({ at, level, module, message, event, values }: LogEntry): string {
  return JSON.stringify({
    time: new Date(at).toISOString(),
    level: level === "warning" ? "warn" : level,
    module,
    message,
    ...hasWords(event) && event !== message ? { event, values } : {},
  });
}

/** Whether an event has words, besides its values. */
export function hasWords(event: string): boolean {
  return /\p{L}/u.test(event.replace(/\{\w*\}/g, ""));
}

function plain(value: unknown): string | number | boolean | null {
  const isPlain = value === null || typeof value === "boolean" || Number.isFinite(value);
  return isPlain ? value as number | boolean | null : formatValue(value);
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
