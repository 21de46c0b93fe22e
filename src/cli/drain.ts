/**
 * The command `drain`: a proxy accepts no more clients and lets its own go, for when it is about to be stopped.
 *
 * @module
 */

import { type Address, formatAddress, parseListenAddress } from "../base/address.ts";
import { productFetch } from "../api/product_http.ts";
import { delay } from "@std/async/delay";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { CONFIG_FILE } from "./parts/flags.ts";
import { askOverTls } from "./parts/product_tls.ts";
import { type FlagValues, readFlag, type Subcommand } from "./parts/subcommand.ts";
import { countOf } from "./parts/table.ts";

/** Time between two questions how many clients are left, in milliseconds. */
const ASK_MS = 200;
/** Longest time that one answer may take, in milliseconds. */
const ANSWER_MS = 10_000;
/** How much longer than the config says a drain may take, in milliseconds: what is in flight is finished. */
const FINISH_MS = 15_000;

/** See the header. */
export const drainCommand: Subcommand = {
  name: "drain",
  summary: "Let the clients of a proxy on this machine go, each between two requests.",
  details:
    "The proxy says 503 at /healthz, and stops accepting clients after drain_delay. Clients in a transaction, " +
    "blocked or subscribed have until drain_timeout. The command ends when no client is left; the proxy runs on " +
    "without clients until it is stopped.",
  flags: [
    CONFIG_FILE,
    { name: "http-addr", value: "host:port", default: ":9001", help: "its address for HTTP" },
  ],
  run: runDrain,
};

async function runDrain(values: FlagValues): Promise<number> {
  const http = readFlag(values, "http-addr", parseListenAddress);
  const { config } = await loadConfig(values[CONFIG_FILE.name]!);
  await askOverTls(config);
  const addr = formatAddress(reachable(http));
  await ask(config, addr, "/api/drain", "POST");
  const endMs = performance.now() + config.drainDelayMs + config.drainTimeoutMs + FINISH_MS;
  for (;;) {
    const { sessions } = await ask(config, addr, "/healthz", "GET");
    if (sessions === 0) break;
    if (performance.now() > endMs) {
      throw new Error(`${countOf(sessions, "client")} are left at ${addr}`);
    }
    await delay(ASK_MS);
  }
  console.log(`no client is left at ${addr}`);
  return 0;
}

/** This machine, where a proxy listens on every interface. */
function reachable({ hostname, port }: Address): Address {
  return { hostname: ["", "0.0.0.0", "::"].includes(hostname) ? "127.0.0.1" : hostname, port };
}

async function ask(
  { dashboardToken }: Config,
  addr: string,
  path: string,
  method: string,
): Promise<{ sessions: number }> {
  const headers: Record<string, string> = dashboardToken.isSet
    ? { authorization: `Bearer ${dashboardToken.reveal()}` }
    : {};
  const signal = AbortSignal.timeout(ANSWER_MS);
  let response: Response;
  try {
    response = await productFetch(addr, path, { method, headers, signal });
  } catch (error) {
    throw new Error(`no answer from a proxy at ${addr}: ${(error as Error).message}`);
  }
  const text = await response.text();
  if (response.status === 401 || response.status === 403) {
    throw new Error(`${addr}: ${text.trim()}`);
  }
  if (response.status === 404) throw new Error(`${addr} is no proxy that can be drained`);
  return JSON.parse(text);
}
