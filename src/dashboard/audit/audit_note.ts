/**
 * What is noted of a request: everything but its secrets.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { isBrowser } from "../../api/auth.ts";
import { GO_NIL } from "../input.ts";
import type { AuditNote } from "./audit_trail.ts";

/** Longest arguments, and longest text of an error, that are noted, in characters. */
const ARGUMENTS_MAX = 400;
const END_MAX = 300;
/** Longest address, which a server in front of us may say. */
const ADDRESS_MAX = 64;

/** Fields whose values are secrets, mistyped ones too. */
const SECRETS = /pass|pwd|token|secret|auth/i;

/** The answer of a request. */
interface Answered {
  readonly status: number;
  /** The text of an error; `""`: none. */
  readonly error: string;
}

/**
 * Makes the note of a request.
 *
 * @param body Its text.
 */
export function auditNote(
  request: Request,
  body: string,
  sender: { readonly who: string; readonly address: string },
  { status, error }: Answered,
): AuditNote {
  const { pathname, searchParams } = new URL(request.url);
  return {
    who: sender.who,
    address: shortened(sender.address, ADDRESS_MAX),
    by: senderOf(request),
    request: `${request.method} ${shortened(pathname, ARGUMENTS_MAX)}`,
    arguments: argumentsOf(pathname, searchParams, body),
    status,
    end: status < 400 ? "ok" : shortened(withoutRulePasswords(pathname, error).trim(), END_MAX),
  };
}

/** Arguments as they are noted: on one line, and not too long. */
export function shortArguments(text: string): string {
  return shortened(text, ARGUMENTS_MAX);
}

/**
 * The text of an error for logs: rules of Redis users, which it may quote, can have passwords. What comes
 * before the first sign of one is kept.
 */
export function withoutRulePasswords(pathname: string, text: string): string {
  if (!isOfRedisUsers(pathname)) return text;
  return text.replace(/([><#!]).*'/s, "$1***'").replace(BARE_IN_ERROR, "$1***$2");
}

function senderOf(request: Request): string {
  if (isBrowser(request)) return "page";
  const agent = request.headers.get("user-agent") ?? "";
  return /^codis-proxy (cli|proxy)\b/.exec(agent)?.[1] ?? "api";
}

function argumentsOf(pathname: string, query: URLSearchParams, body: string): string {
  const fields = fieldsOf(body);
  const shown = isOfRedisUsers(pathname) ? withoutPassword : (text: string) => text;
  const all = [...query, ...Object.entries(fields ?? {})];
  // What Codis's forms leave empty says nothing.
  const given = all.filter(([, value]) => value !== "").map(([name, value]) => {
    if (SECRETS.test(name)) return `${name}=***`;
    return `${name}=${typeof value === "string" ? shown(value) : written(value, shown)}`;
  });
  // What is no JSON may hold anything.
  if (fields === undefined && body !== "" && body !== GO_NIL) {
    given.push(`body of ${countOf(body.length, "character")}`);
  }
  return shortArguments(given.join(" "));
}

function isOfRedisUsers(pathname: string): boolean {
  return pathname.startsWith("/api/redis_users");
}

/** A word that is no rule: perhaps a password whose `>` was forgotten. */
const BARE = String.raw`(?!(?:on|off|user|reset\w*|all\w+|no\w+|clearselectors|[\w-]+payload)\b)\w`;
const BARE_RULE = new RegExp(`^${BARE}`, "i");
const BARE_IN_ERROR = new RegExp(`(modifier ')${BARE}.*?(': Syntax error)`, "is");

/** A rule of a Redis user, or several in one text, up to the first password or hash of one. */
function withoutPassword(rule: string): string {
  return rule.replace(/([><#!]).*/s, "$1***");
}

/** One rule of a Redis user: without its password, also one that stands alone. */
export function ruleWithoutPassword(rule: string): string {
  return BARE_RULE.test(rule) ? "***" : withoutPassword(rule);
}

function written(value: unknown, shown: (text: string) => string): string {
  const masked = (name: string, each: unknown) =>
    SECRETS.test(name) ? "***" : typeof each === "string" ? shown(each) : each;
  try {
    return JSON.stringify(value, masked);
  } catch {
    return "…"; // nested too deeply
  }
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : undefined;
  } catch {
    return undefined;
  }
}

/** On one line, and not too long. */
function shortened(text: string, most: number): string {
  // deno-lint-ignore no-control-regex
  const line = text.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ");
  return line.length <= most ? line : `${line.slice(0, most)}…`;
}
