/**
 * The command `drain`: a proxy accepts no more clients and lets its own go, for when it is about to be stopped.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { delay } from "@std/async/delay";
import type { Secret } from "../base/secret.ts";
import { loadConfig } from "../config/load.ts";
import type { ListenProto } from "../io/listen.ts";
import { ownToken } from "./parts/context.ts";
import { CONFIG_FILE } from "./parts/flags.ts";
import { askProcess, documentOf, PROCESS_ADDR, processAddr } from "./parts/process_http.ts";
import { askOverTls } from "./parts/product_tls.ts";
import { type FlagValues, readValue, type Subcommand } from "./parts/subcommand.ts";

/** Time between two questions whether it is over, in milliseconds. */
const ASK_MS = 200;
/** How much longer than the config says a drain may take, in milliseconds: what is in flight is finished. */
const FINISH_MS = 15_000;

/** After which the process that was asked is taken to answer no more, where another one does, in milliseconds. */
const SILENT_MS = 3_000;

/** See the header. */
export const drainCommand: Subcommand = {
  name: "drain",
  summary: "Let the clients of a proxy on this machine go, each between two requests.",
  details:
    "The proxy says 503 at /healthz, and stops accepting clients after drain_delay. Clients in a transaction, " +
    "with WATCH or blocked have until drain_timeout. The command ends when no client is accepted any more and none is " +
    "left; the proxy runs on without clients until it is stopped.",
  flags: [CONFIG_FILE, PROCESS_ADDR],
  run: runDrain,
};

async function runDrain(values: FlagValues): Promise<number> {
  const { config, entries } = await loadConfig(readValue(values, CONFIG_FILE), "control");
  await askOverTls(config, entries);
  const addr = processAddr(values, config.proto);
  const asked = { token: ownToken() ?? config.dashboardToken, proto: config.proto };
  const { pid } = await ask(values, "POST", "/api/drain", asked);
  let heardMs = performance.now();
  const endMs = performance.now() + config.drainDelayMs + config.drainTimeoutMs + FINISH_MS;
  for (;;) {
    const health = await ask(values, "GET", "/healthz", asked);
    const { sessions } = health;
    if (health.pid === pid) {
      heardMs = performance.now();
      // Without clients, too, it accepts more until then.
      if (health.status === "drained") break;
    } else if (performance.now() - heardMs > SILENT_MS) {
      throw new Error(
        `process ${health.pid} has taken over at ${addr}, and accepts clients; process ${pid}, which was asked, ` +
          "ends by itself when its own have gone",
      );
    }
    if (performance.now() > endMs) {
      throw new Error(`${addr} has not let its clients go: ${countOf(sessions, "client")} left`);
    }
    await delay(ASK_MS);
  }
  console.log(`no client is left at ${addr}`);
  return 0;
}

/** Asks the proxy; what it says of its health is an answer, whether it is well or not. */
async function ask(
  values: FlagValues,
  method: "GET" | "POST",
  path: string,
  asked: { readonly token: Secret; readonly proto: ListenProto },
): Promise<{ status: string; sessions: number; pid: number }> {
  const answer = await askProcess(values, method, path, asked);
  const addr = processAddr(values, asked.proto);
  if (answer === undefined) {
    throw new Error(`no answer from a proxy at ${addr}: nothing listens there`);
  }
  if (answer.status === 404) throw new Error(`${addr} is no proxy that can be drained`);
  return answer.status === 503 ? JSON.parse(answer.text) : documentOf(answer);
}
