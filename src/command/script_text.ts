/**
 * What a Lua script without declared keys may call: commands whose answer is the same on every server,
 * named in the text itself.
 *
 * The text is not run or understood, only split into words: every use of `redis` in it must be of a form
 * that is known to be harmless.
 *
 * @module
 */

import { findByName } from "./command_table.ts";

/** Commands that a script without keys may call: they touch no key, wherever they run. */
const KEYLESS = new Set(["ping", "echo", "time", "publish", "spublish", "lolwut"]);
/** What calls commands. */
const CALLS = ["call", "pcall"];
/** The table of Redis, and Valkey's other name for it. */
const TABLES = ["redis", "server"];
/** Ways to reach the table, or new code, by a name that is not in the text. */
const HIDDEN_WAYS = [
  ...["_G", "getfenv", "setfenv", "load", "loadstring", "dofile", "rawget", "getmetatable"],
];
/** Another script as a function: before Redis 6.2, every script that a server has seen is one. */
const SCRIPT_FUNCTION = /^f_[0-9a-f]{40}$/;

/** How a key is named, without spaces. */
const NAMED_KEY = /^(KEYS\[[^[\]]+\]|unpack\(KEYS\))$/;

/** A word of Lua: a name, a quoted text without escapes or with them, or anything else. */
interface Token {
  readonly kind: "name" | "text" | "escaped" | "other";
  readonly text: string;
}

const TOKEN = new RegExp(
  [
    String.raw`--\[(?<comment>=*)\[[^]*?\]\k<comment>\]`,
    String.raw`--[^\n\r]*`, // Lua ends a line at either
    String.raw`\[(?<long>=*)\[(?<longText>[^]*?)\]\k<long>\]`,
    String.raw`(?<quote>["'])(?<quoted>(?:\\[^]|(?!\k<quote>)[^\\])*)\k<quote>`,
    String.raw`(?<name>[A-Za-z_]\w*)`,
    String.raw`(?<space>\s+)`,
    String.raw`(?<other>\.+|[^])`,
  ].join("|"),
  "g",
);

/**
 * Looks for calls in a script that may touch keys.
 *
 * @param script The text of a script, or of a whole library of functions.
 * @returns What the script does that only declared keys allow, for an error text; empty when it does
 * nothing of the kind.
 */
export function undeclaredAccess(script: string): string {
  const tokens = tokensOf(script.replace(/^#![^\n]*/, ""));
  for (let i = 0; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    if (kind !== "name") continue;
    const isField = isOther(tokens[i - 1], ".") || isOther(tokens[i - 1], ":");
    if (isHiddenWay(text) && !isField) return `uses ${text}`;
    if (!TABLES.includes(text) || isField && tokens[i - 2]?.text !== "_G") continue;
    const access = accessOf(tokens, i);
    if (access !== "") return access;
  }
  return "";
}

function isHiddenWay(name: string): boolean {
  return HIDDEN_WAYS.includes(name) || SCRIPT_FUNCTION.test(name);
}

/** What a script calls, as far as its text shows it. */
export interface ScriptCalls {
  /** Names of commands, each once, as in `get` and `config|get`. */
  readonly calls: readonly string[];
  /** What hides more calls, for an error text; empty when all are seen. */
  readonly hides: string;
}

/**
 * The commands that a script calls.
 *
 * @param script The text of a script, or of a whole library of functions.
 */
export function callsOf(script: string): ScriptCalls {
  const tokens = tokensOf(script.replace(/^#![^\n]*/, ""));
  const calls = new Set<string>();
  for (let i = 0; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    if (kind !== "name") continue;
    const isField = isOther(tokens[i - 1], ".") || isOther(tokens[i - 1], ":");
    if (isHiddenWay(text) && !isField) return { calls: [], hides: `uses ${text}` };
    // Before Redis 7, a new meaning would outlive the script.
    if (text === "unpack" && !isField && !isBuiltin(tokens, i)) {
      return { calls: [], hides: "uses unpack otherwise than as unpack(…)" };
    }
    if (!TABLES.includes(text) || isField && tokens[i - 2]?.text !== "_G") continue;
    const called = calledAt(tokens, i);
    if (called.hides !== "") return { calls: [], hides: called.hides };
    if (called.name !== "") calls.add(called.name);
  }
  return { calls: [...calls], hides: "" };
}

/** The command that the table at `tokens[i]` is used to call, if any; or how its name is hidden. */
function calledAt(tokens: readonly Token[], i: number): { name: string; hides: string } {
  const table = tokens[i]!.text;
  const field = tokens[i + 2];
  if (!isOther(tokens[i + 1], ".") || field?.kind !== "name") {
    return { name: "", hides: `uses ${table} otherwise than as ${table}.NAME` };
  }
  if (!CALLS.includes(field.text)) return { name: "", hides: "" };
  const isCall = isOther(tokens[i + 3], "(");
  const name = tokens[i + (isCall ? 4 : 3)];
  const after = tokens[i + 5];
  const isWhole = !isCall || isOther(after, ")") || isOther(after, ",");
  const hides = `calls a command that its text does not name after ${table}.${field.text}`;
  if (name?.kind !== "text" || !isWhole) return { name: "", hides };
  const lower = name.text.toLowerCase();
  if (findByName(lower)?.isContainer !== true) return { name: lower, hides: "" };
  const subcommand = tokens[i + 6];
  const isNamed = isOther(after, ",") && subcommand?.kind === "text" &&
    (isOther(tokens[i + 7], ")") || isOther(tokens[i + 7], ","));
  return isNamed
    ? { name: `${lower}|${subcommand.text.toLowerCase()}`, hides: "" }
    : { name: "", hides };
}

/** What is done with the table at `tokens[i]`; empty when that is harmless. */
function accessOf(tokens: readonly Token[], i: number): string {
  // `server` is also a good name for something else.
  const isAnything = tokens[i]!.text === "server" && !".[".includes(tokens[i + 1]?.text ?? " ");
  if (isAnything) return "";
  const { name, hides } = calledAt(tokens, i);
  if (name === "" || KEYLESS.has(name)) return hides;
  return `calls ${shown(name.split("|")[0]!)}`;
}

/**
 * Whether each call of a script names its keys as `KEYS[…]` or `unpack(KEYS)`, so that it uses no key that
 * the request does not name. False also where the text does not show it.
 */
export function namesItsKeys(script: string): boolean {
  const tokens = tokensOf(script.replace(/^#![^\n]*/, ""));
  return tokens.every(({ kind, text }, i) => {
    if (kind !== "name") return true;
    const isField = isOther(tokens[i - 1], ".") || isOther(tokens[i - 1], ":");
    if (text === "KEYS" && !isField) return isRead(tokens, i);
    if (text === "unpack" && !isField) return isBuiltin(tokens, i);
    if (isHiddenWay(text) && !isField) return false;
    if (!TABLES.includes(text) || isField && tokens[i - 2]?.text !== "_G") return true;
    if (calledAt(tokens, i).hides !== "") return false;
    return accessOf(tokens, i) === "" || isCallOfNamedKeys(tokens, i + 3);
  });
}

/** Whether the KEYS at `tokens[i]` is read, so that it stays what the request has. */
function isRead(tokens: readonly Token[], i: number): boolean {
  if (isOther(tokens[i - 1], "#")) return true;
  if (tokens[i - 2]?.text === "unpack") {
    const isField = isOther(tokens[i - 3], ".") || isOther(tokens[i - 3], ":");
    return isOther(tokens[i - 1], "(") && !isField;
  }
  return isOther(tokens[i + 1], "[") && !isAssigned(tokens, i + 1);
}

/** Whether the element whose bracket opens at `tokens[open]` is assigned to, also as one of several. */
function isAssigned(tokens: readonly Token[], open: number): boolean {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    const isCode = kind === "other";
    if (isCode && "([{".includes(text)) depth++;
    else if (isCode && ")]}".includes(text)) depth--;
    else if (depth > 0) continue;
    else if (isOther(tokens[i], "=")) return !isOther(tokens[i + 1], "=");
    else if (isCode && !",.:".includes(text)) return false; // no list of variables
    else if (kind === "name" && !",.:".includes(tokens[i - 1]!.text)) return false; // what follows the list
    if (depth < 0) return false;
  }
  return false;
}

/** Whether the `unpack` at `tokens[i]` is Lua's own, as far as it is not given a new meaning there. */
function isBuiltin(tokens: readonly Token[], i: number): boolean {
  return isOther(tokens[i + 1], "(") && tokens[i - 1]?.text !== "function";
}

/** Whether all keys of a call are `KEYS[…]`; its parenthesis opens at `tokens[open]`. */
function isCallOfNamedKeys(tokens: readonly Token[], open: number): boolean {
  const name = tokens[open + 1];
  if (!isOther(tokens[open], "(") || name?.kind !== "text") return false;
  const command = findByName(name.text.toLowerCase());
  if (command?.keyPlaces !== "static" || command.lastKey < -1) return false;
  const args = argumentsFrom(tokens, open + 2);
  const last = command.lastKey < 0 ? args.length : command.lastKey;
  for (let at = command.firstKey; at <= last; at += command.keyStep) {
    if (!NAMED_KEY.test(args[at - 1] ?? "")) return false;
  }
  return true;
}

/** The code of a call's arguments behind the command's name, up to the closing parenthesis. */
function argumentsFrom(tokens: readonly Token[], from: number): string[] {
  const args: string[] = [];
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    const { kind, text } = tokens[i]!;
    const isCode = kind === "other";
    if (isCode && depth === 0 && text === ")") break;
    if (isCode && depth === 0 && text === ",") {
      args.push("");
      continue;
    }
    if (isCode && "([{".includes(text)) depth++;
    if (isCode && ")]}".includes(text)) depth--;
    // What is no code is no key either.
    const isCodeOrName = isCode || kind === "name";
    if (args.length > 0) args[args.length - 1] += isCodeOrName ? text : `"${text}"`;
  }
  return args;
}

function isOther(token: Token | undefined, text: string): boolean {
  return token?.kind === "other" && token.text === text;
}

function shown(name: string): string {
  return name.slice(0, 32).replace(/[^ -~]/g, "?").toUpperCase();
}

function tokensOf(script: string): Token[] {
  const tokens: Token[] = [];
  for (const { groups } of script.matchAll(TOKEN)) {
    const { name, longText, quoted, other } = groups!;
    if (name !== undefined) tokens.push({ kind: "name", text: name });
    else if (longText !== undefined) tokens.push({ kind: "text", text: longText });
    else if (other !== undefined) tokens.push({ kind: "other", text: other });
    else if (quoted !== undefined) {
      // An escape may stand for any letter: such a text names nothing that can be known.
      tokens.push({ kind: quoted.includes("\\") ? "escaped" : "text", text: quoted });
    }
  }
  return tokens;
}
