/**
 * Who may send which requests to our HTTP endpoints: with the token, from this machine, or, where the
 * address was opened on purpose, from anywhere.
 *
 *     read    opened on purpose ─or─ token ─or─ this machine, by one of our names
 *     change  no page of another site, by one of our names ─and─ token, or where there is none: this
 *             machine, or opened on purpose
 *
 * That a browser runs on this machine is not enough: a page from elsewhere could make it send requests.
 * So requests from another origin are refused, and so are requests that name this machine by a name that
 * is not its own, by which such a page could seem to be ours. The method does not matter, since Codis's
 * own tools change things by GET. A browser need not say which page an image is on; a request without
 * that changes nothing.
 *
 * @module
 */

import { isLoopback } from "../base/address.ts";
import { isOneOfSecrets, type Secret } from "../base/secret.ts";

/** What requests to an endpoint must show. */
export interface AccessPolicy {
  /** Not set: none is needed. */
  readonly token: Secret;
  /** Whether the address was opened to other machines on purpose. */
  readonly isOpenToAll: boolean;
  /** Names by which clients may call us, besides IP addresses and localhost; see {@linkcode policyNames}. */
  hostnames: readonly string[];
}

/** What a request does: it reads, or it changes something or keeps servers busy. */
export type Access = "read" | "change";

/** A request and where it comes from. */
export interface IncomingRequest {
  readonly request: Request;
  readonly url: URL;
  /** The address that it came from, without port. */
  readonly remote: string;
  /** The address of its client, where another dashboard has passed it on and proved that. */
  readonly client?: string | undefined;
}

/** Why a request is refused. */
export interface AccessDenied {
  readonly status: 401 | 403;
  readonly error: string;
}

/**
 * Makes the policy of an endpoint.
 *
 * @param hostname The host that it listens on. An empty one is every interface, which does not count as
 * opened on purpose.
 * @param names Further names by which clients may call us.
 */
export function accessPolicy(
  token: Secret,
  hostname: string,
  names: readonly string[],
): AccessPolicy {
  return {
    token,
    isOpenToAll: hostname !== "" && !isLoopback(hostname),
    hostnames: policyNames(hostname, names),
  };
}

/** The names of an endpoint that listens on a host, with further ones; in lower case. */
export function policyNames(hostname: string, names: readonly string[]): readonly string[] {
  const machine = Deno.hostname();
  return [machine, machine.split(".")[0]!, hostname, ...names]
    .filter((name) => name !== "").map((name) => name.toLowerCase());
}

/** Checks a request against a policy; returns why it is refused, or nothing when it is allowed. */
export function authorize(
  policy: AccessPolicy,
  incoming: IncomingRequest,
  access: Access,
): AccessDenied | undefined {
  return access === "read" ? authorizeRead(policy, incoming) : authorizeChange(policy, incoming);
}

function authorizeRead(policy: AccessPolicy, incoming: IncomingRequest): AccessDenied | undefined {
  if (policy.isOpenToAll) return undefined;
  if (policy.token.isSet && isToken(policy.token, incoming.request)) return undefined;
  if (!isThisMachine(incoming)) return policy.token.isSet ? NO_TOKEN : notHere("read");
  // Browsers, too: a page may say that it is another program.
  return checkName(policy, incoming);
}

/** Why a browser's request may be that of a page which took our address; nothing when it is not. */
export function foreignName(
  policy: AccessPolicy,
  incoming: IncomingRequest,
): AccessDenied | undefined {
  const isLocal = !policy.isOpenToAll && isThisMachine(incoming);
  return isLocal && isBrowser(incoming.request) ? checkName(policy, incoming) : undefined;
}

/** Why a request that changes something may be the doing of another site's page; nothing when it is not. */
export function foreignPage(
  policy: AccessPolicy,
  incoming: IncomingRequest,
): AccessDenied | undefined {
  if (isFromElsewhere(incoming)) {
    return { status: 403, error: "requests from pages of other sites are refused" };
  }
  return checkName(policy, incoming);
}

function authorizeChange(
  policy: AccessPolicy,
  incoming: IncomingRequest,
): AccessDenied | undefined {
  const { request } = incoming;
  const foreign = foreignPage(policy, incoming);
  if (foreign !== undefined) return foreign;
  if (policy.token.isSet) return isToken(policy.token, request) ? undefined : NO_TOKEN;
  if (!policy.isOpenToAll && !isThisMachine(incoming)) return notHere("change anything");
  return isBrowser(request) ? unnamedPage(request) : undefined;
}

/** Why a browser's request that shows no token may be an image's on another page; nothing when it is not. */
export function unnamedPage(request: Request): AccessDenied | undefined {
  return namesItsPage(request) ? undefined : {
    status: 403,
    error:
      "this browser does not say which page sends the request: use the page /admin, or codis-proxy config",
  };
}

const NO_TOKEN: AccessDenied = {
  status: 401,
  error: "the token is missing or wrong: send Authorization: Bearer <token>",
};

function notHere(what: string): AccessDenied {
  return {
    status: 403,
    error: `without a token only this machine may ${what}: set dashboard_token`,
  };
}

// -- pages --------------------------------------------------------------------------------------

function isFromElsewhere({ request, url }: IncomingRequest): boolean {
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

/** Every browser sends one of these; no page can change that for its images and forms. */
export function isBrowser(request: Request): boolean {
  return request.headers.has("sec-fetch-site") ||
    /^Mozilla\//.test(request.headers.get("user-agent") ?? "");
}

/** Whether it is known that the request is from one of our pages, or from a typed address. */
function namesItsPage(request: Request): boolean {
  return request.headers.has("origin") || request.headers.has("sec-fetch-site");
}

// -- names --------------------------------------------------------------------------------------

function checkName(
  policy: AccessPolicy,
  { request, url }: IncomingRequest,
): AccessDenied | undefined {
  const names = [url.hostname, hostnameIn(request.headers.get("host"))];
  const wrong = names.find((name) => name !== undefined && !isOwnName(policy, name));
  return wrong === undefined ? undefined : {
    status: 403,
    error:
      `"${wrong}" is not a name of this machine: use its address, or add the name to http_names`,
  };
}

function hostnameIn(host: string | null): string | undefined {
  return host === null ? undefined : URL.parse(`http://${host}`)?.hostname ?? host;
}

function isOwnName(policy: AccessPolicy, hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  const isAddress = /^\[.*\]$|^\d+\.\d+\.\d+\.\d+$/.test(name);
  return isAddress || name === "localhost" || policy.hostnames.includes(name);
}

// -- machines -----------------------------------------------------------------------------------

/** Whether a request comes from this machine, and was not forwarded by a server on it. */
function isThisMachine({ request, remote }: IncomingRequest): boolean {
  if (FORWARDED.some((name) => request.headers.has(name))) return false;
  const address = remote.replace(/^::ffff:/, "");
  if (isLoopback(address)) return true;
  try {
    return Deno.networkInterfaces().some((each) => each.address === address);
  } catch {
    return false; // no descriptor is left to ask by
  }
}

/** The address that a server on this machine says it got a request from; `undefined`: none says so. */
export function lastForwarded({ request, remote }: IncomingRequest): string | undefined {
  if (!isLoopback(remote)) return undefined;
  return request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() ??
    request.headers.get("x-real-ip") ?? undefined;
}

/** What a server in front of us adds. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip"];

// -- the token ----------------------------------------------------------------------------------

/** The token that a request carries; `undefined`: none. */
export function bearerIn(request: Request): string | undefined {
  return /^Bearer (.*)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

/** Whether a request carries this token. */
export function isToken(token: Secret, request: Request): boolean {
  const given = bearerIn(request) ?? "";
  // Programs write letters like "é" into a header as one byte, as browsers do, or as UTF-8, as shells do.
  const typed = new TextDecoder().decode(Uint8Array.from(given, (char) => char.charCodeAt(0)));
  return [given, typed].map((each) => isOneOfSecrets(each, token.revealAll())).includes(true);
}
