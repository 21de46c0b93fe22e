/**
 * Routes of slot rules: which keys belong together.
 *
 * @module
 */

import { InputError } from "../../control/errors.ts";
import { addSlotRules, keyPlaceOf, removeSlotRules } from "../../control/slot_rules.ts";
import type { SlotRule } from "../../hash/placement.ts";
import { SLOT_RULES_MAX } from "../../model/slot_rule.ts";
import { loadSlotRules } from "../../store/slot_rules.ts";
import { type Body, flagIn, onlyFields, readBody } from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";

/** See the header. */
export const SLOT_RULE_ROUTES: readonly ApiRoute[] = [
  read("/api/slot_rules", async ({ dashboard }) => {
    const { rules, pending } = await loadSlotRules(dashboard.store);
    return { rules, pending: pending ?? null };
  }),
  read("/api/slot_rules/test", ({ dashboard, url }) => {
    const key = url.searchParams.get("key");
    if (key === null) throw new InputError("key", "a key", undefined);
    return keyPlaceOf(dashboard, key);
  }),
  change("POST", "/api/slot_rules", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "rules", "first");
    const isFirst = flagIn(body, "first");
    await addSlotRules(dashboard.rulesContext, rulesIn(body), isFirst);
    await dashboard.monitor.tree.refreshRules().catch(() => {}); // it is read again soon
  }, "admin"),
  change("POST", "/api/slot_rules/remove", async ({ dashboard, request }) => {
    const body = onlyFields(await readBody(request), "patterns");
    const patterns = listIn(body, "patterns", "a list of patterns").map((pattern) => {
      if (typeof pattern === "string") return pattern;
      throw new InputError("patterns", "a list of patterns", pattern);
    });
    await removeSlotRules(dashboard.rulesContext, patterns);
    await dashboard.monitor.tree.refreshRules().catch(() => {}); // it is read again soon
  }, "admin"),
];

function rulesIn(body: Body): SlotRule[] {
  const wanted = "a list of objects with pattern and tag, both texts";
  return listIn(body, "rules", wanted).map((value) => {
    const { pattern, tag = "" } = (value ?? {}) as Partial<Record<"pattern" | "tag", unknown>>;
    if (typeof pattern === "string" && typeof tag === "string") return { pattern, tag };
    throw new InputError("rules", wanted, value);
  });
}

function listIn(body: Body, field: string, wanted: string): readonly unknown[] {
  const value = body[field];
  if (Array.isArray(value) && value.length > 0 && value.length <= SLOT_RULES_MAX) return value;
  throw new InputError(field, wanted, value);
}
