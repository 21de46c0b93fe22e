/**
 * What is noted of a request: everything but its secrets.
 *
 * @module
 */

import { isBrowser } from "../../api/auth.ts";
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
    arguments: argumentsOf(searchParams, body),
    status,
    end: status < 400 ? "ok" : shortened(error.trim(), END_MAX),
  };
}

/** Whether a request only asks what would be done. */
export function isDryRun(body: string): boolean {
  return fieldsOf(body)?.["dry_run"] === true;
}

function senderOf(request: Request): string {
  if (isBrowser(request)) return "page";
  const agent = request.headers.get("user-agent") ?? "";
  return /^codis-proxy (cli|proxy)\b/.exec(agent)?.[1] ?? "api";
}

function argumentsOf(query: URLSearchParams, body: string): string {
  const fields = fieldsOf(body);
  const given = [...query, ...Object.entries(fields ?? {})].map(([name, value]) => {
    if (SECRETS.test(name)) return `${name}=***`;
    const text = typeof value === "string" ? value : JSON.stringify(value, masked);
    // Rules of a Redis user, which may have passwords, and their hashes.
    return `${name}=${text.replace(/([><#!])[^\s",]+/g, "$1***")}`;
  });
  // What is no JSON may hold anything.
  if (fields === undefined && body !== "") given.push(`body of ${body.length} characters`);
  return shortened(given.join(" "), ARGUMENTS_MAX);
}

function masked(name: string, value: unknown): unknown {
  return SECRETS.test(name) ? "***" : value;
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
