/**
 * The lines of config.ini, by Codis 2.0's own rules.
 *
 * @module
 */

import { excerpt } from "../base/excerpt.ts";
import { Secret } from "../base/secret.ts";
import { suggestion } from "../base/nearest.ts";
import { ConfigError } from "./error.ts";
import type { ConfigKey, ConfigKind } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { isSecretKey, secretFileKey } from "./secrets.ts";
import type { ConfigUser } from "./value.ts";

/** The first bytes of a UTF-16 file, for both byte orders. */
const UTF16_MARKS = ["fffe", "feff"];

/** The invisible mark that some editors put before UTF-8 text. */
const BYTE_ORDER_MARK = "\ufeff";

/** Invisible characters, which web pages and word processors use in place of spaces. */
const INVISIBLE = /(?! )[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u;

/** Invisible characters that not even a password can need. */
const CONTROL = /\p{Cc}/u;

/** Lines of other programs' ini files, and what to do about them. */
const FOREIGN_LINES: readonly (readonly [begins: string, advice: string])[] = [
  [";", 'comments begin with "#", not with ";"'],
  ["//", 'comments begin with "#", not with "//"'],
  ["user ", "write users as user.NAME = RULES"],
  ["[", "there are no sections here: remove the line"],
];

/** Kinds whose values may contain a quote or a "#". */
const FREE_KINDS = ["text", "name", "folder", "secret", "token"];

/** The kind of every key that a line may have; a path where the key names the file of a secret. */
const KINDS: ReadonlyMap<string, ConfigKind> = new Map(
  (CONFIG_KEYS as readonly ConfigKey[]).flatMap((row) => [
    [row.key, row.kind] as const,
    ...(isSecretKey(row) ? [[secretFileKey(row), "text"] as const] : []),
  ]),
);

/** What the keys of users begin with. */
const USER = "user.";
/** Redis's text. */
const TWICE = "Duplicate user found. A user can only be defined once in config files";

/** Where a value comes from; `implied`: from what another key says. */
export type ConfigSource = "file" | "environment" | "flag" | "set" | "implied";

/** One `key = value` line, or what is as good as one. */
export interface ConfigLine {
  readonly value: string;
  /** Where it is, for messages: file and line, or the variable of the environment. */
  readonly at: string;
  /** @default "file" */
  readonly source?: ConfigSource;
}

export function decodeConfig(bytes: Uint8Array, file: string): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    const isUtf16 = UTF16_MARKS.includes(bytes.subarray(0, 2).toHex());
    if (isUtf16) throw new ConfigError(`${file}: the file is UTF-16: save it as UTF-8`);
    // Line by line, so that the message can name one.
    const lines = new TextDecoder("latin1").decode(bytes).split("\n");
    const bad = lines.findIndex((line) => !isUtf8(line));
    throw new ConfigError(`${file}:${bad + 1}: the line is not UTF-8: save the file as UTF-8`);
  }
}

/** Whether characters that stand for one byte each are UTF-8. */
function isUtf8(latin1: string): boolean {
  const bytes = Uint8Array.from(latin1, (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes).includes("\ufffd") === false;
}

/**
 * Splits the file into entries by Codis 2.0's own rules, which no ini library follows: only spaces are
 * trimmed, the first `=` splits, there are no sections, quotes or trailing comments, and the last of a
 * repeated key wins. Errors must name the line.
 */
export function readEntries(
  text: string,
  file: string,
  warnings: string[],
): Map<string, ConfigLine> {
  const entries = new Map<string, ConfigLine>();
  const lines = text.replace(BYTE_ORDER_MARK, "").split("\n");
  for (const [index, rawLine] of lines.entries()) {
    const line = trimSpaces(rawLine.endsWith("\r") ? rawLine.slice(0, -1) : rawLine);
    if (line.trim() === "" || line.startsWith("#")) continue;
    const at = `${file}:${index + 1}`;
    const foreign = FOREIGN_LINES.find(([begins]) => line.startsWith(begins));
    if (foreign !== undefined) throw new ConfigError(`${at}: ${foreign[1]}`);
    const equals = line.indexOf("=");
    // The line is not quoted: it may be a password that lost its key.
    if (equals < 0) throw new ConfigError(`${at}: line without "=": write key = value`);
    const key = trimSpaces(line.slice(0, equals));
    if (key === "") throw new ConfigError(`${at}: line without a key: write key = value`);
    const value = trimSpaces(line.slice(equals + 1));
    checkVisible(key, INVISIBLE, at);
    const kind = key.startsWith(USER) ? "users" : KINDS.get(key);
    if (kind === undefined) {
      const hint = suggestion(key, [...KINDS.keys()]);
      throw new ConfigError(`${at}: unknown key ${JSON.stringify(excerpt(key))}${hint}`);
    }
    const isSecret = kind === "secret" || kind === "token" || kind === "users";
    const shown = `${at}: ${excerpt(key)}`;
    checkVisible(value, isSecret ? CONTROL : INVISIBLE, shown);
    const before = entries.get(key)?.at.slice(file.length + 1);
    if (before !== undefined && kind === "users") {
      throw new ConfigError(`${shown}: ${TWICE}, see line ${before}`);
    }
    if (before !== undefined) {
      warnings.push(`${at}: ${key} is set twice: this line is used, line ${before} is ignored`);
    }
    const part = FREE_KINDS.includes(kind) ? foreignPart(value) : undefined;
    if (part !== undefined) warnings.push(`${at}: ${key}: ${part} of the value`);
    entries.set(key, { value, at });
  }
  return entries;
}

/** The users of config.ini, in its order. */
export function configUsersOf(lines: ReadonlyMap<string, ConfigLine>): ConfigUser[] {
  return [...lines].filter(([key]) => key.startsWith(USER)).map(([key, { value, at }]) => ({
    name: key.slice(USER.length),
    rules: new Secret(value),
    at,
  }));
}

/**
 * Checks a value that is not from a file, but may be written to one.
 *
 * @throws {ConfigError} When it cannot be the value of a line.
 */
export function checkLineValue(row: ConfigKey, value: string): void {
  checkVisible(value, isSecretKey(row) ? CONTROL : INVISIBLE, row.key);
  if (value !== trimSpaces(value)) {
    throw new ConfigError(`${row.key}: a value cannot begin or end with a space`);
  }
}

/** @throws {ConfigError} When the text has an invisible character; the message does not quote the text. */
function checkVisible(text: string, pattern: RegExp, at: string): void {
  const char = pattern.exec(text)?.[0];
  if (char === undefined) return;
  const code = char.codePointAt(0)!;
  if (char === "\t") throw new ConfigError(`${at}: the line has a tab: use spaces`);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  throw new ConfigError(`${at}: the line has an invisible character: ${name}`);
}

/** The part of a value that may be there by mistake. */
export function foreignPart(value: string): string | undefined {
  if (/^(["']).*\1$/.test(value)) return "the quotes are part";
  if (/ [#;]/.test(value)) return "a comment is a line of its own, this one is part";
  return undefined;
}

function trimSpaces(text: string): string {
  return text.replace(/^ +| +$/g, "");
}
