/**
 * Where secrets come from: a line of config.ini, a file that it names, or the environment; one of them.
 *
 *      password = …            ─┐
 *      password_file = /path   ─┼─► the one that is set ─► Secret
 *      CODIS_PROXY_PASSWORD    ─┘    a file: the first line, and further lines that are still good;
 *                                    read again when the process is told to reload
 *
 * @module
 */

import { excerpt } from "../base/excerpt.ts";
import { fileReason } from "../base/file_fault.ts";
import type { ConfigKey } from "./key.ts";

/** Largest file of a secret, in bytes. */
const FILE_BYTES_MAX = 64 * 1024;

/** Kinds whose values no message may quote. */
const SECRET_KINDS = ["secret", "token", "secretUrl"];

/** Characters that no secret can have. */
const CONTROL = /\p{Cc}/u;

/** What secrets are read from, besides config.ini. */
export interface SecretSources {
  /** A variable of the environment. */
  variable(name: string): string | undefined;
  /**
   * The bytes of a file.
   *
   * @throws {Error} When it cannot be read.
   */
  read(path: string): Uint8Array;
}

/** The files of this machine, and the environment of this process. */
export const SECRET_SOURCES: SecretSources = {
  variable: (name) => Deno.env.get(name),
  read: (path) => {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile) throw new Error("it is not a file");
    if (size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    return Deno.readFileSync(path);
  },
};

/** A `key = value` line, as far as secrets care. */
interface Line {
  readonly value: string;
  /** Where it is, for messages. */
  readonly at: string;
  readonly source?: "file" | "environment" | "flag" | "set" | "implied";
}

/** A secret that was found. */
export interface FoundSecret extends Line {
  /** The first is the value, the others are still good. */
  readonly values: readonly string[];
}

/** Whether a key holds a secret. */
export function isSecretKey(row: ConfigKey): boolean {
  return SECRET_KINDS.includes(row.kind);
}

/** The key that names the file of a secret. */
export function secretFileKey(row: ConfigKey): string {
  return `${row.key}_file`;
}

/** The variable of the environment that holds a secret. */
export function secretVariable(row: ConfigKey): string {
  return `CODIS_PROXY_${row.key.toUpperCase()}`;
}

/**
 * Finds a secret; `undefined` when it is not set anywhere.
 *
 * @param lines The lines of config.ini, by key.
 * @throws {Error} When it is set in two places, or its file cannot be used. The message says where, and
 * quotes no secret.
 */
export function findSecret(
  row: ConfigKey,
  lines: ReadonlyMap<string, Line>,
  sources: SecretSources,
): FoundSecret | undefined {
  const name = secretVariable(row);
  const variable: Line = {
    value: sources.variable(name) ?? "",
    at: `environment variable ${name}`,
    source: "environment",
  };
  const found = [
    { source: row.key, line: lines.get(row.key) },
    { source: secretFileKey(row), line: lines.get(secretFileKey(row)) },
    { source: variable.at, line: variable },
  ].filter(({ line }) => line !== undefined && line.value !== "");
  const [first, second] = found;
  if (first === undefined) return undefined;
  const { value, at, source = "file" } = first.line!;
  if (second !== undefined) {
    throw new Error(`${at}: ${first.source} and ${second.source} are both set: keep one of them`);
  }
  if (first.line === variable && CONTROL.test(value)) {
    throw new Error(`${at}: it has an invisible character`);
  }
  if (first.source !== secretFileKey(row)) return { value, at, source, values: [value] };
  const values = readSecretFile(value, sources, `${at}: ${first.source}`);
  return { value: values[0]!, at: `${at}: ${first.source}`, source, values };
}

/** The lines of a secret's file; the messages begin with `at`. */
function readSecretFile(path: string, sources: SecretSources, at: string): readonly string[] {
  const fail = (rule: string) => new Error(`${at} = ${JSON.stringify(excerpt(path))}: ${rule}`);
  let bytes: Uint8Array;
  try {
    bytes = sources.read(path);
  } catch (error) {
    throw fail(`cannot be read: ${fileReason(error)}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail("is not UTF-8");
  }
  const values = text.split(/\r?\n/);
  while (values.at(-1) === "") values.pop();
  if (values.length === 0) throw fail("is empty: write the secret into its first line");
  for (const [i, value] of values.entries()) {
    if (value === "") throw fail(`line ${i + 1} is empty`);
    if (CONTROL.test(value)) throw fail(`line ${i + 1} has an invisible character`);
  }
  return values;
}
