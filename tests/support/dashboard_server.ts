/**
 * A dashboard in this process, behind a real port: `await using dashboard = await
 * DashboardServer.start(store)`.
 *
 * @module
 */

import { accessPolicy } from "../../src/api/auth.ts";
import type { ClusterView } from "../../src/api/cluster_view.ts";
import { Secret } from "../../src/base/secret.ts";
import { Dashboard } from "../../src/dashboard/dashboard.ts";
import type { DashboardOptions } from "../../src/dashboard/dashboard_options.ts";
import type { HttpServer } from "../../src/io/http_server.ts";
import type { RedisConnection } from "../../src/redis/connection.ts";
import { serveDashboard } from "../../src/dashboard/server.ts";
import type { Store } from "../../src/store/store.ts";
import { tellsThatItLeads } from "./cluster_view.ts";
import { until } from "./deadline.ts";
import { freePort } from "./free_port.ts";

/** How a dashboard is started. */
export interface DashboardServerOptions extends Partial<Omit<DashboardOptions, "store">> {
  readonly token?: string;
  /** By which address it reaches a server, where it is not the server's own. */
  readonly via?: (addr: string) => string;
  /** Longest time that a server may take to reply, in milliseconds, where it is shorter than usual. */
  readonly replyMs?: number;
  /** Whether to wait until it leads. @default true */
  readonly waitsForLead?: boolean;
}

/** What the dashboard answered. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  // deno-lint-ignore no-explicit-any -- what a test looks for differs from answer to answer
  readonly json: any;
}

/** A dashboard that reaches servers by other addresses than their own, or gives them less time. */
class RelayedDashboard extends Dashboard {
  readonly #via: (addr: string) => string;

  readonly #replyMs: number | undefined;

  constructor(
    { via = (addr) => addr, replyMs }: DashboardServerOptions,
    options: DashboardOptions,
  ) {
    super(options);
    this.#via = via;
    this.#replyMs = replyMs;
  }

  override redis(addr: string, replyMs = this.#replyMs): Promise<RedisConnection> {
    return super.redis(this.#via(addr), replyMs);
  }
}

/** A dashboard and its endpoint. */
export class DashboardServer implements AsyncDisposable {
  readonly dashboard: Dashboard;
  /** `host:port`. */
  readonly addr: string;
  readonly #server: HttpServer;

  private constructor(store: Store, options: DashboardServerOptions) {
    const port = freePort();
    this.addr = `127.0.0.1:${port}`;
    this.dashboard = new RelayedDashboard(options, {
      store,
      coordinator: "embedded",
      addr: this.addr,
      version: "test",
      auth: { user: "", password: new Secret("") },
      dialMs: 1000,
      failover: "off",
      failoverAfterMs: 2000,
      needsToken: options.token !== undefined,
      takeOver: false,
      ...options,
    });
    const policy = accessPolicy(new Secret(options.token ?? ""), "", []);
    const place = { hostnames: ["127.0.0.1"], port, connectionsMax: 64 };
    this.#server = serveDashboard(this.dashboard, policy, place, () => {});
    this.dashboard.start();
  }

  /** Starts one, by default without token and failover. */
  static async start(
    store: Store,
    options: DashboardServerOptions = {},
  ): Promise<DashboardServer> {
    const server = new DashboardServer(store, options);
    if (options.waitsForLead !== false) {
      await until(() => server.dashboard.isLeading);
      await server.leads();
    }
    return server;
  }

  /** Waits until it leads and has finished what others began. */
  async leads(): Promise<void> {
    await until(async () => {
      const { status, json } = await this.get("/api/cluster");
      return status === 200 && tellsThatItLeads(json);
    });
  }

  /** Sends a request. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`http://${this.addr}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, text, json };
  }

  /** Sends a GET. */
  get(path: string): Promise<Answer> {
    return this.ask("GET", path);
  }

  /** Sends a request that must be answered with OK. */
  async done(method: string, path: string, body?: unknown): Promise<void> {
    const { status, text } = await this.ask(method, path, body);
    if (status !== 200 || text !== '{"msg":"OK","ret":0}') {
      throw new Error(`${method} ${path}: ${status} ${text}`);
    }
  }

  /** Waits until the dashboard has seen that a replica is linked to a master. */
  async seesLinked(addr: string, master: string): Promise<void> {
    await until(async () => {
      const { groups }: ClusterView = (await this.get("/api/cluster")).json;
      const found = groups.flatMap(({ servers }) => servers).find((each) => each.addr === addr);
      return found?.replication?.is_up === true && found.replication.master === master;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.dashboard.stop();
  }
}
