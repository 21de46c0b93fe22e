/**
 * A dashboard that stands by passes requests on to the one that leads, so that several can stand behind one address.
 *
 *     request ─► for the leader? from a program that finds it by itself? passed on already? ─► leader ─► its answer
 *                                                                             └─ not there ─► 503 as before
 *
 * The leader decides who may do what: it gets all headers, the name that was asked for among them. Where the request
 * came from is put behind `X-Forwarded-For`, so nobody is taken for somebody on the leader's machine who is not; and
 * the client's address is proved (`access/passed_on.ts`), for the audit trail and the count of wrong passwords.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { IncomingRequest } from "../api/auth.ts";
import { productFetchAs } from "../api/product_http.ts";
import { formatAddress, isLoopback, parseAddress } from "../base/address.ts";
import { logger } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import { ConnectionLossError } from "../coordinator/errors.ts";
import { NotLeaderError } from "../control/errors.ts";
import { addressOf } from "./access/access_gate.ts";
import { nameClient } from "./access/passed_on.ts";
import { sessionIdIn } from "./access/sessions.ts";
import type { ApiRoute } from "./api/route.ts";
import type { Dashboard } from "./dashboard.ts";

/** Longest time that the leader may take, in milliseconds: for a read, and for a change. */
const READ_MS = 10_000;
const CHANGE_MS = 120_000;

/** How long a change waits for the store to be back, in milliseconds, and between two questions. */
const STORE_BACK_MS = 3_000;
const STORE_ROUND_MS = 50;

/** Who has passed a request on; such a one is not passed on again. */
const PASSED_ON = "x-codis-passed-on-by";
const FORWARDED_FOR = "x-forwarded-for";

/** What belongs to one connection, and what fetch has undone. */
const OF_CONNECTION = ["connection", "keep-alive", "transfer-encoding", "upgrade"];
const OF_CODING = ["content-encoding", "content-length"];

const log = logger("dashboard");

/**
 * Has the leader answer a request.
 *
 * @param token What all dashboards of a product share.
 * @returns Its answer; undefined when the request is for this dashboard, or the leader cannot be reached.
 */
export async function askLeader(
  dashboard: Dashboard,
  route: ApiRoute,
  incoming: IncomingRequest,
  token: Secret,
): Promise<Response | undefined> {
  const { request, url } = incoming;
  if (route.changes && route.needsLead) await recheckLead(dashboard);
  if (dashboard.isLeading || !isForLeader(route, request)) return undefined;
  const leader = await leaderOf(dashboard);
  if (leader === undefined) return undefined;
  const headers = headersFor(incoming, leader);
  await nameClient(headers, token, addressOf(incoming), incoming);
  const limitMs = route.changes ? CHANGE_MS : READ_MS;
  try {
    const answer = await productFetchAs(leader, url.pathname + url.search, {
      method: request.method,
      headers,
      body: route.changes ? request.body : null,
      redirect: "manual",
      signal: AbortSignal.timeout(limitMs),
    });
    return new Response(answer.body, {
      status: answer.status,
      headers: without(answer.headers, [...OF_CONNECTION, ...OF_CODING]),
    });
  } catch (error) {
    log.warn("{method} {path} was not passed on to {leader}, which leads: {error}", {
      ...{ method: request.method, path: url.pathname, leader, error },
    });
    // It hung, and was replaced by this one meanwhile.
    if (!route.changes && dashboard.isLeading) return undefined;
    // Nothing is known of a change that may have come there.
    const isSent = !/client error \(Connect\)/.test(`${error} ${(error as Error).cause}`);
    const doubt = route.changes && isSent ? "; whether it was done is not known" : "";
    const what = isSent ? "did not answer" : "cannot be reached";
    const text = `this dashboard stands by: the one at ${leader} leads, and ${what}${doubt}`;
    return Response.json({ error: text, leader }, { status: 503 });
  }
}

/**
 * Before a change: one that was stopped for a while may take itself for the leader although its session has ended.
 *
 * @throws {NotLeaderError} Where the store does not say in time whether it leads.
 */
async function recheckLead(dashboard: Dashboard): Promise<void> {
  const deadlineMs = performance.now() + STORE_BACK_MS;
  while (dashboard.isLeading) {
    try {
      return await dashboard.proveLead();
    } catch (error) {
      if (!(error instanceof ConnectionLossError)) return;
      // Not every change is a transaction that would fail.
      if (performance.now() > deadlineMs) throw new NotLeaderError("", "unproven");
      await delay(STORE_ROUND_MS);
    }
  }
}

/** What only the leader can answer; and all of a session, which only it knows. */
function isForLeader(route: ApiRoute, request: Request): boolean {
  if (request.headers.has(PASSED_ON)) return false;
  // Commands and proxies go to the leader that is named to them.
  if (/^codis-proxy /.test(request.headers.get("user-agent") ?? "")) return false;
  const isForThis = route.changes && !route.needsLead;
  return route.needsLead || (!isForThis && sessionIdIn(request) !== "");
}

async function leaderOf(dashboard: Dashboard): Promise<string | undefined> {
  try {
    await dashboard.checkLead();
  } catch (error) {
    if (!(error instanceof NotLeaderError)) throw error;
    try {
      return formatAddress(parseAddress(error.leader));
    } catch {
      return undefined; // none leads, or the product has moved
    }
  }
  return undefined;
}

function headersFor({ request, remote }: IncomingRequest, leader: string): Headers {
  const headers = without(request.headers, [...OF_CONNECTION, "content-length", "accept-encoding"]);
  headers.set("host", request.headers.get("host") ?? leader);
  headers.set(PASSED_ON, Deno.hostname());
  // A server in front of us on this machine has said where the request came from.
  if (!isLoopback(remote)) headers.append(FORWARDED_FOR, remote);
  return headers;
}

function without(headers: Headers, names: readonly string[]): Headers {
  const left = new Headers(headers);
  for (const name of names) left.delete(name);
  return left;
}
