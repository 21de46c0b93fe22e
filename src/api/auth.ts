/**
 * Who may ask our HTTP endpoints for what: whoever has the token, whoever is on this machine, and, where
 * the address was opened on purpose, everybody.
 *
 *     read    opened on purpose ─or─ token ─or─ this machine, by one of its names
 *     change  no page of another site, by one of our names ─and─ token, or where there is none: this
 *             machine, or opened on purpose
 *
 * A browser on this machine is not enough: a page from elsewhere could have it send requests. So what
 * comes from another origin is refused, and so is a name for this machine that is not one of its own,
 * by which such a page could seem to be ours; whatever the method, since Codis's own tools change things
 * by GET. A browser need not tell what page an image is on: from one that does not, nothing is changed.
 *
 * @module
 */

import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../base/secret.ts";

/** What requests must show. */
export interface Gate {
  /** Not set: none is needed. */
  readonly token: Secret;
  /** Whether the address was opened to other machines on purpose. */
  readonly isOpenToAll: boolean;
  /** Names that we are asked for by, besides IP addresses and localhost; in lower case. */
  readonly hostnames: readonly string[];
}

/** What a request does: it reads, or it changes something or keeps servers busy. */
export type Access = "read" | "change";

/** A request and where it comes from. */
export interface Asking {
  readonly request: Request;
  readonly url: URL;
  /** The address that it came from, without port. */
  readonly remote: string;
}

/** Why a request is not let in. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: string;
}

/**
 * Makes a gate.
 *
 * @param hostname What is listened on: an empty one is every interface, and nobody's purpose.
 * @param names Further names that we are asked for by.
 */
export function gateOf(token: Secret, hostname: string, names: readonly string[]): Gate {
  const machine = Deno.hostname();
  const hostnames = [machine, machine.split(".")[0]!, hostname, ...names];
  return {
    token,
    isOpenToAll: hostname !== "" && !isLocal(hostname),
    hostnames: hostnames.filter((name) => name !== "").map((name) => name.toLowerCase()),
  };
}

/** Why a request is not let in; nothing when it is. */
export function refusalOf(gate: Gate, asking: Asking, access: Access): Refusal | undefined {
  return access === "read" ? readRefusal(gate, asking) : changeRefusal(gate, asking);
}

function readRefusal(gate: Gate, asking: Asking): Refusal | undefined {
  if (gate.isOpenToAll) return undefined;
  if (gate.token.isSet && isToken(gate.token, asking.request)) return undefined;
  if (!isThisMachine(asking)) return gate.token.isSet ? NO_TOKEN : notHere("ask");
  return isBrowser(asking.request) ? nameRefusal(gate, asking) : undefined;
}

function changeRefusal(gate: Gate, asking: Asking): Refusal | undefined {
  const { request } = asking;
  if (isFromElsewhere(asking)) {
    return { status: 403, error: "requests from pages of other sites are refused" };
  }
  const wrongName = nameRefusal(gate, asking);
  if (wrongName !== undefined) return wrongName;
  if (gate.token.isSet) return isToken(gate.token, request) ? undefined : NO_TOKEN;
  if (!gate.isOpenToAll && !isThisMachine(asking)) return notHere("change anything");
  if (isBrowser(request) && !tellsItsPage(request)) {
    return {
      status: 403,
      error:
        "the browser does not tell which page asks: use the page /admin, or codis-proxy config",
    };
  }
  return undefined;
}

const NO_TOKEN: Refusal = {
  status: 401,
  error: "the token is missing or wrong: send Authorization: Bearer <token>",
};

function notHere(what: string): Refusal {
  return {
    status: 403,
    error: `without dashboard_token only this machine may ${what}: set it`,
  };
}

// -- pages --------------------------------------------------------------------------------------

function isFromElsewhere({ request, url }: Asking): boolean {
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  return (origin !== null && origin !== url.origin && !isSameHost(origin, request)) ||
    site === "cross-site" || site === "same-site";
}

function isSameHost(origin: string, request: Request): boolean {
  try {
    return new URL(origin).host === request.headers.get("host");
  } catch {
    return false;
  }
}

/** All of them call themselves so; no page can change that for its images and forms. */
function isBrowser(request: Request): boolean {
  return request.headers.has("sec-fetch-site") ||
    /^Mozilla\//.test(request.headers.get("user-agent") ?? "");
}

/** Whether it is known that one of our pages asks, or whoever has typed the address. */
function tellsItsPage(request: Request): boolean {
  return request.headers.has("origin") || request.headers.has("sec-fetch-site");
}

// -- names --------------------------------------------------------------------------------------

function nameRefusal(gate: Gate, { request, url }: Asking): Refusal | undefined {
  const names = [url.hostname, hostnameIn(request.headers.get("host"))];
  const wrong = names.find((name) => name !== undefined && !isOwnName(gate, name));
  return wrong === undefined ? undefined : {
    status: 403,
    error:
      `"${wrong}" is not a name of this machine: use its address, or add the name to http_names`,
  };
}

function hostnameIn(host: string | null): string | undefined {
  return host === null ? undefined : URL.parse(`http://${host}`)?.hostname ?? host;
}

function isOwnName(gate: Gate, hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  const isAddress = /^\[.*\]$|^\d+\.\d+\.\d+\.\d+$/.test(name);
  return isAddress || name === "localhost" || gate.hostnames.includes(name);
}

// -- machines -----------------------------------------------------------------------------------

/** Whether a request comes from this machine, and was not handed on by a server on it. */
function isThisMachine({ request, remote }: Asking): boolean {
  if (FORWARDED.some((name) => request.headers.has(name))) return false;
  const address = remote.replace(/^::ffff:/, "");
  if (isLocal(address)) return true;
  try {
    return Deno.networkInterfaces().some((each) => each.address === address);
  } catch {
    return false; // no descriptor is left to ask by
  }
}

/** What a server in front of us adds. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip"];

function isLocal(hostname: string): boolean {
  return hostname === "localhost" || /^127\.|^::1$/.test(hostname);
}

// -- the token ----------------------------------------------------------------------------------

/** Takes as long for a wrong token as for the right one. */
function isToken(token: Secret, request: Request): boolean {
  const given = /^Bearer (.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  // Programs write letters like "é" into a header as one byte, as browsers do, or as UTF-8, as shells do.
  const typed = new TextDecoder().decode(Uint8Array.from(given, (char) => char.charCodeAt(0)));
  const wanted = digest(token.reveal());
  const answers = [given, typed].map((each) => timingSafeEqual(digest(each), wanted));
  return answers.includes(true);
}

function digest(text: string): Uint8Array {
  // Of equal length, whatever the token's.
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(TOKEN_BYTES);
  padded.set(bytes.subarray(0, TOKEN_BYTES - 4));
  new DataView(padded.buffer).setUint32(TOKEN_BYTES - 4, bytes.length);
  return padded;
}

/** Bytes of a token that are compared, its length included. */
const TOKEN_BYTES = 1024;
