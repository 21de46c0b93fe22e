/**
 * The route that spreads the slots over the groups.
 *
 * @module
 */

import { type GroupLoad, REBALANCE_BY } from "../../api/answers.ts";
import { rebalance } from "../../migration/rebalance/request.ts";
import { delayIn, flagIn, onlyFields, readOptionalBody, wordIn } from "../input.ts";
import { tooHot } from "../../migration/rebalance/too_hot.ts";
import { loadSlots } from "../../store/slots.ts";
import { askAllHotKeys } from "./hotkeys.ts";
import { type ApiRoute, change } from "./route.ts";

/** See the header. */
export const REBALANCE_ROUTES: readonly ApiRoute[] = [
  change("POST", "/api/rebalance", async ({ dashboard, request, note }) => {
    const body = onlyFields(await readOptionalBody(request), "by", "dry_run", "delay");
    note.isDryRun = flagIn(body, "dry_run");
    // Codis 2.0's request says nothing and means memory.
    const by = wordIn(body, "by", REBALANCE_BY, "memory");
    const options = { by, isDryRun: note.isDryRun, delayMs: delayIn(body) };
    const plan = await rebalance(dashboard, options);
    if (!("loads" in plan)) return plan;
    const { sum: { hot } } = await askAllHotKeys(dashboard, null);
    const groups = (await loadSlots(dashboard.store)).map(({ group_id }) => group_id);
    return { ...plan, hot_keys: tooHot(plan.loads as readonly GroupLoad[], hot, groups) };
  }),
];
