/**
 * The proxy's own HTTP endpoint: health, slots, counters, log level.
 *
 * @module
 */

import { type AccessPolicy, authorize, foreignName } from "../api/auth.ts";
import type { DrainState, Sighting } from "../api/proxy_stats.ts";
import { parseLogLevel, setLogLevel } from "../base/log.ts";
import { processMetrics } from "../base/process_metrics.ts";
import { type Metric, PROMETHEUS_CONTENT_TYPE, prometheusText } from "../base/prometheus.ts";
import { configMetrics } from "../config/config_metrics.ts";
import { configView, reloadAnswer } from "../config/config_view.ts";
import type { RunningConfig } from "../config/running.ts";
import type { CoordinatorState } from "../coordinator/coordinator.ts";
import { type HttpOptions, type HttpServer, serveHttp } from "../io/http_server.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import type { DataPlane } from "./workers/data_plane.ts";
import { codis3ProxyStats } from "./codis3_proxy_stats.ts";
import { type Build, debugVars } from "./debug_vars.ts";
import { hotKeysAnswer } from "./hot_keys_answer.ts";
import { proxyMetrics } from "./metrics/metrics.ts";
import { clientsQuery } from "../api/proxy_clients.ts";
import { clientsAnswer, commandsAnswer } from "./detail_answers.ts";
import { slowLogAnswer } from "./slow_log_answer.ts";
import { proxyStats } from "./proxy_stats.ts";

/** What the endpoint shows. */
export interface AdminSubject {
  readonly plane: DataPlane;
  readonly build: Build;
  /** The proxy as it is registered now. */
  proxyRecord(): ProxyRecord;
  /** Where the session with the coordinator stands. */
  coordinatorState(): CoordinatorState;
  /** Seconds since the slot table was last known to agree with the coordinator. */
  staleSeconds(): number;
  /** Why slots that have a group are not served; `""`: none is. */
  slotFault(): string;
  /** Where its users come from. */
  readonly users: "file" | "store";
  /** Most clients that are served at one time. */
  clientsMax(): number;
  /** The configuration; `undefined`: it cannot change. */
  readonly running: RunningConfig | undefined;
  /** Whether clients are being accepted. */
  isServing(): boolean;
  /** Whether clients are let go, or have been. */
  isDraining(): boolean;
  /** Whether they have been: none is accepted any more, and none is left. */
  isDrained(): boolean;
  /** Whether another process of this proxy serves, too: then the proxy stays when this one goes. */
  isBeside(): boolean;
  /** Lets the clients go; resolves when none is left. */
  drain(): Promise<void>;
  /** Who may change anything. */
  readonly policy: AccessPolicy;
  /** Answers what none of the routes here does; `/` too, when it is given. */
  others(): ((request: Request, remote: string) => Promise<Response>) | undefined;
  /** Whether there will be such others, and are none yet: the process is starting. */
  awaitsOthers(): boolean;
  /** Metrics of what is served here besides the proxy. */
  otherMetrics(): Metric[];
}

/** Least `break_ms`: less than the least `failover_after`, in milliseconds. */
const BREAK_MS_MIN = 500;
/** Longer than any server is silent; JSON, by which workers are asked, has no infinity. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/** Who asks, beside what. */
type Handler = (subject: AdminSubject, url: URL, remote: string) => Response | Promise<Response>;

interface Route {
  readonly methods: readonly string[];
  /** Whether it changes anything. */
  readonly changes?: boolean;
  /** Whether it shows what clients have sent, so that only those who may read may see it. */
  readonly isPrivate?: boolean;
  /** Whether a dashboard that is served here answers it instead: it has users and an audit trail. */
  readonly isDashboards?: boolean;
  readonly handle: Handler;
}

/** Every route: path and what answers it. */
const ROUTES: Readonly<Record<string, Route>> = {
  "/": { methods: ["GET"], isDashboards: true, handle: index },
  "/healthz": { methods: ["GET", "HEAD"], handle: healthz },
  "/slots": { methods: ["GET"], handle: slots },
  "/stats": {
    methods: ["GET"],
    handle: async ({ plane, build, staleSeconds, slotFault, users, ...subject }) => {
      const { sum } = await plane.stats();
      return json({
        ...proxyStats(sum, build.version, staleSeconds(), users, proxyDrain(subject)),
        slot_fault: slotFault(),
      });
    },
  },
  "/proxy/stats": {
    methods: ["GET"],
    handle: async ({ plane, proxyRecord }) =>
      json(codis3ProxyStats((await plane.stats()).sum, proxyRecord())),
  },
  "/sighting": { methods: ["GET"], handle: sighting },
  "/commands": {
    methods: ["GET"],
    handle: async ({ plane }) =>
      json(commandsAnswer((await plane.stats()).sum.commands, performance.now())),
  },
  "/clients": { methods: ["GET"], isPrivate: true, handle: clients },
  "/hotkeys": {
    methods: ["GET"],
    isPrivate: true,
    handle: async ({ plane }) => json(hotKeysAnswer(await plane.hotKeys())),
  },
  "/slowlog": { methods: ["GET"], isPrivate: true, handle: slowLog },
  "/metrics": { methods: ["GET"], handle: metrics },
  "/config": { methods: ["GET"], isPrivate: true, handle: config },
  "/api/config": { methods: ["GET"], isPrivate: true, isDashboards: true, handle: config },
  "/api/reload": { methods: ["POST"], changes: true, isDashboards: true, handle: reload },
  "/debug/vars": {
    methods: ["GET"],
    handle: async ({ plane, proxyRecord, build }) =>
      json(debugVars((await plane.stats()).sum, proxyRecord(), build)),
  },
  "/api/drain": { methods: ["POST"], changes: true, handle: drain },
  // As Codis 2.0: any method, an empty 200. An unknown level is 400; there it means info.
  "/setloglevel": { methods: ["GET", "POST"], changes: true, handle: changeLogLevel },
};

/**
 * Serves the endpoint until it is shut down.
 *
 * @throws {Error} Naming the address, when it cannot be bound.
 */
export function serveAdmin(subject: AdminSubject, options: HttpOptions): HttpServer {
  return serveHttp(options, (request, remote) => answer(subject, request, remote));
}

function answer(
  subject: AdminSubject,
  request: Request,
  remote: string,
): Response | Promise<Response> {
  const url = new URL(request.url);
  const others = subject.others();
  const route = Object.hasOwn(ROUTES, url.pathname) ? ROUTES[url.pathname] : undefined;
  if (others !== undefined && (route === undefined || route.isDashboards)) {
    return others(request, remote);
  }
  if (route === undefined) return subject.awaitsOthers() ? STARTING() : NO_SUCH_PATH();
  if (!route.methods.includes(request.method)) {
    const allow = route.methods.join(", ");
    return new Response(`use ${allow}\n`, { status: 405, headers: { allow } });
  }
  const incoming = { request, url, remote };
  const refusal = route.changes || route.isPrivate
    ? authorize(subject.policy, incoming, route.changes ? "change" : "read")
    : foreignName(subject.policy, incoming);
  if (refusal !== undefined) return text(`${refusal.error}\n`, refusal.status);
  return route.handle(subject, url, remote);
}

const NO_SUCH_PATH = () => text(`no such path; try ${Object.keys(ROUTES).join(" ")}\n`, 404);
/** Who asks the dashboard waits for one that leads, and so for this. */
const STARTING = () =>
  text("the process is starting, and its dashboard with it: ask again\n", 503, {
    "retry-after": "1",
  });

function index({ build }: AdminSubject): Response {
  const paths = Object.keys(ROUTES).filter((path) => path !== "/");
  return text(
    `codis-proxy ${build.version}\n${paths.map((path) => `${path}\n`).join("")}`,
  );
}

/**
 * How long a Redis server has not answered this proxy. From `break_ms` on, what is in flight there is broken off:
 * the dashboard is about to replace it.
 */
async function sighting({ plane }: AdminSubject, url: URL): Promise<Response> {
  const addr = url.searchParams.get("addr") ?? "";
  const breakMs = Number(url.searchParams.get("break_ms") ?? NaN);
  const silentMs = await plane.silentMs(addr, breakMs >= BREAK_MS_MIN ? breakMs : NEVER_MS);
  return json({ addr, silent_ms: Math.round(silentMs) } satisfies Sighting);
}

function drainState(
  { isDraining, isDrained }: Pick<AdminSubject, "isDraining" | "isDrained">,
): DrainState | undefined {
  return isDrained() ? "drained" : isDraining() ? "draining" : undefined;
}

/** The same of the proxy: where another process of it serves, it goes on. */
function proxyDrain(
  subject: Pick<AdminSubject, "isDraining" | "isDrained" | "isBeside">,
): DrainState | undefined {
  return subject.isBeside() ? undefined : drainState(subject);
}

/** 200 while clients are served by every slot, 503 otherwise; the body says why. */
async function healthz(subject: AdminSubject): Promise<Response> {
  const { sum } = await subject.plane.stats();
  const offline = sum.slots.states.filter((state) => state === "offline").length;
  const isServing = subject.isServing() && !subject.isDraining();
  const isHealthy = isServing && offline === 0;
  const unwell = drainState(subject) ?? (isServing ? "slots offline" : "not serving");
  return json({
    status: isHealthy ? "ok" : unwell,
    state: subject.proxyRecord().state,
    slots_offline: offline,
    sessions: sum.sessions,
    stale_seconds: Math.round(subject.staleSeconds()),
    pid: Deno.pid,
  }, isHealthy ? 200 : 503);
}

/**
 * Lets the clients go; `GET /healthz` says how many are left, and when that is over. While a process takes over, either
 * of the two may answer: `pid` says which.
 */
function drain(subject: AdminSubject): Response {
  subject.drain();
  return json({ status: "draining", pid: Deno.pid }, 202);
}

/** The slot table in force, in the words of the store. */
async function slots({ plane }: AdminSubject): Promise<Response> {
  const { sum: { slots } } = await plane.stats();
  return json(slots.states.map((state, id) => ({
    id,
    state,
    group_id: slots.groups[id],
    backend: slots.owners[id],
    migrate_from: slots.sources[id],
    in_flight: slots.inFlight[id],
  })));
}

/** The slow requests of all workers, the newest first, and what LATENCY tells. */
async function slowLog({ plane }: AdminSubject): Promise<Response> {
  return json(slowLogAnswer(await plane.slowLog({})));
}

/** The running configuration; by a path of its own also where a dashboard answers what begins with `/api`. */
function config({ running, build: { version } }: AdminSubject): Response {
  if (running === undefined) return NOT_CONFIGURED();
  return json(configView(running, { process: "proxy", version }));
}

/** Some of the clients, as CLIENT LIST describes them. */
async function clients({ plane }: AdminSubject, { searchParams }: URL): Promise<Response> {
  const query = clientsQuery(searchParams);
  if ("rule" in query) {
    return text(`${query.field} = "${query.value}": must be ${query.rule}\n`, 400);
  }
  return json(clientsAnswer(await plane.searchClients(query)));
}

async function metrics(subject: AdminSubject): Promise<Response> {
  const own = proxyMetrics(await subject.plane.stats(), {
    version: subject.build.version,
    state: subject.proxyRecord().state,
    drain: proxyDrain(subject),
    coordinatorState: subject.coordinatorState(),
    staleSeconds: subject.staleSeconds(),
    clientsMax: subject.clientsMax(),
    nowMs: performance.now(),
    usage: subject.plane.limits.usage(),
  });
  const body = prometheusText([
    ...own,
    ...subject.otherMetrics(),
    ...configMetrics(subject.running),
    ...processMetrics(),
  ]);
  return new Response(body, { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } });
}

const NOT_CONFIGURED = () => text("this proxy runs without a config file\n", 404);

/** Reads the configuration again; with `dry_run=yes` only checks it. */
async function reload({ running }: AdminSubject, url: URL, remote: string): Promise<Response> {
  if (running === undefined) return NOT_CONFIGURED();
  const isDryRun = url.searchParams.get("dry_run") === "yes";
  try {
    const outcome = await running.reload(`POST /api/reload from ${remote}`, isDryRun);
    return json(reloadAnswer(outcome, isDryRun));
  } catch (error) {
    return json({ error: (error as Error).message }, 400);
  }
}

async function changeLogLevel(
  { plane, running }: AdminSubject,
  url: URL,
  remote: string,
): Promise<Response> {
  try {
    const level = parseLogLevel(url.searchParams.get("level") ?? "");
    if (running !== undefined) {
      await running.set([["log_level", level]], `/setloglevel from ${remote}`);
    } else {
      setLogLevel(level);
      plane.setLogLevel(level);
    }
    return new Response(null);
  } catch (error) {
    return text(`${(error as Error).message}\n`, 400);
  }
}

function json(value: unknown, status = 200): Response {
  return new Response(`${JSON.stringify(value, null, 2)}\n`, {
    status,
    headers: { "content-type": "application/json; charset=utf-8" },
  });
}

function text(body: string, status = 200, more: Record<string, string> = {}): Response {
  const headers = { "content-type": "text/plain; charset=utf-8", ...more };
  return new Response(body, { status, headers });
}
