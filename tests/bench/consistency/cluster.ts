/**
 * The cluster under test, of real processes: four servers in four groups, proxies, a dashboard, and the
 * coordinator. The first two groups own all slots at the beginning.
 *
 * @module
 */

import type { ClusterView } from "../../../src/api/cluster_view.ts";
import { CodisServer } from "../../support/codis_server.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ZookeeperServer } from "../../support/zookeeper_server.ts";

/** What the cluster is made of. */
export interface ClusterOptions {
  readonly proxies: number;
  /** Workers of each proxy. */
  readonly cpu: number;
  readonly backend: "stock" | "codis";
  readonly coordinator: "embedded" | "zookeeper";
  /** Whether servers keep on disk what they have acknowledged: they are going to be killed. */
  readonly isDurable: boolean;
}

export const SLOTS = 1024;
/** Groups 1 to this. */
export const GROUPS = 4;
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always"];
/** Sessions with ZooKeeper end soon: what a killed process leaves is waited for. */
const SESSION_MS = 4_000;
/** How long a proxy may take until it is online, in milliseconds. */
const PROXY_START_MS = 60_000;
/** How long a request may take that the dashboard answers at once, in milliseconds. */
const ASK_MS = 60_000;

/** See the header. */
export class Cluster implements AsyncDisposable {
  readonly options: ClusterOptions;
  /** The master of group 1, 2, … */
  readonly servers: (RedisServer | CodisServer)[] = [];
  readonly proxies: ProxyProcess[] = [];
  /** Where proxies and dashboard log to. */
  readonly logs: string;
  /** Only where it is a server of its own. */
  zookeeper: ZookeeperServer | undefined;
  #dashboard: DashboardProcess | undefined;
  readonly #owned = new AsyncDisposableStack();

  private constructor(options: ClusterOptions, logs: string) {
    this.options = options;
    this.logs = logs;
  }

  /** Starts it, and waits until every proxy is online. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options, await Deno.makeTempDir({ prefix: "codis-consistency-" }));
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { backend, coordinator, cpu, isDurable, proxies } = this.options;
    const start = backend === "codis" ? CodisServer.start : RedisServer.start;
    for (let i = 0; i < GROUPS; i++) {
      const server = await start({ args: isDurable ? DURABLE : [] });
      this.servers.push(this.#owned.use(server));
    }
    // With a remote coordinator even a dashboard's config must name a proxy.
    const config: Record<string, string | number> = { coordinator, proxy_id: "dashboard" };
    if (coordinator === "zookeeper") {
      this.zookeeper = this.#owned.use(await ZookeeperServer.start());
      config["zk"] = this.zookeeper.addr;
      config["zk_session_timeout"] = SESSION_MS;
    } else {
      const folder = await Deno.makeTempDir({ prefix: "codis-store-" });
      this.#owned.defer(() => Deno.remove(folder, { recursive: true }));
      config["embedded_dir"] = folder;
    }
    this.#dashboard = await DashboardProcess.start(config, ["-L", `${this.logs}/dashboard`]);
    this.#owned.use(this.#dashboard);
    await this.#fillStore();
    for (let i = 1; i <= proxies; i++) {
      const proxy = await ProxyProcess.start({
        config: { ...config, proxy_id: `proxy_${i}`, dashboard_addr: this.#dashboard.addr },
        args: ["-L", `${this.logs}/proxy_${i}`],
        cpu,
        startTimeoutMs: PROXY_START_MS,
      });
      this.proxies.push(this.#owned.use(proxy));
    }
    await until(() => this.isWell());
  }

  async #fillStore(): Promise<void> {
    await this.change("POST", "/api/slots/init?is_force=1");
    for (const [i, { addr }] of this.servers.entries()) {
      await this.change("PUT", `/api/server_group/${i + 1}/addServer`, { type: "master", addr });
    }
    const half = SLOTS / 2;
    for (const new_group of [1, 2]) {
      const from = (new_group - 1) * half;
      const to = from + half - 1;
      await this.change("POST", "/api/slot", { from, to, new_group, status: "online" });
    }
  }

  get dashboard(): DashboardProcess {
    if (this.#dashboard === undefined) throw new Error("the dashboard was never started");
    return this.#dashboard;
  }

  /** A port that may or may not be a proxy's now. */
  get ports(): readonly number[] {
    return this.proxies.map(({ port }) => port);
  }

  /**
   * Asks the dashboard for a change.
   *
   * @throws {Error} When it refuses, or cannot be reached.
   */
  async change(method: string, path: string, body?: unknown): Promise<void> {
    const { status, text } = await this.#ask(method, path, body);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
  }

  async #ask(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(this.dashboard.url(path), {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ASK_MS),
    });
    return { status: response.status, text: await response.text() };
  }

  /** The cluster as the dashboard shows it; throws when it cannot be asked. */
  async view(): Promise<ClusterView> {
    const { status, text } = await this.#ask("GET", "/api/cluster");
    if (status !== 200) throw new Error(`GET /api/cluster: ${status} ${text}`);
    return JSON.parse(text);
  }

  /** What `GET /api/check` finds wrong. */
  async problems(): Promise<string[]> {
    const { text } = await this.#ask("GET", "/api/check");
    return JSON.parse(text).problems.map((problem: unknown) => JSON.stringify(problem));
  }

  /** Whether everything runs that should, and the dashboard sees it so. */
  async isWell(): Promise<boolean> {
    try {
      const { proxies, dead_fences, groups } = await this.view();
      return dead_fences.length === 0 && proxies.length === this.proxies.length &&
        proxies.every(({ state, is_reachable }) => state === "online" && is_reachable) &&
        groups.every(({ servers }) => servers.every((server) => server.is_reachable));
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  /** Removes the logs; for when nobody wants to read them. */
  async forgetLogs(): Promise<void> {
    await Deno.remove(this.logs, { recursive: true });
  }
}
