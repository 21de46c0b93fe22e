/**
 * The dashboard's page in front of a made-up cluster: tells what the page asks for, and answers as it
 * is told to.
 *
 * @module
 */

import type { ClusterView, FiguresSpan, FiguresView } from "../../src/api/cluster_view.ts";
import { SPANS } from "../../src/monitor/figure_ring.ts";
import type { ConfigView } from "../../src/config/config_view.ts";
import type { ProxyDetail, ServerDetail } from "../../src/api/detail_view.ts";
import type { ProductsAnswer } from "../../src/api/products_view.ts";
import type { ClientsAnswer } from "../../src/api/proxy_clients.ts";
import type { EventsAnswer } from "../../src/api/answers.ts";
import type { SlowRequestEntry } from "../../src/api/slow_log.ts";
import type { OutageEvent } from "../../src/model/outage_event.ts";
import { pageResponse } from "../../src/dashboard/page.ts";
import { madeUpCluster } from "./made_up_cluster.ts";

/** A request that would have changed something. */
export interface AskedFor {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** Parsed JSON; null: there was none. */
  readonly body: unknown;
}

/** An answer other than OK. */
export interface Answer {
  readonly status: number;
  readonly body: string | Record<string, unknown>;
}

/** The server; `await using server = new PageServer()`. */
export class PageServer implements AsyncDisposable {
  /** Where it is, without a slash at the end. */
  readonly url: string;
  /** What was asked for and not yet taken, in order. */
  readonly asked: AskedFor[] = [];
  /** Every address that was asked, with its query. */
  readonly addresses: string[] = [];
  /** How changes are answered, one after the other; nothing left: OK. */
  readonly answers: Answer[] = [];
  /** The token that changes need; null: none. */
  token: string | null = null;
  /** Whether the view needs it, too, as it does from another machine. */
  isTokenForReading = false;
  /** What was out, and is. */
  events: EventsAnswer = madeUpEvents(madeUpCluster(0).at);
  /** How many products share its coordinator. */
  productCount = 1;
  /** What there is of the made-up cluster. */
  shown: (view: ClusterView) => ClusterView = (view) => view;
  /** Makes the view something else. */
  edit: (view: ClusterView) => ClusterView = (view) => view;
  /** How the page is answered when it asks for the view; null: with it. */
  refusal: Answer | null = null;
  /** Whether whoever asks is cut off. */
  isDown = false;
  /** The second that the cluster is in. */
  second = 0;
  /** Whether time goes on there. */
  isRunning = true;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, onError: () => new Response(null) },
      (request) => this.#answer(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
    this.#timer = setInterval(() => {
      if (this.isRunning) this.second++;
    }, 1000);
  }

  /** The cluster of a second: it is asked for several times in one, and takes long to make up. */
  #madeUp = { second: NaN, view: madeUpCluster(0) };

  /** The view as it is served now. */
  view(): ClusterView {
    if (this.#madeUp.second !== this.second) {
      this.#madeUp = { second: this.second, view: madeUpCluster(this.second) };
    }
    const view = this.shown(this.#madeUp.view);
    const dashboard = { ...view.dashboard, needs_token: this.token !== null };
    return this.edit({ ...view, dashboard });
  }

  /** Whoever shows the token, or needs none, may do everything. */
  #you(isAllowed: boolean): ClusterView["you"] {
    if (this.token === null) return { name: "this machine", role: "admin", kind: "place" };
    return isAllowed
      ? { name: "dashboard_token", role: "admin", kind: "token" }
      : { name: "this machine", role: "viewer", kind: "place" };
  }

  /** What was asked for since this was last looked at. */
  takeAsked(): AskedFor[] {
    return this.asked.splice(0);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    this.addresses.push(`${pathname}${search}`);
    const page = pageResponse(request);
    if (page !== undefined) return page;
    if (this.isDown) return cutOff();
    const given = request.headers.get("authorization");
    const isAllowed = this.token === null || given === `Bearer ${this.token}`;
    if (pathname === "/api/cluster" && (isAllowed || (given === null && !this.isTokenForReading))) {
      if (this.refusal !== null) return answered(this.refusal);
      return Response.json({ ...this.view(), you: this.#you(isAllowed) });
    }
    if (!isAllowed) {
      return answered({ status: 401, body: { error: "the token is missing or wrong" } });
    }
    if (pathname === "/api/events") return Response.json(this.events);
    if (pathname === "/api/history") {
      return Response.json(madeUpHistory(new URL(request.url).searchParams, this.view().at));
    }
    if (pathname.endsWith("/detail")) return Response.json(madeUpDetail(this.view().at));
    if (Object.hasOwn(ACCESS, pathname) && request.method === "GET") {
      return Response.json(ACCESS[pathname]);
    }
    if (pathname === "/api/products") {
      return Response.json(madeUpProducts(this.productCount, this.view()));
    }
    if (pathname.endsWith("/config")) return Response.json(RUNNING_CONFIG);
    if (pathname.endsWith("/clients")) {
      return Response.json(madeUpClients(new URL(request.url).searchParams));
    }
    if (pathname === "/api/hotkeys") return Response.json(HOT_KEYS);
    if (pathname === "/api/slowlog") return Response.json(SLOW_LOG);
    if (pathname === "/api/audit") return Response.json({ entries: AUDIT });
    if (pathname === "/api/login") return Response.json({ msg: "OK", ret: 0 });
    const text = await request.text();
    const body = text === "" ? null : JSON.parse(text);
    this.asked.push({ method: request.method, path: `${pathname}${search}`, body });
    const answer = this.answers.shift();
    if (answer !== undefined) return answered(answer);
    if (/rebalance$|drain$/.test(pathname) && body?.dry_run === true) {
      return Response.json({
        moves: [
          { from_slot: 0, to_slot: 3, from_group: 1, to_group: 64 },
          { from_slot: 16, to_slot: 16, from_group: 2, to_group: 64 },
        ],
        slots: 5,
        ...body.by === "ops"
          ? { loads: [{ group_id: 1, ops_before: 12_000, ops_after: 7_000 }] }
          : {},
      });
    }
    return Response.json({ msg: "OK", ret: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#server.shutdown();
  }
}

/** What the view of the activity shows of who did what. */
const AUDIT = [{
  ...{ seq: 1, at: Date.UTC(2026, 0, 1), who: "alice", address: "10.0.0.9", by: "page" },
  ...{ request: "POST /api/migrate", arguments: "from=0 to=9 new_group=2" },
  ...{ status: 200, end: "ok", count: 1 },
}];

const SINCE = { created_at: Date.UTC(2026, 9, 1), changed_at: Date.UTC(2026, 10, 20) };
/** What the view of users shows, by path. */
const ACCESS: Readonly<Record<string, unknown>> = {
  "/api/users": [
    { name: "alice", role: "admin", ...SINCE },
    { name: "night-shift", role: "operator", ...SINCE },
  ],
  "/api/tokens": [
    {
      name: "ci",
      role: "operator",
      prefix: "cdx_4fZ",
      created_at: SINCE.created_at,
      expires_at: 0,
    },
  ],
  "/api/redis_users": {
    users: [{
      ...{ name: "orders", on: true, nopass: false, passwords: 1, read_from: "prefer_replica" },
      rules: "~orders:* resetchannels -@all +@read +@write",
      limits: { requests_per_second: 500 },
    }],
    other_proxies: ["proxy_9"],
  },
};

/** Waves of what the subject has, with a gap. */
function madeUpHistory(asked: URLSearchParams, now: number): FiguresView {
  const of = asked.get("of") ?? "cluster";
  const { stepMs, points } = SPANS[asked.get("span") as FiguresSpan];
  const steps = Array.from({ length: points }, (_, i) => i);
  const wave = (middle: number) =>
    steps.map((i) => i > 40 && i < 60 ? null : middle * (1 + Math.sin(i / 40) / 3));
  const all = { ops: wave(90_000), memory_bytes: wave(3e9) };
  const kind = of.split("/")[0];
  const figures = {
    ...all,
    ...kind === "cluster" || kind === "proxy"
      ? {
        ...{ p50_ms: wave(0.4), p99_ms: wave(1.5), errors: wave(3), failures: wave(0.2) },
      }
      : {},
    ...kind === "proxy" ? { sessions: wave(200) } : { keys: wave(1_000_000) },
    ...kind === "group" || kind === "server" ? { lag_bytes: wave(2_000) } : {},
    ...kind === "server" ? { clients: wave(30) } : {},
  };
  return { step_ms: stepMs, at: steps.map((i) => now - (points - i) * stepMs), figures };
}

/** What a server says of itself, and a proxy. */
function madeUpDetail(at: number): ServerDetail & ProxyDetail {
  const command = (name: string, calls: number) => ({
    ...{ name, calls: calls * Math.round(at / 1e3) / 1e9, usecs: calls * 30, failed: 0 },
    ...{ p50_usecs: 20, p99_usecs: 180 },
  });
  const connection = (i: number) => ({
    ...{
      id: `${i}`,
      addr: `10.1.0.${i}:4000${i}`,
      name: "codis-proxy",
      user: "default",
      cmd: "get",
    },
    ...{ idle: `${i}`, age: "86000", "tot-mem": "22298" },
  });
  return {
    ...{ at, info: { redis_version: "7.0.15", role: "master" }, problems: [] },
    settings: { maxmemory: "4294967296", requirepass: "(set)" },
    commands: [command("get", 9e9), command("set", 2e9), command("config get", 12)],
    connections: [connection(1), connection(2)],
    connection_count: 30,
    slow: [{
      id: 3,
      at: at - 5_000,
      usecs: 25_000,
      args: ["KEYS", "user:*"],
      client: "10.1.0.1:4",
    }],
    backends: [{ addr: "10.0.1.1:6379", state: "up", in_flight: 3, private_connections: 2 }],
    command_line: ["codis-proxy", "proxy", "-c", "config.ini"],
  };
}

/** The product of the view, one without a leader, an old one, one with an outage, and others that are well. */
function madeUpProducts(total: number, view: ClusterView): ProductsAnswer {
  const names = [
    view.product,
    "ads",
    "cart",
    "chat",
    ...Array.from({ length: total }, (_, i) => `p-${i}`),
  ];
  const products = names.slice(0, total).sort().map((name, i) => ({
    ...{ name, is_own: name === view.product, leader: name === "ads" ? "" : `10.${i}.0.100:18087` },
    page: name === "ads" ? "" : `http://10.${i}.0.100:18087/admin`,
    problem: name === "ads" ? "no dashboard leads" : "",
    status: name === "cart" ? null : {
      ...{
        at: view.at - 4_000,
        url: "",
        version: name === "p-7" ? "<b>".repeat(500) : "0.1.0",
        requests_per_second: 12_000 * i,
        clients: 400,
      },
      ...{
        proxies: 3,
        proxies_online: 3,
        groups: 8,
        servers: 16,
        servers_up: 16,
        slots_served: 1024,
      },
      ...{
        slots_moving: 0,
        memory_bytes: 3e9 * (i + 1),
        errors: name === "chat" ? 2 : 0,
        warnings: 0,
      },
    },
  }));
  return { total, products };
}

/** Of 12 000 clients, those that were asked for. */
function madeUpClients(asked: URLSearchParams): ClientsAnswer {
  const matching = asked.has("search") ? 3 : 12_000;
  const client = (i: number) => ({
    ...{ id: `${i}`, addr: `10.2.0.${i}:5${i}000`, name: `${asked.get("by")}-${i}`, user: "app" },
    ...{ db: "0", cmd: "get", idle: `${i}`, age: "3600", flags: i === 1 ? "b" : "N" },
    ...{ qbuf: "0", obl: "128", omem: "0", "tot-mem": "2176" },
    ...{ "lib-name": "ioredis", "lib-ver": "6.0.0" },
  });
  const shown = Math.min(matching, Number(asked.get("limit")));
  return {
    ...{ total: 12_000, matching },
    clients: Array.from({ length: shown }, (_, i) => client(i + 1)),
  };
}

const CONFIG_KEY = {
  reload: "live",
  ...{ help: "Most clients at one time.", rule: "a whole number from 1", is_secret: false },
} as const;
/** What a proxy runs with. */
const RUNNING_CONFIG: ConfigView = {
  ...{ process: "proxy", file: "/etc/codis/config.ini", version: "0.1.0", pid: 4000 },
  loaded_at: Date.UTC(2026, 10, 24, 5),
  reload: {
    at: Date.UTC(2026, 10, 24, 5, 30),
    ok: false,
    by: "SIGHUP",
    error: 'max_clients = "x"',
  },
  keys: [
    {
      ...{ ...CONFIG_KEY, key: "max_clients", value: "5000", default: "10000" },
      ...{ from: "config.ini:12", source: "file" },
    },
    {
      ...{ ...CONFIG_KEY, key: "proto", value: "tcp", default: "tcp", from: "default" },
      ...{ source: "default", reload: "restart", waits: { value: "tcp4", from: "config.ini:9" } },
    },
    {
      ...CONFIG_KEY,
      key: "net_timeout",
      value: "5",
      default: "5",
      from: "default",
      source: "default",
    },
  ],
};

/** A request that waited for its server. */
const SLOW: SlowRequestEntry & { readonly proxy_id: string } = {
  ...{ proxy_id: "proxy_1", id: 7, at: Date.UTC(2026, 0, 1), usecs: 12_000 },
  ...{ stages: { queue: 200, server: 11_800 }, command: "get", args: ["GET", "user:1"] },
  ...{ client: "10.0.0.8:40000", client_name: "shop", user: "default", end: "answered" },
  ...{ server: "10.0.1.1:6379", slot: 12, request_bytes: 25, reply_bytes: 900 },
};
const HOT_KEY = { key: "session:1", key_bytes: 9, db: 0, slot: 7, server: "10.0.0.1:6379" };
const HOT_KEYS = {
  ...{ is_on: true, requests_per_second: 20_000, problems: [] },
  hot: [{ ...HOT_KEY, reads_per_second: 1_500, writes_per_second: 100, share: 0.08 }],
  big: [{
    ...{ ...HOT_KEY, of: "reply", bytes: 3_000_000, command: "hgetall" },
    ...{ has_more_keys: true, at: Date.UTC(2026, 0, 1) },
  }],
};

const SLOW_LOG = { entries: [SLOW], events: [], problems: [] };

/** A server that was down for ten minutes, one that is down for two hours, and a failover that was refused. */
function madeUpEvents(now: number): EventsAnswer {
  const event = (
    phase: OutageEvent["phase"],
    minutesAgo: number,
    more: Pick<OutageEvent, "kind" | "subject" | "text"> & Partial<OutageEvent>,
  ): OutageEvent => ({
    ...{ seq: -minutesAgo, id: `${more.subject} ${phase}`, outage: more.subject, phase },
    ...{ at: now - minutesAgo * 60_000, severity: "error", cause: "", hint: "", count: 1 },
    is_sent: true,
    ...more,
  });
  const old = { kind: "server_down", subject: "10.0.41.2:6379" } as const;
  const open = event("begin", 120, {
    ...{ kind: "server_down", subject: "10.0.23.2:6379", group: 23, severity: "warning" },
    ...{
      text: "group 23: the replica 10.0.23.2:6379 does not answer",
      cause: "connection refused",
    },
    hint: "start it again",
  });
  return {
    open: [open],
    events: [
      open,
      event("once", 125, {
        ...{ kind: "failover_refused", subject: "group 41", count: 3 },
        ...{ text: "group 41: no failover", cause: "2 of 3 proxies reach the master" },
      }),
      event("end", 500, {
        ...old,
        ...{ severity: "info", text: "group 41: the replica 10.0.41.2:6379 answers again" },
        duration_ms: 600_000,
      }),
      event("begin", 510, { ...old, text: "group 41: the replica 10.0.41.2:6379 does not answer" }),
    ],
  };
}

function answered({ status, body }: Answer): Response {
  return typeof body === "string"
    ? new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } })
    : Response.json(body, { status });
}

/** An answer that ends before it is whole. */
function cutOff(): Response {
  const body = new ReadableStream({
    start: (controller) => controller.error(new Error("cut off")),
  });
  return new Response(body, { headers: { "content-length": "1000" } });
}
