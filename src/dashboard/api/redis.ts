/**
 * Routes of Redis servers: INFO, and how many keys a slot has there.
 *
 * @module
 */

import type { GroupSlotKeysAnswer, SlotKeysAnswer } from "../../api/answers.ts";
import type { ServerDetail } from "../../api/detail_view.ts";
import { InputError } from "../../control/errors.ts";
import { readServerDetail } from "../../control/server_detail.ts";
import { readInfoWithMaxmemory, type RedisInfo } from "../../redis/info.ts";
import { loadGroup, masterOf } from "../../store/groups.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import type { Dashboard } from "../dashboard.ts";
import { groupIdOfPath, slotIdOfPath } from "../input.ts";
import { type ApiRoute, readCostly, readMonitored } from "./route.ts";

/** See the header. */
export const REDIS_ROUTES: readonly ApiRoute[] = [
  readMonitored("/api/redis/:addr/stat", async ({ dashboard, words }): Promise<RedisInfo> => {
    checkKnown(dashboard, words.addr);
    using redis = await dashboard.redis(words.addr);
    return codis2Info(await readInfoWithMaxmemory(redis));
  }),
  readCostly("/api/redis/:addr/detail", async ({ dashboard, words }): Promise<ServerDetail> => {
    checkKnown(dashboard, words.addr);
    using redis = await dashboard.redis(words.addr);
    return await readServerDetail(redis, Date.now());
  }),
  readCostly("/api/redis/:addr/:slot/slotinfo", ({ dashboard, words }) => {
    return slotKeys(dashboard, words.addr, slotIdOfPath(words.slot));
  }),
  readCostly(
    "/api/redis/group/:id/:slot/slotinfo",
    async ({ dashboard, words }): Promise<GroupSlotKeysAnswer> => {
      const [groupId, slotId] = [groupIdOfPath(words.id), slotIdOfPath(words.slot)];
      const { addr } = masterOf(await loadGroup(dashboard.store, groupId, LEAVE_OUT));
      const { keys } = await slotKeys(dashboard, addr, slotId);
      return { addr, group_id: groupId, keys, slot_id: slotId };
    },
  ),
];

/** INFO as Codis 2.0 answers it: sorted by field, and with a sign where `maxmemory` has no limit. */
export function codis2Info(info: RedisInfo): RedisInfo {
  const maxmemory = info["maxmemory"] ?? "0";
  const shown = { ...info, maxmemory: maxmemory === "0" ? "∞" : maxmemory };
  return Object.fromEntries(Object.entries(shown).sort(([a], [b]) => a < b ? -1 : 1));
}

async function slotKeys(
  dashboard: Dashboard,
  addr: string,
  slotId: number,
): Promise<SlotKeysAnswer> {
  checkKnown(dashboard, addr);
  return { keys: await dashboard.slotKeys.count(addr, slotId), slot_id: slotId };
}

/** @throws {InputError} When the address is of no server in a group: we connect to nothing else. */
function checkKnown({ monitor }: Dashboard, addr: string): void {
  const isKnown = monitor.tree.groups.some(({ servers }) =>
    servers?.some((each) => each.addr === addr)
  );
  if (!isKnown) throw new InputError("addr", "the address of a server of a group", addr);
}
