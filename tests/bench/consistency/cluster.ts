/**
 * The cluster under test, of real processes: groups of servers, proxies, dashboards, and the coordinator.
 * All groups, or the first few, own the slots at the beginning.
 *
 * @module
 */

import type { ClusterView } from "../../../src/api/cluster_view.ts";
import { CodisServer } from "../../support/codis_server.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import type { Place } from "../../support/place.ts";
import { configText, ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import type { DaemonServer } from "../../support/daemon_server.ts";
import { EtcdServer } from "../../support/etcd_server.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { ZookeeperServer } from "../../support/zookeeper_server.ts";

/** The coordinators, by their words in config.ini. */
export const COORDINATORS = ["embedded", "zookeeper", "etcd"] as const;

/** One of {@linkcode COORDINATORS}. */
export type CoordinatorKind = typeof COORDINATORS[number];

/** What the cluster is made of. */
export interface ClusterOptions {
  readonly proxies: number;
  /** Workers of each proxy. */
  readonly cpu: number;
  readonly backend: "stock" | "codis";
  readonly coordinator: CoordinatorKind;
  /** Whether servers keep on disk what they have acknowledged: they are going to be killed. */
  readonly isDurable: boolean;
  /** @default GROUPS */
  readonly groups?: number;
  /** Groups that own slots at the beginning. @default half of them */
  readonly owners?: number;
  /** Replicas of each group. @default 0 */
  readonly replicas?: number;
  /** All but the first one stand by. @default 1 */
  readonly dashboards?: number;
  /** Further lines of config.ini, for proxies and dashboards. */
  readonly config?: Readonly<Record<string, string | number>>;
  /** Whether the writes that only a former master has are kept, beside the logs. */
  readonly keepsLost?: boolean;
  /** Further words of every server's command line. */
  readonly serverArgs?: readonly string[];
  /** Where `coordinator`, `dashboard 1`, `proxy 1`, `server 1`, … run; servers are counted over all groups. */
  readonly placeOf?: (name: string) => Place;
}

export const SLOTS = 1024;
/** Groups 1 to this. */
export const GROUPS = 4;
const DURABLE = ["--appendonly", "yes", "--appendfsync", "always"];
/** Sessions with ZooKeeper or etcd end soon: what a killed process leaves is waited for. */
const SESSION_MS = 4_000;
/** How long a proxy may take until it is online, in milliseconds. */
const PROXY_START_MS = 60_000;
/** How long a request may take that the dashboard answers at once, in milliseconds. */
const ASK_MS = 60_000;
/** How long the product may take to move to another store, with all tries, in milliseconds. */
const MOVE_MS = 120_000;
/** What a dashboard answers that does not lead. */
const STANDS_BY = 503;

/** See the header. */
export class Cluster implements AsyncDisposable {
  readonly options: ClusterOptions;
  /** The first masters of group 1, 2, …; then their replicas, group by group. */
  readonly servers: (RedisServer | CodisServer)[] = [];
  readonly proxies: ProxyProcess[] = [];
  /** Where proxies and dashboard log to. */
  readonly logs: string;
  /** Only where it is a server of its own. */
  coordinator: DaemonServer & { readonly addr: string } | undefined;
  readonly dashboards: DashboardProcess[] = [];
  #leader = 0;
  /** The config files of the store that the product is in, and of the one that it moves to next. */
  #stores: readonly [here: string, next: string] = ["", ""];
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
    const { backend, coordinator, cpu, dashboards = 1, isDurable, proxies, placeOf } = this.options;
    const { groups = GROUPS, replicas = 0, serverArgs = [] } = this.options;
    const start = backend === "codis" ? CodisServer.start : RedisServer.start;
    for (let i = 1; i <= groups * (1 + replicas); i++) {
      const args = [...isDurable ? DURABLE : [], ...serverArgs];
      const server = await start({ args, place: placeOf?.(`server ${i}`) });
      this.servers.push(this.#owned.use(server));
    }
    // With a remote coordinator even a dashboard's config must name a proxy.
    const config: Record<string, string | number> = {
      ...{ coordinator, proxy_id: "dashboard", ...this.options.config },
      ...this.options.keepsLost ? { failover_lost_writes_dir: this.logs } : {},
    };
    if (coordinator !== "embedded") {
      this.coordinator = this.#owned.use(
        coordinator === "etcd"
          ? await EtcdServer.start()
          : await ZookeeperServer.start(placeOf?.("coordinator")),
      );
      config["zk"] = this.coordinator.addr;
      config["zk_session_timeout"] = SESSION_MS;
    } else {
      const folder = await Deno.makeTempDir({ prefix: "codis-store-" });
      this.#owned.defer(() => Deno.remove(folder, { recursive: true }));
      config["embedded_dir"] = folder;
    }
    this.#stores = [`${this.logs}/first.ini`, `${this.logs}/second.ini`];
    const second = { coordinator: "embedded", embedded_dir: `${this.logs}/second` };
    await Deno.writeTextFile(this.#stores[0], configText(config));
    await Deno.writeTextFile(this.#stores[1], configText(second));
    for (let i = 1; i <= dashboards; i++) {
      const words = ["-L", `${this.logs}/dashboard_${i}`];
      const place = placeOf?.(`dashboard ${i}`);
      this.dashboards.push(
        this.#owned.use(await DashboardProcess.start(config, words, place)),
      );
    }
    await this.#fillStore();
    for (let i = 1; i <= proxies; i++) {
      const proxy = await ProxyProcess.start({
        config: { ...config, proxy_id: `proxy_${i}`, dashboard_addr: this.dashboard.addr },
        args: ["-L", `${this.logs}/proxy_${i}`],
        cpu,
        place: placeOf?.(`proxy ${i}`),
        startTimeoutMs: PROXY_START_MS,
      });
      this.proxies.push(this.#owned.use(proxy));
    }
    await until(() => this.isWell());
  }

  async #fillStore(): Promise<void> {
    await this.change("POST", "/api/slots/init?is_force=1");
    const { groups = GROUPS, owners = groups / 2, replicas = 0 } = this.options;
    for (const [i, { addr }] of this.servers.entries()) {
      const groupId = i < groups ? i + 1 : Math.floor((i - groups) / replicas) + 1;
      const type = i < groups ? "master" : "slave";
      await this.change("PUT", `/api/server_group/${groupId}/addServer`, { type, addr });
    }
    for (let new_group = 1; new_group <= owners; new_group++) {
      const from = Math.floor(SLOTS * (new_group - 1) / owners);
      const to = Math.floor(SLOTS * new_group / owners) - 1;
      await this.change("POST", "/api/slot", { from, to, new_group, status: "online" });
    }
  }

  /** The dashboard that led when it was asked last. */
  get dashboard(): DashboardProcess {
    return this.dashboards[this.#leader]!;
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
    let failed: unknown;
    for (let tries = 0; tries < this.dashboards.length; tries++) {
      try {
        const response = await fetch(this.dashboard.url(path), {
          method,
          headers: { "content-type": "application/json" },
          body: body === undefined ? null : JSON.stringify(body),
          signal: AbortSignal.timeout(ASK_MS),
        });
        const answer = { status: response.status, text: await response.text() };
        if (answer.status !== STANDS_BY || this.dashboards.length === 1) return answer;
        failed = new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      } catch (error) {
        failed = error;
      }
      this.#leader = (this.#leader + 1) % this.dashboards.length;
    }
    throw failed;
  }

  /** The cluster as the dashboard shows it; throws when it cannot be asked. */
  async view(): Promise<ClusterView> {
    return await this.ask("/api/cluster") as ClusterView;
  }

  /** What the dashboard answers; throws when it cannot be asked. */
  async ask(path: string): Promise<unknown> {
    const { status, text } = await this.#ask("GET", path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
    return JSON.parse(text);
  }

  /**
   * Moves the product to another store, or back from there, however often that must be tried.
   *
   * @returns What the tries said that have failed.
   */
  async moveStore(): Promise<string[]> {
    const [here, next] = this.#stores;
    const failures: string[] = [];
    await until(async () => {
      const child = startProgram(["config", "move", "-c", here, `--to=${next}`, "--yes"]);
      const { code } = await child.ended;
      if (code !== 0) failures.push(child.stderr.trim());
      return code === 0;
    }, MOVE_MS);
    this.#stores = [next, here];
    return failures;
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
        groups.every(({ servers }) =>
          servers.every(({ is_reachable, replication, type }) =>
            is_reachable && type !== "offline" && replication?.is_up !== false
          )
        );
    } catch {
      return false;
    }
  }

  /** The server at an address. */
  serverAt(addr: string): RedisServer | CodisServer {
    const server = this.servers.find((each) => each.addr === addr);
    if (server === undefined) throw new Error(`${addr} is none of our servers`);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  /** Removes the logs; for when nobody wants to read them. */
  async forgetLogs(): Promise<void> {
    await Deno.remove(this.logs, { recursive: true });
  }
}
