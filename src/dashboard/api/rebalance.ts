/**
 * The route that spreads the slots over the groups.
 *
 * @module
 */

import { REBALANCE_BY } from "../../api/answers.ts";
import { rebalance } from "../../migration/rebalance/request.ts";
import { delayIn, flagIn, onlyFields, readOptionalBody, wordIn } from "../input.ts";
import { type ApiRoute, change } from "./route.ts";

/** See the header. */
export const REBALANCE_ROUTES: readonly ApiRoute[] = [
  change("POST", "/api/rebalance", async ({ dashboard, request, note }) => {
    const body = onlyFields(await readOptionalBody(request), "by", "dry_run", "delay");
    note.isDryRun = flagIn(body, "dry_run");
    return await rebalance(dashboard, {
      // Codis 2.0's request has no body and means this.
      by: wordIn(body, "by", REBALANCE_BY, "memory"),
      isDryRun: note.isDryRun,
      delayMs: delayIn(body),
    });
  }),
];
