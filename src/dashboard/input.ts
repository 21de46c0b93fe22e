/**
 * Checks what requests contain, field by field: input that breaks a rule changes nothing.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { formatAddress, parseAddress } from "../base/address.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { GROUP_ID_MAX, GROUP_ID_MIN } from "../model/group.ts";
import { parseZone } from "../model/server_zone.ts";
import { InputError } from "../control/errors.ts";

/** Longest body of a request, in bytes. */
const BODY_BYTES_MAX = 64 * 1024;
/** Longest address, in characters. */
const ADDR_CHARS_MAX = 256;
/** Longest delay between two moves of a migration, in milliseconds. */
const DELAY_MS_MAX = 3_600_000;

/** The fields of a request's body. */
export type Body = Readonly<Record<string, unknown>>;

/**
 * Reads a body, which must be a JSON object; fields that no route reads are ignored.
 *
 * @throws {InputError} When it is not.
 */
export async function readBody(request: Request, bytesMax = BODY_BYTES_MAX): Promise<Body> {
  return parseBody(await readText(request, bytesMax));
}

function parseBody(text: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not quoted: a body with a password that lacks a brace is no JSON either.
    throw new InputError(
      "body",
      "a JSON object",
      text,
      `${countOf(text.length, "character")} of other text`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
    throw new InputError("body", "a JSON object", value, kind);
  }
  return value as Body;
}

/** What codis-config of Codis 2.0 sends where it has nothing to say. */
export const GO_NIL = "null";

/** As {@linkcode readBody}; no body is an empty one, and so is `null`. */
export async function readOptionalBody(request: Request): Promise<Body> {
  const text = (await readText(request)).trim();
  return text === "" || text === GO_NIL ? {} : parseBody(text);
}

/**
 * Checks that a body has no other fields: a request with `dryrun` must not be a real run. Only for routes
 * that Codis 2.0 does not have, as its clients send whole records.
 *
 * @throws {InputError} When it has another field.
 */
export function onlyFields(body: Body, ...fields: readonly string[]): Body {
  const other = Object.keys(body).find((field) => !fields.includes(field));
  if (other === undefined) return body;
  const rule = `left out: only ${fields.join(", ")} are known here`;
  // Not quoted: it may be a password under a name that is mistyped.
  throw new InputError(other, rule, body[other], "given");
}

async function readText(request: Request, bytesMax = BODY_BYTES_MAX): Promise<string> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > bytesMax) {
    throw new InputError("body", `at most ${bytesMax} bytes`, declared);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > bytesMax) {
      throw new InputError("body", `at most ${bytesMax} bytes`, length);
    }
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}

/** A whole number of the body within bounds, both included. */
export function integerIn(body: Body, field: string, min: number, max: number): number {
  const value = body[field];
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  throw new InputError(field, `a whole number from ${min} to ${max}`, value);
}

/** The least time between two moves of a migration, in milliseconds; missing means 0. */
export function delayIn(body: Body): number {
  return body["delay"] === undefined ? 0 : integerIn(body, "delay", 0, DELAY_MS_MAX);
}

/** A slot number of the body. */
export function slotIdIn(body: Body, field: string): number {
  return integerIn(body, field, 0, SLOT_COUNT - 1);
}

/** The slots `from` to `to` of the body. */
export function slotRangeIn(body: Body): { from: number; to: number } {
  const [from, to] = [slotIdIn(body, "from"), slotIdIn(body, "to")];
  if (to < from) throw new InputError("to", `at least from (${from})`, to);
  return { from, to };
}

/** A group's id of the body. */
export function groupIdIn(body: Body, field: string): number {
  return integerIn(body, field, GROUP_ID_MIN, GROUP_ID_MAX);
}

/** A server's address of the body, `host:port`, as addresses are stored. */
export function addrIn(body: Body, field: string): string {
  const value = body[field];
  if (typeof value === "string" && value.length <= ADDR_CHARS_MAX) {
    try {
      return formatAddress(parseAddress(value));
    } catch {
      // The error is thrown below.
    }
  }
  throw new InputError(field, "host:port", value);
}

/** One of `words` of the body; missing means `initial`, where there is one. */
export function wordIn<W extends string>(
  body: Body,
  field: string,
  words: readonly W[],
  initial?: W,
): W {
  const value = body[field];
  if (initial !== undefined && (value === undefined || value === "")) return initial;
  const found = words.find((word) => word === value);
  if (found === undefined) throw new InputError(field, `one of ${words.join(", ")}`, value);
  return found;
}

/** Whether a flag of the body is set; missing means no. */
export function flagIn(body: Body, field: string): boolean {
  const value = body[field] ?? false;
  if (typeof value !== "boolean") throw new InputError(field, "true or false", value);
  return value;
}

/** The zone of the body, empty for none; undefined when nothing is said. */
export function zoneIn(body: Body): string | undefined {
  const { zone } = body;
  if (zone === undefined) return undefined;
  if (typeof zone === "string") {
    try {
      return parseZone(zone);
    } catch {
      // The error is thrown below.
    }
  }
  throw new InputError("zone", "letters, digits and . _ : -, 64 at most", zone);
}

/** A name of the body: not empty, no `/`. */
export function nameIn(body: Body, field: string): string {
  const value = body[field];
  if (typeof value === "string" && value !== "" && !value.includes("/")) return value;
  throw new InputError(field, 'a name without "/"', value);
}

/** A group's id of the path. */
export function groupIdOfPath(text: string): number {
  return integerOfText("group id", text, GROUP_ID_MIN, GROUP_ID_MAX);
}

/** A slot's number of the path. */
export function slotIdOfPath(text: string): number {
  return integerOfText("slot id", text, 0, SLOT_COUNT - 1);
}

/** A whole number of the path or the query. */
export function integerOfText(field: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new InputError(field, `a whole number from ${min} to ${max}`, text);
}
