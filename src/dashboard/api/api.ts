/**
 * The dashboard's HTTP API: Codis 2.0's routes and ours, a file for each noun.
 *
 *     request ─► route ─► allowed? ─► leads? ─► input checked ─► operation ─► answer, noted in the audit trail
 *                  └─► we stand by, it is for the leader: passed on
 *
 * Success is answered as Codis 2.0 does, `{"msg":"OK","ret":0}` or an indented document. So is what it
 * refuses: 500 and its own text. Input that breaks a rule is answered with 400, field and rule; what the same
 * request with `force` would do, with 500 and `can_force`.
 *
 * @module
 */

import type { AccessPolicy } from "../../api/auth.ts";
import { logger } from "../../base/log.ts";
import { ConfigError } from "../../config/error.ts";
import {
  ForceableError,
  InputError,
  NotLeaderError,
  UnconfirmedError,
} from "../../control/errors.ts";
import { QueuedMoves } from "../../migration/rebalance/request.ts";
import { isRefused } from "../../model/audit_entry.ts";
import { RECORD_ADVICE, RecordError } from "../../model/record.ts";
import { NotRegisteredError } from "../../store/proxies.ts";
import { StoreError } from "../../store/store.ts";
import { addressOf } from "../access/access_gate.ts";
import { provenClient } from "../access/passed_on.ts";
import { sessionCookie, sessionIdIn } from "../access/sessions.ts";
import type { Identity, Refusal } from "../access/identity.ts";
import { auditNote, shortArguments } from "../audit/audit_note.ts";
import type { Dashboard } from "../dashboard.ts";
import { askLeader } from "../forward.ts";
import { ACTION_ROUTES } from "./action.ts";
import { AUDIT_ROUTES } from "./audit.ts";
import { CHECK_ROUTES } from "./check.ts";
import { CLUSTER_ROUTES } from "./cluster.ts";
import { COMMAND_ROUTES } from "./command.ts";
import { CONFIG_ROUTES } from "./config.ts";
import { EVENT_ROUTES } from "./event.ts";
import { FENCE_ROUTES } from "./fence.ts";
import { HISTORY_ROUTES } from "./history.ts";
import { LOCK_ROUTES } from "./lock.ts";
import { LOGIN_ROUTES } from "./login.ts";
import { LOGOUT_ROUTES } from "./logout.ts";
import { MIGRATE_ROUTES } from "./migrate.ts";
import { OVERVIEW_ROUTES } from "./overview.ts";
import { PASSWORD_ROUTES } from "./password.ts";
import { PRODUCT_ROUTES } from "./product.ts";
import { PROXY_ROUTES } from "./proxy.ts";
import { REBALANCE_ROUTES } from "./rebalance.ts";
import { REDIS_ROUTES } from "./redis.ts";
import { REDIS_USER_ROUTES } from "./redis_user.ts";
import { type ApiRoute, type Call, findRoute } from "./route.ts";
import { RELOAD_ROUTES } from "./reload.ts";
import { SENTINEL_ROUTES } from "./sentinel.ts";
import { SERVER_GROUP_ROUTES } from "./server_group.ts";
import { HOTKEYS_ROUTES } from "./hotkeys.ts";
import { SLOWLOG_ROUTES } from "./slowlog.ts";
import { SLOT_ROUTES } from "./slot.ts";
import { SLOT_RULE_ROUTES } from "./slot_rule.ts";
import { TOKEN_ROUTES } from "./token.ts";
import { TOPOM_ROUTES } from "./topom.ts";
import { USER_ROUTES } from "./user.ts";

const log = logger("dashboard");

/** Who asks, as long as that is not known. */
const NOBODY: Identity = { name: "nobody", role: "viewer", kind: "place" };

/** Every route. */
export const API_TABLE: readonly ApiRoute[] = [
  ACTION_ROUTES,
  AUDIT_ROUTES,
  CHECK_ROUTES,
  CLUSTER_ROUTES,
  COMMAND_ROUTES,
  CONFIG_ROUTES,
  EVENT_ROUTES,
  FENCE_ROUTES,
  HISTORY_ROUTES,
  LOCK_ROUTES,
  LOGIN_ROUTES,
  LOGOUT_ROUTES,
  MIGRATE_ROUTES,
  OVERVIEW_ROUTES,
  PASSWORD_ROUTES,
  PRODUCT_ROUTES,
  PROXY_ROUTES,
  REBALANCE_ROUTES,
  REDIS_ROUTES,
  REDIS_USER_ROUTES,
  RELOAD_ROUTES,
  SENTINEL_ROUTES,
  SERVER_GROUP_ROUTES,
  SLOWLOG_ROUTES,
  HOTKEYS_ROUTES,
  SLOT_ROUTES,
  SLOT_RULE_ROUTES,
  TOKEN_ROUTES,
  TOPOM_ROUTES,
  USER_ROUTES,
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
    const found = findRoute(API_TABLE, request.method, url);
    if (found === undefined) return json({ error: `no such path: ${url.pathname}` }, 404);
    if ("allow" in found) {
      return json({ error: `use ${found.allow}` }, 405, { allow: found.allow });
    }
    const { route, words } = found;
    const client = await provenClient(policy.token, request, url);
    const incoming = { request, url, remote, client };
    const passedOn = await askLeader(dashboard, route, incoming, policy.token);
    if (passedOn !== undefined) return passedOn;
    const who = await dashboard.access.admit(policy, incoming, route);
    // Routes read the body, too; it is here already.
    const body = route.changes ? await request.clone().text() : "";
    const call = {
      ...{ dashboard, ...incoming, words, note: {}, answerHeaders: new Headers() },
      who: "status" in who ? who.who ?? NOBODY : who,
    };
    const response = "status" in who ? refused(call, who) : await answerRoute(route, call);
    await noteRequest(route, call, body, response);
    return response;
  } catch (error) {
    return failureOf(error, request, url);
  }
}

async function answerRoute(route: ApiRoute, call: Call<string>): Promise<Response> {
  const { dashboard, request, url, answerHeaders } = call;
  try {
    if (route.needsLead) await dashboard.checkLead();
    const answer = await route.answer(call);
    if (isRefusal(answer)) return refused(call, answer);
    if (route.changes && answer === undefined) {
      return json({ msg: "OK", ret: 0 }, 200, Object.fromEntries(answerHeaders));
    }
    if (answer instanceof QueuedMoves) {
      const { slots, moves } = answer.plan;
      return json({ msg: "OK", ret: 0, slots, moves });
    }
    for (const [name, value] of Object.entries(JSON_HEADERS)) answerHeaders.set(name, value);
    return new Response(goIndented(answer), { headers: answerHeaders });
  } catch (error) {
    return failureOf(error, request, url, route.changes);
  }
}

/** What was changed, and what was refused, is noted; what was only read is not. */
async function noteRequest(
  route: ApiRoute,
  call: Call<string>,
  body: string,
  response: Response,
): Promise<void> {
  const { dashboard, request, who, note } = call;
  const { status } = response;
  if ((!route.changes || note.isDryRun) && !isRefused({ status })) return;
  // A page that waits for its user to log in asks every second.
  if (!route.changes && status === 401 && !showsWho(request)) return;
  const error = status < 400 ? "" : errorIn(await response.clone().text());
  const sender = { who: note.who ?? who.name, address: addressOf(call) };
  dashboard.audit.note({
    ...auditNote(request, body, sender, { status, error }),
    ...note.arguments === undefined ? {} : { arguments: shortArguments(note.arguments) },
  });
}

function errorIn(text: string): string {
  try {
    return String(JSON.parse(text).error ?? text);
  } catch {
    return text;
  }
}

function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === "object" && answer !== null && "status" in answer && "error" in answer;
}

/** Whether a request has a token or a session at all. */
function showsWho(request: Request): boolean {
  return request.headers.has("authorization") || sessionIdIn(request) !== "";
}

function refused({ dashboard, request }: Call, refusal: Refusal): Response {
  const { status, error, retryAfter } = refusal;
  // The page asks for a name and a password only where there are users.
  const more = status === 401 ? { has_users: dashboard.access.records.hasUsers } : {};
  const hasEnded = status === 401 && sessionIdIn(request) !== "";
  return json({ error, ...more }, status, {
    ...hasEnded ? { "set-cookie": sessionCookie(request, "") } : {},
    ...retryAfter === undefined ? {} : { "retry-after": `${retryAfter}` },
  });
}

/** @param isNoted Whether the audit trail has it, and with that the log. */
function failureOf(
  error: unknown,
  { method }: Request,
  { pathname: path }: URL,
  isNoted = false,
): Response {
  if (error instanceof InputError) {
    const { message, field, rule } = error;
    return json({ error: message, field, rule }, 400);
  }
  if (error instanceof ConfigError) return json({ error: error.message }, 400);
  if (error instanceof NotLeaderError) {
    return json({ error: error.message, leader: error.leader }, 503);
  }
  if (error instanceof ForceableError) {
    return json({ error: error.message, can_force: true }, 500);
  }
  if (error instanceof NotRegisteredError) return json({ error: error.message }, 409);
  const text = textOf(error);
  const isExpected = error instanceof StoreError || error instanceof UnconfirmedError;
  if (!isNoted && !isExpected) {
    log.error("{method} {path}: {error}", { method, path, error });
  }
  // Codis 2.0: 500 and the plain text.
  return new Response(text, {
    status: 500,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}

function textOf(error: unknown): string {
  if (error instanceof RecordError) return `${error.message}: ${RECORD_ADVICE}`;
  return error instanceof Error ? error.message : `${error}`;
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
