/**
 * Requests to a process of ours that runs: a proxy, or a dashboard.
 *
 * @module
 */

import { UNAUTHORIZED } from "../../api/dashboard_errors.ts";
import { productFetch, productUrl } from "../../api/product_http.ts";
import {
  type Address,
  formatAddress,
  isLoopback,
  parseAddress,
  parseListenAddress,
  reachableHere,
} from "../../base/address.ts";
import type { Secret } from "../../base/secret.ts";
import type { ListenProto } from "../../io/listen.ts";
import { causeOfFetch } from "../../control/proxies.ts";
import { type Flag, type FlagValues, readValue } from "./subcommand.ts";

/** Longest time that an answer may take, in milliseconds; a reload reads files and tells all workers. */
const ANSWER_MS = 20_000;

/** Where the process listens for HTTP. */
export const PROCESS_ADDR: Flag<Address> = {
  name: "http-addr",
  value: "host:port",
  default: ":9001",
  help: "HTTP address of the process: a proxy's --http-addr, or a dashboard's --addr",
  parse: parseListenAddress,
};

/** What a process has answered. */
export interface ProcessAnswer {
  /** The URL that was asked, for messages. */
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

/**
 * Where to ask it: on this machine, where it listens on every interface.
 *
 * @param proto By which IP versions it does.
 */
export function processAddr(values: FlagValues, proto: ListenProto): string {
  const address = readValue(values, PROCESS_ADDR);
  const isOnly6 = address.hostname === "" && proto === "tcp6";
  return formatAddress(isOnly6 ? { ...address, hostname: "::1" } : reachableHere(address));
}

/**
 * Asks a process.
 *
 * @returns Its answer; `undefined`: nothing listens there.
 * @throws {Error} When something does, and does not answer in time.
 */
export async function askProcess(
  values: FlagValues,
  method: "GET" | "POST",
  path: string,
  { token, proto }: { readonly token: Secret; readonly proto: ListenProto },
): Promise<ProcessAnswer | undefined> {
  const addr = processAddr(values, proto);
  const url = productUrl(addr, path);
  const headers = token.isSet ? { authorization: `Bearer ${token.reveal()}` } : {};
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await productFetch(addr, path, {
      method,
      headers: { "user-agent": "codis-proxy cli", ...headers },
      signal,
    });
    return { url, status: response.status, text: await response.text() };
  } catch (error) {
    const cause = causeOfFetch(error);
    if (/refused/i.test(cause)) return undefined;
    // This machine has no such address, as one with IPv6 alone has no 127.0.0.1.
    if (isLoopback(parseAddress(addr).hostname) && /unreachable/i.test(cause)) return undefined;
    throw new Error(`${url}: ${cause}`);
  }
}

/**
 * The document of an answer.
 *
 * @throws {Error} When the process has refused; the message is its reason.
 */
export function documentOf<T>({ url, status, text }: ProcessAnswer): T {
  if (status >= 200 && status < 300) return JSON.parse(text) as T;
  const hint = status === UNAUTHORIZED
    ? ": give the token of the process as dashboard_token in the config file, or in CODIS_DASHBOARD_TOKEN"
    : "";
  throw new Error(`${url}: ${reasonIn(text)}${hint}`);
}

function reasonIn(text: string): string {
  try {
    return String(JSON.parse(text).error ?? text);
  } catch {
    return text.trim();
  }
}
