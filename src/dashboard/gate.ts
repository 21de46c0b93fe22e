/**
 * Who may change anything: whoever has the token, or, where there is none, whoever is on this machine.
 *
 * A browser on this machine is not enough: a page from elsewhere could have it send requests. So what
 * comes from another origin is refused, and so is a name for this machine that is not one of its own,
 * by which such a page could seem to be ours.
 *
 * @module
 */

import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../base/secret.ts";

/** What requests must show. */
export interface Gate {
  /** Not set: none is needed. */
  readonly token: Secret;
  /** Without a token: whether other machines may change anything. */
  readonly isOpenToAll: boolean;
  /** Names of this machine besides IP addresses and localhost, in lower case. */
  readonly hostnames: readonly string[];
}

/** Why a request is not let in. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: string;
}

/** Why a request is not let in; nothing when it is. */
export function refusalOf(
  gate: Gate,
  request: Request,
  url: URL,
  remote: string,
  changes: boolean,
): Refusal | undefined {
  if (!changes) return undefined;
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  const isForeign = (origin !== null && origin !== url.origin && !isSameHost(origin, request)) ||
    site === "cross-site" || site === "same-site";
  if (isForeign) return { status: 403, error: "requests from pages of other sites are refused" };
  if (gate.token.isSet) {
    return isToken(gate.token, request)
      ? undefined
      : { status: 401, error: "the token is missing or wrong: send Authorization: Bearer <token>" };
  }
  if (!gate.isOpenToAll && !isThisMachine(remote)) {
    return {
      status: 403,
      error: "without dashboard_token only this machine may change anything: set it",
    };
  }
  if (origin !== null && !isOwnName(gate, url.hostname)) {
    return { status: 403, error: `"${url.hostname}" is not a name of this machine` };
  }
  return undefined;
}

function isSameHost(origin: string, request: Request): boolean {
  try {
    return new URL(origin).host === request.headers.get("host");
  } catch {
    return false;
  }
}

/** Takes as long for a wrong token as for the right one. */
function isToken(token: Secret, request: Request): boolean {
  const given = /^Bearer (.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  const [a, b] = [digest(given), digest(token.reveal())];
  return timingSafeEqual(a, b);
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

/** Whether an address is this machine's own. */
function isThisMachine(remote: string): boolean {
  const address = remote.replace(/^::ffff:/, "");
  if (/^127\.|^::1$/.test(address)) return true;
  return Deno.networkInterfaces().some((each) => each.address === address);
}

function isOwnName(gate: Gate, hostname: string): boolean {
  const isAddress = /^\[.*\]$|^\d+\.\d+\.\d+\.\d+$/.test(hostname);
  return isAddress || hostname === "localhost" || gate.hostnames.includes(hostname.toLowerCase());
}
