/**
 * The command `dashboard`: the control plane as a process of its own.
 *
 * @module
 */

import { type Address, formatAddress, parseAddress, parseListenAddress } from "../base/address.ts";
import { checkDescriptors, countFreeDescriptors } from "../base/free_descriptors.ts";
import { logEnd, logger, reopenLog, stopLog } from "../base/log.ts";
import { productUrl } from "../api/product_http.ts";
import { ProcessSignals } from "../base/process_signals.ts";
import type { Config } from "../config/config.ts";
import type { RunningConfig } from "../config/running.ts";
import { backendTlsFiles, httpTlsFiles } from "../config/tls.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { etcd2Problem } from "../store/etcd2.ts";
import { httpConnectionsOf } from "../io/descriptors.ts";
import { dial } from "../io/dial.ts";
import { LOOPBACK } from "../io/listen.ts";
import type { TlsToServers } from "../io/tls.ts";
import { type TlsSide, WatchedTls } from "../proxy/watched_tls.ts";
import { type FollowedStoreOptions, openFollowed } from "../store/follow_move.ts";
import { storeOf } from "../store/store.ts";
import {
  type Flag,
  type FlagValues,
  readFlag,
  readValue,
  type Subcommand,
} from "./parts/subcommand.ts";
import { webhookAuthority } from "./parts/attached_dashboard.ts";
import { filesOfNextStart } from "./parts/config_files.ts";
import { askOverTls, httpIdentity, warnOfForeignCertificate } from "./parts/product_tls.ts";
import { tlsToServers } from "./parts/redis_servers.ts";
import { CONFIG_FILE, LOG_FILE, SERVING_LOG_LEVEL } from "./parts/flags.ts";
import { startConfigured } from "./parts/running_config.ts";
import { announcedAddress } from "./dashboard/announced_address.ts";
import { RequestLog } from "./dashboard/request_log.ts";

/**
 * Free descriptors without which a dashboard answers nobody: its listeners, a connection for HTTP, and those to the
 * coordinator for its lease, its watches and its calls.
 */
const DESCRIPTORS_LEAST = 12;
/** Free descriptors beyond this number are not counted: they make no difference. */
const DESCRIPTORS_COUNTED = 2_048;

/** How long `dashboard_addr` may take to answer this dashboard, in milliseconds. */
const REACH_MS = 1_000;

/** Longest session of a dashboard, in milliseconds; Codis 2.0's lasts 4 s. */
const SESSION_MS_MAX = 6_000;

/** Where several dashboards share dashboard_addr, which then leads to one of them. */
const ANNOUNCED: Flag<Address | undefined> = {
  name: "announce-addr",
  value: "host:port",
  default: "",
  help:
    "address at which this dashboard is reached while it leads; without this flag: dashboard_addr, or --addr " +
    "if that names another one",
  parse: (text) => text === "" ? undefined : parseAddress(text),
};

/** See the header. */
export const dashboardCommand: Subcommand = {
  name: "dashboard",
  summary: "Serve the control plane: the API and the web page.",
  details:
    "Several dashboards can run for one product. One leads; the others stand by and take over when " +
    "it stops.\nWithout dashboard_token, a dashboard listens on 127.0.0.1 and [::1] only, unless " +
    "--addr names a host.",
  flags: [
    CONFIG_FILE,
    { name: "addr", value: "host:port", default: ":18087", help: "address for HTTP" },
    ANNOUNCED,
    {
      name: "http-log",
      value: "file",
      default: "",
      isFile: true,
      help: "write a line for every HTTP request to this file",
    },
    LOG_FILE,
    SERVING_LOG_LEVEL,
    {
      name: "take-over",
      value: "",
      default: "",
      help: "remove the record that a crashed Codis 2.0 dashboard left in the store",
    },
  ],
  run: runDashboard,
};

async function runDashboard(values: FlagValues): Promise<number> {
  const asked = readFlag(values, "addr", parseListenAddress);
  readValue(values, ANNOUNCED);
  const running = await startConfigured(values, "control");
  try {
    return await serveUntilStopped(values, asked, running);
  } catch (error) {
    const placed = running.placed(error);
    logEnd(placed);
    throw placed;
  } finally {
    stopLog();
  }
}

async function serveUntilStopped(
  values: FlagValues,
  asked: Address,
  running: RunningConfig,
): Promise<number> {
  const log = logger("dashboard");
  const { config } = running;
  await using undo = new AsyncDisposableStack();
  // Before anything else: a signal during the start must stop the start cleanly.
  const signals = undo.use(new ProcessSignals());
  const { stopping } = signals;
  signals.onLogsMoved("open the log again", reopenLog);
  signals.onHangUp("reload", async () => {
    await running.reload("SIGHUP").catch(() => {}); // it is in the log
  });
  const requests = undo.adopt(
    await RequestLog.open(values["http-log"]!),
    (opened) => opened.close(),
  );
  signals.onLogsMoved("open --http-log again", () => requests.reopen());
  // The next dashboard can lead once this session has ended, so it must end soon.
  const opened = await openUnless(stopping, { config, running, sessionMsMax: SESSION_MS_MAX });
  if (opened === undefined) return 0;
  const coordinator = undo.adopt(opened, (coordinator) => coordinator.close());
  await askOverTls(config);
  const [serverTls, httpTls] = [await tlsToServers(config), await httpIdentity(config)];
  await warnOfForeignCertificate(config);
  // Other commands need not wait until all of it is loaded.
  const { makeDashboard } = await import("./parts/dashboard_service.ts");
  const { serveDashboard } = await import("../dashboard/server.ts");
  const { dashboard, policy } = makeDashboard(config, {
    store: storeOf(coordinator, config.product),
    addr: formatAddress(readValue(values, ANNOUNCED) ?? announcedAddress(asked, config)),
    hostname: asked.hostname,
    takeOver: values["take-over"] !== "",
    ...{ tls: serverTls, webhookCa: await webhookAuthority(config), running },
  });
  const elsewhere = await etcd2Problem(config, coordinator);
  if (elsewhere !== undefined) {
    dashboard.report("warning", `${elsewhere.problem}: ${elsewhere.fix}`);
  }
  const place = { ...listenPlace(config, asked), tls: httpTls };
  const server = serveDashboard(dashboard, policy, place, (line) => requests.write(line));
  const tls = new WatchedTls(config, [
    sideToServers(config, serverTls),
    { filesOf: httpTlsFiles, first: httpTls, renew: (identity) => server.renewTls(identity) },
  ]);
  running.use(undo.use(tls));
  running.use(filesOfNextStart(false));
  undo.defer(async () => {
    await dashboard.stop();
    await server.shutdown();
  });
  dashboard.start();
  log.info("dashboard of {product} on {url}", {
    product: config.product,
    url: productUrl(formatAddress(server.addr)),
  });
  whyNotFound(config, server.addr).then((why) => {
    if (why !== undefined) dashboard.report("warning", why);
  });
  await new Promise<void>((resolve) => {
    if (stopping.aborted) resolve();
    stopping.addEventListener("abort", () => resolve());
  });
  log.info("stopping: {reason}", { reason: stopping.reason });
  return 0;
}

function sideToServers(config: Config, tls: TlsToServers | undefined): TlsSide {
  return {
    filesOf: backendTlsFiles,
    ...{ first: tls?.identity, key: "backend_tls_server_name" },
    renew: (identity) => Object.assign(tls!, { identity, serverName: config.backendTlsServerName }),
  };
}

/** Opens the coordinator; `undefined` when a signal stopped the dashboard first. */
async function openUnless(
  signal: AbortSignal,
  options: FollowedStoreOptions,
): Promise<Coordinator | undefined> {
  try {
    return await openFollowed({ ...options, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    const log = logger("dashboard");
    log.info("stopping during the start: {reason}", { reason: signal.reason });
    return undefined;
  }
}

/**
 * Why proxies and config commands will not find this dashboard: `dashboard_addr` names another port, or an
 * address that only a dashboard with a host in `--addr` listens on. `undefined`: they will find it.
 */
async function whyNotFound({ dashboardAddr }: Config, here: Address): Promise<string | undefined> {
  if (dashboardAddr === undefined) return undefined;
  const addr = formatAddress(dashboardAddr);
  try {
    (await dial(dashboardAddr.hostname, dashboardAddr.port, REACH_MS)).close();
    return undefined;
  } catch (error) {
    const listens = formatAddress(here);
    return `dashboard_addr ${addr} does not answer (${
      (error as Error).message
    }): proxies and config ` +
      `commands look for the dashboard there, but this one listens on ${listens}; start it with ` +
      `--addr=${addr}, or change dashboard_addr`;
  }
}

/**
 * The addresses to listen on, and how many connections the free descriptors allow.
 *
 * @throws {Error} When they are too few.
 */
function listenPlace(config: Config, asked: Address) {
  const free = countFreeDescriptors(DESCRIPTORS_COUNTED);
  checkDescriptors(free, DESCRIPTORS_LEAST, "a dashboard needs");
  return {
    hostnames: hostnamesOf(config, asked),
    port: asked.port,
    proto: config.proto,
    connectionsMax: httpConnectionsOf(free),
  };
}

/** Without a token and without a host in `--addr`, only this machine can connect. */
function hostnamesOf(config: Config, asked: Address): readonly string[] {
  if (asked.hostname !== "" || config.dashboardToken.isSet) return [asked.hostname];
  return LOOPBACK[config.proto];
}
