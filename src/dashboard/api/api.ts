/**
 * The dashboard's HTTP API: one table of routes, Codis 2.0's and ours.
 *
 *     request ─► from whom? ─► route ─► leads? ─► input checked ─► operation ─► answer
 *
 * Success is answered as Codis 2.0 does, `{"msg":"OK","ret":0}` or an indented document, and so is what
 * it refuses: 500 and its own text. Input that breaks a rule is 400 with field and rule.
 *
 * @module
 */

import { CANCEL_MODES, type CancelMode, REBALANCE_BY } from "../../api/answers.ts";
import { type Access, type Gate, refusalOf } from "../../api/auth.ts";
import { logger } from "../../base/log.ts";
import { PROXY_STATES } from "../../model/proxy.ts";
import { SERVER_TYPES } from "../../model/server.ts";
import { SLOT_STATUSES } from "../../model/slot.ts";
import { checkTree } from "../../store/check.ts";
import { loadGroup, loadGroupIds, loadGroups, masterOf } from "../../store/groups.ts";
import { removeLocks } from "../../store/lock.ts";
import { loadMigrateTasks } from "../../store/migrate_tasks.ts";
import { loadTree, serverAddrs } from "../../store/product_tree.ts";
import { loadProxies } from "../../store/proxies.ts";
import { loadSlot, loadSlots } from "../../store/slots.ts";
import { StoreError } from "../../store/store.ts";
import { removeActionsBefore, removeOldActions } from "../../control/actions.ts";
import type { Dashboard } from "../dashboard.ts";
import { InputError, NotLeaderError, UnconfirmedError } from "../../control/errors.ts";
import { addGroup, addServer, removeGroup, removeServer } from "../../control/groups.ts";
import {
  addrIn,
  flagIn,
  groupIdIn,
  groupIdOfPath,
  integerOfText,
  nameIn,
  onlyFields,
  optionalInteger,
  readBody,
  readOptionalBody,
  slotIdOfPath,
  slotRangeIn,
  wordIn,
} from "../input.ts";
import { proxyVars, removeDeadFences, setProxyState } from "../../control/proxies.ts";
import { drainGroup, QueuedMoves, rebalance } from "../../migration/rebalance/request.ts";
import { askFacts, IDENTITY_MS } from "../../control/servers.ts";
import { overview, redisStat, slotKeys } from "../stat.ts";
import { initSlots, setSlotRange } from "../../control/slots.ts";

/** Longest delay between two moves of a migration, in milliseconds. */
const DELAY_MS_MAX = 3_600_000;
const KEEP_MAX = 1_000_000_000;

const log = logger("dashboard");

/** A request on its way. */
interface Call {
  readonly dashboard: Dashboard;
  readonly request: Request;
  readonly url: URL;
  /** What stands for the `:words` of the route's path. */
  readonly words: readonly string[];
}

/** What a route answers: done (nothing), or a document. */
type Answer = unknown;

interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Words that begin with ":" stand for any. */
  readonly path: string;
  /** Whether it changes anything; success is then told as Codis 2.0 does. */
  readonly changes: boolean;
  /** What must be shown for it. @default What it does. */
  readonly access?: Access;
  /** Whether only the dashboard that leads can answer; all that changes anything does. */
  readonly needsLead: boolean;
  readonly answer: (call: Call) => Promise<Answer>;
}

const read = (
  method: Route["method"],
  path: string,
  answer: Route["answer"],
): Route => ({ method, path, changes: false, needsLead: false, answer });
/** Reads what only the leader watches. */
const readPolled = (
  method: Route["method"],
  path: string,
  answer: Route["answer"],
): Route => ({ method, path, changes: false, needsLead: true, answer });
/** Reads what keeps a Redis server busy. */
const readCostly = (path: string, answer: Route["answer"]): Route => ({
  ...readPolled("GET", path, answer),
  access: "change",
});
const change = (
  method: Route["method"],
  path: string,
  answer: (call: Call) => Promise<void>,
): Route => ({ method, path, changes: true, needsLead: true, answer });

const ROUTES: readonly Route[] = [
  readPolled("GET", "/api/cluster", ({ dashboard }) => dashboard.view()),
  read("GET", "/api/check", async ({ dashboard }) => {
    const tree = await loadTree(dashboard.store);
    const open = (addr: string) => dashboard.redis(addr, IDENTITY_MS);
    return checkTree(tree, await askFacts(serverAddrs(tree), open));
  }),
  readPolled("GET", "/api/overview", ({ dashboard }) => Promise.resolve(overview(dashboard))),
  change("POST", "/api/login", () => Promise.resolve()),

  read("GET", "/api/server_groups", getGroups),
  change("PUT", "/api/server_groups", async ({ dashboard, request }) => {
    await addGroup(dashboard, groupIdIn(await readBody(request), "id"));
  }),
  read("GET", "/api/server_group/:id", async ({ dashboard, words }) => {
    return await loadGroup(dashboard.store, groupIdOfPath(words[0]!));
  }),
  change("DELETE", "/api/server_group/:id", async ({ dashboard, words }) => {
    await removeGroup(dashboard, groupIdOfPath(words[0]!));
  }),
  change("PUT", "/api/server_group/:id/addServer", async ({ dashboard, request, words }) => {
    const groupId = groupIdOfPath(words[0]!);
    const body = await readBody(request);
    await addServer(dashboard, {
      groupId,
      addr: addrIn(body, "addr"),
      type: wordIn(body, "type", SERVER_TYPES, "slave"),
      isForced: flagIn(body, "force"),
    }, dashboard.auth);
  }),
  change("PUT", "/api/server_group/:id/removeServer", async ({ dashboard, request, words }) => {
    const groupId = groupIdOfPath(words[0]!);
    await removeServer(dashboard, groupId, addrIn(await readBody(request), "addr"));
  }),
  change("POST", "/api/server_group/:id/promote", async ({ dashboard, request, words }) => {
    groupIdOfPath(words[0]!);
    const body = await readBody(request);
    // Codis 2.0 looks at the body's group alone.
    const groupId = groupIdIn(body, "group_id");
    await dashboard.promote(groupId, addrIn(body, "addr"), flagIn(body, "force"));
  }),

  readPolled(
    "GET",
    "/api/redis/:addr/stat",
    ({ dashboard, words }) => redisStat(dashboard, words[0]!),
  ),
  readCostly("/api/redis/:addr/:slot/slotinfo", ({ dashboard, words }) => {
    return slotKeys(dashboard, words[0]!, slotIdOfPath(words[1]!));
  }),
  readCostly("/api/redis/group/:id/:slot/slotinfo", async ({ dashboard, words }) => {
    const [groupId, slotId] = [groupIdOfPath(words[0]!), slotIdOfPath(words[1]!)];
    const { addr } = masterOf(await loadGroup(dashboard.store, groupId));
    const { keys } = await slotKeys(dashboard, addr, slotId);
    return { addr, group_id: groupId, keys, slot_id: slotId };
  }),

  read("GET", "/api/slots", ({ dashboard }) => loadSlots(dashboard.store)),
  read("GET", "/api/slot/list", ({ dashboard }) => loadSlots(dashboard.store)),
  read("GET", "/api/slot/:id", ({ dashboard, words }) => {
    return loadSlot(dashboard.store, slotIdOfPath(words[0]!));
  }),
  change("POST", "/api/slots/init", async ({ dashboard, request, url }) => {
    await initSlots(dashboard, await isForcedInit(request, url));
  }),
  change("POST", "/api/slot", async ({ dashboard, request }) => {
    const body = await readBody(request);
    await setSlotRange(dashboard, {
      ...slotRangeIn(body),
      groupId: groupIdIn(body, "new_group"),
      status: wordIn(body, "status", SLOT_STATUSES, "online"),
    });
  }),

  read("GET", "/api/migrate/status", async ({ dashboard }) => ({
    migrate_slots: (await loadSlots(dashboard.store)).filter(({ state }) =>
      state.status === "migrate" || state.status === "pre_migrate"
    ),
    migrate_task: null, // Codis 2.0 never fills it
  })),
  read("GET", "/api/migrate/tasks", async ({ dashboard }) => {
    return (await loadMigrateTasks(dashboard.store)).map(({ task }) => task);
  }),
  change("POST", "/api/migrate", async ({ dashboard, request }) => {
    const body = await readBody(request);
    const { from, to } = slotRangeIn(body);
    const delayMs = optionalInteger(body, "delay", 0, DELAY_MS_MAX, 0);
    await dashboard.migrations.add(from, to, groupIdIn(body, "new_group"), delayMs);
  }),
  change("DELETE", "/api/migrate/tasks/:name", async ({ dashboard, request, words }) => {
    await dashboard.migrations.cancel(words[0]!, await cancelModeIn(request));
  }),
  change("POST", "/api/migrate/cancel", async ({ dashboard, request }) => {
    await dashboard.migrations.cancelAll(await cancelModeIn(request));
  }),
  change("POST", "/api/migrate/pause", ({ dashboard }) => dashboard.migrations.pause()),
  change("POST", "/api/migrate/resume", ({ dashboard }) => dashboard.migrations.resume()),
  {
    method: "POST",
    path: "/api/rebalance",
    changes: true,
    needsLead: true,
    answer: async ({ dashboard, request }) => {
      const body = onlyFields(await readOptionalBody(request), "by", "dry_run", "delay");
      return await rebalance(dashboard, {
        // What Codis 2.0's request, which has no body, means.
        by: wordIn(body, "by", REBALANCE_BY, "memory"),
        isDryRun: flagIn(body, "dry_run"),
        delayMs: optionalInteger(body, "delay", 0, DELAY_MS_MAX, 0),
      });
    },
  },
  {
    method: "POST",
    path: "/api/server_group/:id/drain",
    changes: true,
    needsLead: true,
    answer: async ({ dashboard, request, words }) => {
      const groupId = groupIdOfPath(words[0]!);
      const body = onlyFields(await readOptionalBody(request), "dry_run", "delay");
      return await drainGroup(dashboard, groupId, {
        isDryRun: flagIn(body, "dry_run"),
        delayMs: optionalInteger(body, "delay", 0, DELAY_MS_MAX, 0),
      });
    },
  },

  read("GET", "/api/proxy/list", ({ dashboard }) => loadProxies(dashboard.store)),
  read("GET", "/api/proxy/debug/vars", getProxyVars),
  change("POST", "/api/proxy", async ({ dashboard, request }) => {
    const body = await readBody(request);
    const state = wordIn(body, "state", PROXY_STATES);
    await setProxyState(dashboard, nameIn(body, "id"), state);
  }),

  // GET as in Codis 2.0, for its tools; POST for browsers, which then tell what page asks.
  ...(["GET", "POST"] as const).flatMap((method) => [
    change(method, "/api/action/gc", collectActions),
    change(method, "/api/force_remove_locks", ({ dashboard }) => removeLocks(dashboard.store)),
    change(method, "/api/remove_fence", async ({ dashboard }) => {
      await removeDeadFences(dashboard);
    }),
  ]),
];

/**
 * Answers a request of the API.
 *
 * @param remote The address that it came from, without port.
 */
export async function answerApi(
  dashboard: Dashboard,
  gate: Gate,
  request: Request,
  remote: string,
): Promise<Response> {
  const url = new URL(request.url);
  try {
    const found = findRoute(request.method, url.pathname);
    if (found === undefined) return json({ error: `no such path: ${url.pathname}` }, 404);
    if ("allow" in found) {
      return json({ error: `use ${found.allow}` }, 405, { allow: found.allow });
    }
    const { route, words } = found;
    const access = route.access ?? (route.changes ? "change" : "read");
    const refusal = refusalOf(gate, { request, url, remote }, access);
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

function failureOf(error: unknown, request: Request, url: URL): Response {
  if (error instanceof InputError) {
    const { message, field, rule } = error;
    return json({ error: message, field, rule }, 400);
  }
  if (error instanceof NotLeaderError) {
    return json({ error: error.message, leader: error.leader }, 503);
  }
  const text = error instanceof Error ? error.message : `${error}`;
  const isExpected = error instanceof StoreError || error instanceof UnconfirmedError;
  if (isExpected) {
    log.info("{method} {path}: {text}", { method: request.method, path: url.pathname, text });
  } else {log.error("{method} {path}: {error}", {
      method: request.method,
      path: url.pathname,
      error,
    });}
  // Codis 2.0: 500 and the plain text.
  return new Response(text, {
    status: 500,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}

function findRoute(
  method: string,
  pathname: string,
): { route: Route; words: string[] } | { allow: string } | undefined {
  const parts = pathname.split("/");
  const allowed: string[] = [];
  for (const route of ROUTES) {
    const words = matchPath(route.path, parts);
    if (words === undefined) continue;
    if (route.method === method) return { route, words };
    allowed.push(route.method);
  }
  return allowed.length === 0 ? undefined : { allow: [...new Set(allowed)].join(", ") };
}

function matchPath(path: string, parts: readonly string[]): string[] | undefined {
  const wanted = path.split("/");
  if (wanted.length !== parts.length) return undefined;
  const words: string[] = [];
  for (const [i, word] of wanted.entries()) {
    const part = parts[i]!;
    if (!word.startsWith(":")) {
      if (word !== part) return undefined;
    } else {
      if (part === "") return undefined;
      words.push(decode(part));
    }
  }
  return words;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new InputError("path", "percent-encoded UTF-8", part);
  }
}

async function getGroups({ dashboard }: Call): Promise<Answer> {
  const { store } = dashboard;
  const ids = await loadGroupIds(store);
  return ids.length === 0 ? null : await loadGroups(store);
}

async function getProxyVars({ dashboard }: Call): Promise<Answer> {
  const proxies = await loadProxies(dashboard.store);
  try {
    const vars = await Promise.all(
      proxies.map(async (proxy) => [proxy.id, await proxyVars(proxy)]),
    );
    return Object.fromEntries(vars);
  } catch {
    throw new StoreError("Error getting proxy debug vars"); // Codis 2.0 text
  }
}

async function isForcedInit(request: Request, url: URL): Promise<boolean> {
  const type = request.headers.get("content-type") ?? "";
  const form = type.startsWith("application/x-www-form-urlencoded")
    ? new URLSearchParams(await request.text())
    : undefined;
  const text = url.searchParams.get("is_force") ?? form?.get("is_force") ?? "false";
  if (["1", "true"].includes(text)) return true;
  if (["", "0", "false"].includes(text)) return false;
  throw new InputError("is_force", "1, true, 0 or false", text);
}

async function cancelModeIn(request: Request): Promise<CancelMode | undefined> {
  const body = onlyFields(await readOptionalBody(request), "mode");
  return body["mode"] === undefined ? undefined : wordIn(body, "mode", CANCEL_MODES);
}

async function collectActions({ dashboard, url }: Call): Promise<void> {
  const [keep, secs] = [url.searchParams.get("keep"), url.searchParams.get("secs")];
  // A negative keep is how Codis 2.0's own commands say that secs is meant.
  if (secs !== null && (keep === null || keep.startsWith("-"))) {
    const seconds = integerOfText("secs", secs, 0, KEEP_MAX);
    await removeActionsBefore(dashboard.store, seconds);
  } else if (keep !== null) {
    await removeOldActions(dashboard.store, integerOfText("keep", keep, 0, KEEP_MAX));
  } else {
    throw new InputError("keep", "given, or secs", undefined);
  }
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
