/**
 * The parts of a proxy and a dashboard that take other settings, in this process, so that a test can look where a
 * setting counts.
 *
 * @module
 */

import { Secret } from "../../../src/base/secret.ts";
import { stopLog } from "../../../src/base/log.ts";
import type { AccessPolicy } from "../../../src/api/auth.ts";
import { accessPolicy } from "../../../src/api/auth.ts";
import { askOverTls, httpIdentity } from "../../../src/cli/parts/product_tls.ts";
import { makeDashboard } from "../../../src/cli/parts/dashboard_service.ts";
import { tlsToServers } from "../../../src/cli/parts/redis_servers.ts";
import { startConfigured } from "../../../src/cli/parts/running_config.ts";
import type { ConfigOutcome, RunningConfig } from "../../../src/config/running.ts";
import type { Dashboard } from "../../../src/dashboard/dashboard.ts";
import type { TlsIdentity, TlsToServers } from "../../../src/io/tls.ts";
import { AccessLog } from "../../../src/proxy/access_log.ts";
import { ConfiguredProxy } from "../../../src/proxy/configured_proxy.ts";
import { routerOptions } from "../../../src/proxy/router_options.ts";
import { readClientTls } from "../../../src/proxy/start_plan.ts";
import { LocalPlane } from "../../../src/proxy/workers/local_plane.ts";
import { RespClient } from "../../support/resp_client.ts";
import { StoreFolder } from "../../support/store.ts";

/** What a test looks at. */
export class RunningParts implements AsyncDisposable {
  readonly folder: string;
  readonly running: RunningConfig;
  readonly plane: LocalPlane;
  readonly proxy: ConfiguredProxy;
  readonly policy: AccessPolicy;
  readonly dashboard: Dashboard;
  readonly dashboardPolicy: AccessPolicy;
  readonly serverTls: TlsToServers;
  readonly accessLog: AccessLog;
  /** Lines for the access log, as they came. */
  readonly accessLines: readonly string[];
  /** What HTTP was told to use. */
  http: TlsIdentity | undefined;
  readonly #base: string;
  readonly #store: StoreFolder;

  private constructor(
    parts: Pick<RunningParts, "folder" | "running" | "plane" | "serverTls" | "accessLines">,
    base: string,
    clientTls: TlsIdentity,
    http: TlsIdentity,
    store: StoreFolder,
    dashboard: ReturnType<typeof makeDashboard>,
  ) {
    const { running, plane, serverTls, folder, accessLines } = parts;
    const { config } = running;
    this.folder = folder;
    this.running = running;
    this.plane = plane;
    this.serverTls = serverTls;
    this.accessLines = accessLines;
    this.accessLog = AccessLog.open(config)!;
    this.#base = base;
    this.#store = store;
    this.policy = accessPolicy(config.dashboardToken, "", []);
    this.dashboard = dashboard.dashboard;
    this.dashboardPolicy = dashboard.policy;
    const address = { hostname: "127.0.0.1", port: 0 };
    this.proxy = new ConfiguredProxy({
      start: {
        config,
        running,
        listen: address,
        http: address,
        workers: 1,
        serverTls,
        httpTls: http,
      },
      ...{
        plane,
        place: { sockets: [address], proto: "tcp" },
        room: { clients: config.maxClients, handles: 0, serverHandles: true, isAll: true },
      },
      accessLog: this.accessLog,
      policy: this.policy,
      renewHttp: (identity) => void (this.http = identity),
      passwordsChanged: () => Promise.resolve(),
    }, clientTls);
    running.use(this.proxy);
  }

  /** Starts them with these lines; `FOLDER` in them is a folder of their own. */
  static async start(lines: readonly string[]): Promise<RunningParts> {
    const folder = await Deno.makeTempDir();
    const base = `${lines.join("\n")}\n`.replaceAll("FOLDER", folder);
    await Deno.writeTextFile(`${folder}/config.ini`, base);
    const running = await startConfigured({ c: `${folder}/config.ini` }, "proxy");
    const { config } = running;
    const sockets = [{ hostname: "127.0.0.1", port: 0 }, {
      ...{ hostname: "127.0.0.1", port: 0, isTls: true },
    }];
    const [clientTls, serverTls] = [await readClientTls(config), await tlsToServers(config)];
    await askOverTls(config);
    const accessLines: string[] = [];
    const plane = new LocalPlane({
      router: { ...routerOptions(config, "test", sockets), backendTls: serverTls },
      ...{ tls: clientTls, keepAliveMs: config.backendPingPeriodMs, pauseMs: Infinity },
    }, {
      onPause() {},
      changeConfig: () => Promise.resolve(""),
      writeAccessLines: (lines) => {
        accessLines.push(lines);
        return Promise.resolve(true);
      },
    });
    plane.bind({ sockets, proto: "tcp" });
    plane.accept();
    const store = await StoreFolder.make();
    const dashboard = makeDashboard(config, {
      store: await store.open(),
      ...{
        addr: "127.0.0.1:1",
        hostname: "",
        takeOver: false,
        tls: serverTls,
        webhookCa: "",
        running,
      },
    });
    dashboard.dashboard.start();
    const parts = { folder, running, plane, serverTls: serverTls!, accessLines };
    const http = await httpIdentity(config);
    return new RunningParts(parts, base, clientTls!.identity, http!, store, dashboard);
  }

  /** Reads the first lines again, and these behind them. */
  async reload(lines: readonly string[]): Promise<ConfigOutcome> {
    const text = lines.map((line) => `${line}\n`).join("").replaceAll("FOLDER", this.folder);
    await Deno.writeTextFile(`${this.folder}/config.ini`, `${this.#base}${text}`);
    return await this.running.reload("test");
  }

  /** The port for clients; of TLS ones, the other. */
  port(isTls = false): number {
    return this.plane.addresses[isTls ? 1 : 0]!.port;
  }

  client(): Promise<RespClient> {
    return RespClient.connect(this.port());
  }

  /** A secret that somebody holds from before. */
  secret(field: string): Secret {
    return (this.running.config as unknown as Record<string, Secret>)[field]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy[Symbol.dispose]();
    this.accessLog.close();
    await this.plane.close();
    await this.dashboard.stop();
    await this.#store[Symbol.asyncDispose]();
    stopLog();
    await Deno.remove(this.folder, { recursive: true });
  }
}
