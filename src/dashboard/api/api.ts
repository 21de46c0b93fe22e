/**
 * The dashboard's HTTP API: Codis 2.0's routes and ours, a file for each noun.
 *
 *     request ─► route ─► allowed? ─► leads? ─► input checked ─► operation ─► answer
 *
 * Success is answered as Codis 2.0 does, `{"msg":"OK","ret":0}` or an indented document. So is what it
 * refuses: 500 and its own text. Input that breaks a rule is answered with 400, field and rule.
 *
 * @module
 */

import { type AccessPolicy, authorize } from "../../api/auth.ts";
import { logger } from "../../base/log.ts";
import { InputError, NotLeaderError, UnconfirmedError } from "../../control/errors.ts";
import { QueuedMoves } from "../../migration/rebalance/request.ts";
import { StoreError } from "../../store/store.ts";
import type { Dashboard } from "../dashboard.ts";
import { ACTION_ROUTES } from "./action.ts";
import { CHECK_ROUTES } from "./check.ts";
import { CLUSTER_ROUTES } from "./cluster.ts";
import { COMMAND_ROUTES } from "./command.ts";
import { FENCE_ROUTES } from "./fence.ts";
import { LOCK_ROUTES } from "./lock.ts";
import { LOGIN_ROUTES } from "./login.ts";
import { MIGRATE_ROUTES } from "./migrate.ts";
import { OVERVIEW_ROUTES } from "./overview.ts";
import { PROXY_ROUTES } from "./proxy.ts";
import { REBALANCE_ROUTES } from "./rebalance.ts";
import { REDIS_ROUTES } from "./redis.ts";
import { type ApiRoute, findRoute } from "./route.ts";
import { SERVER_GROUP_ROUTES } from "./server_group.ts";
import { SLOT_ROUTES } from "./slot.ts";
import { SLOT_RULE_ROUTES } from "./slot_rule.ts";

const log = logger("dashboard");

const ROUTES: readonly ApiRoute[] = [
  ACTION_ROUTES,
  CHECK_ROUTES,
  CLUSTER_ROUTES,
  COMMAND_ROUTES,
  FENCE_ROUTES,
  LOCK_ROUTES,
  LOGIN_ROUTES,
  MIGRATE_ROUTES,
  OVERVIEW_ROUTES,
  PROXY_ROUTES,
  REBALANCE_ROUTES,
  REDIS_ROUTES,
  SERVER_GROUP_ROUTES,
  SLOT_ROUTES,
  SLOT_RULE_ROUTES,
].flat();

/**
 * Answers a request of the API.
 *
 * @param remote The address that it came from, without port.
 */
export async function answerApi(
  dashboard: Dashboard,
  policy: AccessPolicy,
  request: Request,
  remote: string,
): Promise<Response> {
  const url = new URL(request.url);
  try {
    const found = findRoute(ROUTES, request.method, url);
    if (found === undefined) return json({ error: `no such path: ${url.pathname}` }, 404);
    if ("allow" in found) {
      return json({ error: `use ${found.allow}` }, 405, { allow: found.allow });
    }
    const { route, words } = found;
    const refusal = authorize(policy, { request, url, remote }, route.access);
    if (refusal !== undefined) return json({ error: refusal.error }, refusal.status);
    if (route.needsLead) await dashboard.checkLead();
    const answer = await route.answer({ dashboard, request, url, words });
    if (route.changes && answer === undefined) return json({ msg: "OK", ret: 0 });
    if (answer instanceof QueuedMoves) return json({ msg: "OK", ret: 0, slots: answer.slots });
    return new Response(goIndented(answer), { headers: JSON_HEADERS });
  } catch (error) {
    return failureOf(error, request, url);
  }
}

function failureOf(error: unknown, { method }: Request, { pathname: path }: URL): Response {
  if (error instanceof InputError) {
    const { message, field, rule } = error;
    return json({ error: message, field, rule }, 400);
  }
  if (error instanceof NotLeaderError) {
    return json({ error: error.message, leader: error.leader }, 503);
  }
  const text = error instanceof Error ? error.message : `${error}`;
  if (error instanceof StoreError || error instanceof UnconfirmedError) {
    log.info("{method} {path}: {text}", { method, path, text });
  } else {
    log.error("{method} {path}: {error}", { method, path, error });
  }
  // Codis 2.0: 500 and the plain text.
  return new Response(text, {
    status: 500,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}

const JSON_HEADERS = {
  "content-type": "application/json; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { ...JSON_HEADERS, ...headers } });
}

/** As Codis 2.0 prints documents: two spaces for each level, and one more before all but the first. */
function goIndented(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll("\n", "\n ");
}
