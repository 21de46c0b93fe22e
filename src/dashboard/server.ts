/**
 * The dashboard's HTTP endpoint: the API, the page, /metrics and /healthz.
 *
 * @module
 */

import type { AccessPolicy } from "../api/auth.ts";
import { configMetrics } from "../config/config_metrics.ts";
import { processMetrics } from "../base/process_metrics.ts";
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from "../base/prometheus.ts";
import { type HttpOptions, type HttpServer, serveHttp } from "../io/http_server.ts";
import { answerApi } from "./api/api.ts";
import type { Dashboard } from "./dashboard.ts";
import { pageResponse } from "./page.ts";

/** Answers one request; `remote` is the address that it came from, without port. */
export async function answerDashboard(
  dashboard: Dashboard,
  policy: AccessPolicy,
  request: Request,
  remote: string,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (/^\/(api|topom)(\/|$)/.test(pathname)) {
    return await answerApi(dashboard, policy, request, remote);
  }
  if (pathname === "/healthz") {
    const state = dashboard.isLeading ? "leading" : "standing by";
    return Response.json({ status: "ok", state });
  }
  if (pathname === "/metrics") return await metrics(dashboard, policy, request, remote);
  return pageResponse(request) ??
    new Response("no such page; try /admin, /api/overview or /metrics\n", { status: 404 });
}

/** Metrics are for whoever may see the cluster. */
async function metrics(
  dashboard: Dashboard,
  policy: AccessPolicy,
  request: Request,
  remote: string,
): Promise<Response> {
  const incoming = { request, url: new URL(request.url), remote };
  const needs = { method: request.method, changes: false, role: "viewer" } as const;
  const who = await dashboard.access.admit(policy, incoming, needs);
  if ("status" in who) return new Response(`${who.error}\n`, { status: who.status });
  const body = prometheusText([
    ...dashboard.metrics(),
    ...configMetrics(dashboard.running),
    ...processMetrics(),
  ]);
  return new Response(body, { headers: { "content-type": PROMETHEUS_CONTENT_TYPE } });
}

/**
 * Serves until it is shut down.
 *
 * @param onRequest Called with a line for each request that was answered, for a log of them.
 * @throws {Error} Naming the address, when it cannot be bound.
 */
export function serveDashboard(
  dashboard: Dashboard,
  policy: AccessPolicy,
  options: HttpOptions,
  onRequest: (line: string) => void,
): HttpServer {
  return serveHttp(options, async (request, remote) => {
    const began = performance.now();
    const response = await answerDashboard(dashboard, policy, request, remote);
    const { pathname } = new URL(request.url);
    const tookMs = Math.round(performance.now() - began);
    onRequest(
      `${
        new Date().toISOString()
      } ${remote} ${request.method} ${pathname} ${response.status} ${tookMs}ms`,
    );
    return response;
  });
}
