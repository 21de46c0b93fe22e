/**
 * The dashboard's HTTP endpoint: the API, the page, and /healthz.
 *
 * @module
 */

import type { AccessPolicy } from "../api/auth.ts";
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
  if (pathname.startsWith("/api/")) return await answerApi(dashboard, policy, request, remote);
  if (pathname === "/healthz") {
    const state = dashboard.isLeading ? "leading" : "standing by";
    return Response.json({ status: "ok", state });
  }
  return pageResponse(request) ??
    new Response("no such page; try /admin or /api/overview\n", { status: 404 });
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
