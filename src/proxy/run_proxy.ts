/**
 * The proxy as the command runs it: started, and ended by signals.
 *
 * @module
 */

import { logger, reopenLog } from "../base/log.ts";
import { ProcessSignals } from "../base/process_signals.ts";
import { Systemd } from "../base/systemd.ts";
import { startProxy } from "./proxy.ts";
import type { ProxyStart, RunningProxy } from "./proxy_start.ts";

const log = logger("proxy");

/**
 * Runs a proxy until it is stopped.
 *
 * @returns The exit code: 0 after a clean stop.
 * @throws {Error} When it cannot be started; see {@linkcode startProxy}.
 */
export async function runProxy(start: ProxyStart): Promise<number> {
  // From the first moment on: a signal during the start ends the start in order.
  using signals = new ProcessSignals();
  using systemd = new Systemd();
  signals.stopping.addEventListener("abort", () => systemd.stopping("letting clients go"));
  const starting = startUnless(signals.stopping, { ...start, hurry: signals.hurry });
  signals.onLogsMoved("open the log again", reopenLog);
  signals.onLogsMoved("open access_log again", () => {
    // Not waited for: a start may take long.
    starting.then((proxy) => proxy?.reopenAccessLog(), () => {});
  });
  signals.onHangUp("reload", async () => {
    await starting;
    await start.running?.reload("SIGHUP").catch(() => {}); // it is in the log
  });
  const proxy = await starting;
  proxy?.serving.then(() => systemd.ready("serving"), () => {});
  await proxy?.stopped;
  return 0;
}

/** Starts a proxy; none when it was stopped before it could. */
async function startUnless(
  signal: AbortSignal,
  start: ProxyStart,
): Promise<RunningProxy | undefined> {
  try {
    return await startProxy({ ...start, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    log.info("stopping during the start: {reason}", { reason: signal.reason });
    log.debug("the start ended with {error}", { error });
    return undefined;
  }
}
