/**
 * Routes of slots: read, initialised, assigned to a group.
 *
 * @module
 */

import { InputError } from "../../control/errors.ts";
import { initSlots, setSlotRange } from "../../control/slots.ts";
import { SLOT_STATUSES } from "../../model/slot.ts";
import { loadSlot, loadSlots } from "../../store/slots.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import { groupIdIn, readBody, slotIdOfPath, slotRangeIn, wordIn } from "../input.ts";
import { type ApiRoute, type Call, change, read } from "./route.ts";

/** See the header. */
export const SLOT_ROUTES: readonly ApiRoute[] = [
  read("/api/slots", ({ dashboard }) => loadSlots(dashboard.store, undefined, LEAVE_OUT)),
  read("/api/slot/list", ({ dashboard }) => loadSlots(dashboard.store, undefined, LEAVE_OUT)),
  read("/api/slot/:id", ({ dashboard, words }) => {
    return loadSlot(dashboard.store, slotIdOfPath(words.id));
  }),
  change("POST", "/api/slots/init", async (call) => {
    await initSlots(call.dashboard, await isForcedInit(call));
  }, "admin"),
  change("POST", "/api/slot", async ({ dashboard, request }) => {
    const body = await readBody(request);
    await setSlotRange(dashboard, {
      ...slotRangeIn(body),
      groupId: groupIdIn(body, "new_group"),
      status: wordIn(body, "status", SLOT_STATUSES, "online"),
    });
  }),
];

/** `is_force` of the query or of a form, as Codis 2.0 reads it. */
async function isForcedInit({ request, url }: Call): Promise<boolean> {
  const type = request.headers.get("content-type") ?? "";
  const form = type.startsWith("application/x-www-form-urlencoded")
    ? new URLSearchParams(await request.text())
    : undefined;
  const text = url.searchParams.get("is_force") ?? form?.get("is_force") ?? "false";
  if (["1", "true"].includes(text)) return true;
  if (["", "0", "false"].includes(text)) return false;
  throw new InputError("is_force", "1, true, 0 or false", text);
}
