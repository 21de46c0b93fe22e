/**
 * The dashboard's HTTP endpoint: the API, the page, and whether it is well.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { roomLogger } from "../base/log.ts";
import { causeOf } from "../io/dial.ts";
import { answerApi } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";
import type { Gate } from "./gate.ts";
import { pageResponse } from "./page.ts";

const log = roomLogger("dashboard");

/** Answers one request; `remote` is the address that it came from, without port. */
export async function answerDashboard(
  dashboard: Dashboard,
  gate: Gate,
  request: Request,
  remote: string,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname.startsWith("/api/")) return await answerApi(dashboard, gate, request, remote);
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
 * @param onRequest Told of each request when it is answered, for a log of them.
 * @throws {Error} Naming the address, when it cannot be bound.
 */
export function serveDashboard(
  dashboard: Dashboard,
  gate: Gate,
  address: Address,
  onRequest: (line: string) => void,
): Deno.HttpServer<Deno.NetAddr> {
  const { hostname, port } = address;
  try {
    return Deno.serve({
      hostname,
      port,
      onListen() {},
      onError(error) {
        log.error("request failed: {error}", { error });
        return new Response(causeOf(error), { status: 500 });
      },
    }, async (request, { remoteAddr }) => {
      const began = performance.now();
      const remote = remoteAddr.hostname;
      const response = await answerDashboard(dashboard, gate, request, remote);
      const { pathname } = new URL(request.url);
      const tookMs = Math.round(performance.now() - began);
      onRequest(
        `${
          new Date().toISOString()
        } ${remote} ${request.method} ${pathname} ${response.status} ${tookMs}ms`,
      );
      return response;
    });
  } catch (error) {
    throw new Error(`cannot serve http on ${hostname}:${port}: ${causeOf(error)}`, {
      cause: error,
    });
  }
}
