/**
 * The ways in which asking the dashboard fails.
 *
 * @module
 */

import { beginning } from "../base/excerpt.ts";

/** What went wrong on the way: no connection, no answer (in time, or ever), or an answer that is none. */
export type UnreachableReason = "unreachable" | "silent" | "garbled";

/** No usable answer came; whether a change was made is known only when it is `unreachable`. */
export class DashboardUnreachableError extends Error {
  override readonly name = "DashboardUnreachableError";
  readonly reason: UnreachableReason;

  /** The message names the address and the cause. */
  constructor(reason: UnreachableReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Why a dashboard refuses a request. */
export interface DashboardRefusal {
  /** HTTP status. */
  readonly status: number;
  /** The reason in words: the body, or its `error`. */
  readonly text: string;
  /** The field of the request that breaks a rule. */
  readonly field?: string | undefined;
  /** The rule that it breaks. */
  readonly rule?: string | undefined;
  /** Where the dashboard is that would do it, `host:port`. */
  readonly leader?: string | undefined;
}

/** Longest piece of an answer that a message quotes, in characters. */
const QUOTE_MAX = 500;

/** HTTP's status for a token that is missing or wrong. */
export const UNAUTHORIZED = 401;

/** The dashboard answered, and refused; the message is one line for the user. */
export class DashboardError extends Error implements DashboardRefusal {
  override readonly name = "DashboardError";
  readonly status: number;
  readonly text: string;
  readonly field: string | undefined;
  readonly rule: string | undefined;
  readonly leader: string | undefined;

  /** The answer, as its parts. */
  constructor(refusal: DashboardRefusal) {
    super(describe(refusal));
    this.status = refusal.status;
    this.text = refusal.text;
    this.field = refusal.field;
    this.rule = refusal.rule;
    this.leader = refusal.leader;
  }
}

/**
 * Reads an answer other than 200: JSON with `error`, or Codis 2.0's plain text.
 *
 * @param body The whole body.
 */
export function readDashboardRefusal(status: number, body: string): DashboardRefusal {
  const fields = parseObject(body);
  if (typeof fields?.["error"] !== "string") return { status, text: body.trim() };
  const textOf = (name: string) => typeof fields[name] === "string" ? fields[name] : undefined;
  return {
    status,
    text: fields["error"],
    field: textOf("field"),
    rule: textOf("rule"),
    leader: textOf("leader"),
  };
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

/** What to do about refusals whose texts are Codis 2.0's: programs compare them, so nothing is added there. */
const HELP: readonly (readonly [RegExp, string])[] = [
  [
    /^Some proxies may not stop cleanly:/,
    "start them again or, if they have surely ended, `codis-proxy config action remove-fence`",
  ],
  [
    /^(slot .*(is not online or migrate|has invalid group id)|only \d+ of \d+ slots are initialized)$/,
    "`codis-proxy config check` says how to mend such slots",
  ],
  [
    /^node already exists$/,
    "the group has a master: add this server as a slave, and promote it if it is to be the master",
  ],
];

function describe({ status, text, field, rule }: DashboardRefusal): string {
  const parts = [field, rule].filter((part) => part !== undefined && !text.includes(part));
  const detail = parts.length === 0 ? "" : ` (${[field, rule].filter(Boolean).join(": ")})`;
  const reason = text === "" ? "nothing more" : text.replace(/\s*\n\s*/g, " ");
  return `dashboard answered ${status}: ${beginning(reason, QUOTE_MAX)}${detail}${helpFor(reason)}`;
}

/** What to do about an error whose text is Codis 2.0's, to be put behind it; `""`: that is not known. */
export function helpFor(text: string): string {
  const help = HELP.find(([pattern]) => pattern.test(text))?.[1];
  return help === undefined ? "" : `; ${help}`;
}
