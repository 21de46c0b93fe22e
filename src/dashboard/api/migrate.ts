/**
 * Routes of migrations: slots that move from one group to another.
 *
 * @module
 */

import { CANCEL_MODES, type CancelMode } from "../../api/answers.ts";
import { deadFences, loadFences } from "../../store/fences.ts";
import { loadMigrateTasks } from "../../store/migrate_tasks.ts";
import { loadProxies } from "../../store/proxies.ts";
import { loadSlots } from "../../store/slots.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import {
  delayIn,
  flagIn,
  groupIdIn,
  onlyFields,
  readBody,
  readOptionalBody,
  slotRangeIn,
  wordIn,
} from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";

/** See the header. */
export const MIGRATE_ROUTES: readonly ApiRoute[] = [
  read("/api/migrate/status", async ({ dashboard }) => ({
    migrate_slots: (await loadSlots(dashboard.store, undefined, LEAVE_OUT)).filter(({ state }) =>
      state.status === "migrate" || state.status === "pre_migrate"
    ),
    migrate_task: null, // Codis 2.0 never fills it
  })),
  read("/api/migrate/tasks", async ({ dashboard }) => {
    return (await loadMigrateTasks(dashboard.store, LEAVE_OUT)).map(({ task }) => task);
  }),
  change("POST", "/api/migrate", async ({ dashboard, request }) => {
    const body = await readBody(request);
    const { from, to } = slotRangeIn(body);
    const delayMs = delayIn(body);
    const { store, migrations } = dashboard;
    await migrations.add(from, to, groupIdIn(body, "new_group"), delayMs, flagIn(body, "keep"));
    const fenced = deadFences(await loadFences(store), await loadProxies(store, LEAVE_OUT));
    return fenced.length === 0 ? undefined : { msg: "OK", ret: 0, fenced };
  }),
  change("DELETE", "/api/migrate/tasks/:name", async ({ dashboard, request, words }) => {
    await dashboard.migrations.cancel(words.name, await cancelModeIn(request));
  }),
  change("POST", "/api/migrate/cancel", async ({ dashboard, request }) => {
    await dashboard.migrations.cancelAll(await cancelModeIn(request));
  }),
  change("POST", "/api/migrate/pause", ({ dashboard }) => dashboard.migrations.pause()),
  change("POST", "/api/migrate/resume", ({ dashboard }) => dashboard.migrations.resume()),
];

async function cancelModeIn(request: Request): Promise<CancelMode | undefined> {
  const body = onlyFields(await readOptionalBody(request), "mode");
  return body["mode"] === undefined ? undefined : wordIn(body, "mode", CANCEL_MODES);
}
