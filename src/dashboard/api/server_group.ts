/**
 * Routes of server groups and of the servers in them.
 *
 * @module
 */

import type { GroupAnswer, SwitchedAnswer } from "../../api/answers.ts";
import {
  addGroup,
  addServer,
  removeGroup,
  removeServer,
  setServerZone,
} from "../../control/groups.ts";
import { successorIn } from "../../control/switch_master.ts";
import { drainGroup } from "../../migration/rebalance/request.ts";
import type { GroupRecord } from "../../model/group.ts";
import { RecordError } from "../../model/record.ts";
import { SERVER_TYPES } from "../../model/server.ts";
import { loadGroup, loadGroupIds, loadGroups } from "../../store/groups.ts";
import { loadServerZones } from "../../store/server_zones.ts";
import type { Store } from "../../store/store.ts";
import { LEAVE_OUT } from "../../store/unreadable.ts";
import {
  addrIn,
  delayIn,
  flagIn,
  groupIdIn,
  groupIdOfPath,
  onlyFields,
  readBody,
  readOptionalBody,
  wordIn,
  zoneIn,
} from "../input.ts";
import { type ApiRoute, change, read } from "./route.ts";

/** See the header. */
export const SERVER_GROUP_ROUTES: readonly ApiRoute[] = [
  read("/api/server_groups", async ({ dashboard: { store } }) => {
    const ids = await loadGroupIds(store);
    return ids.length === 0 ? null : await withZones(store, await loadGroups(store, LEAVE_OUT));
  }),
  change("PUT", "/api/server_groups", async ({ dashboard, request }) => {
    await addGroup(dashboard, groupIdIn(await readBody(request), "id"));
  }),
  read("/api/server_group/:id", async ({ dashboard: { store }, words }) => {
    const [group] = await withZones(store, [
      await loadGroup(store, groupIdOfPath(words.id), LEAVE_OUT),
    ]);
    return group;
  }),
  change("DELETE", "/api/server_group/:id", async ({ dashboard, words }) => {
    await removeGroup(dashboard, groupIdOfPath(words.id));
  }, "admin"),
  change("PUT", "/api/server_group/:id/addServer", async ({ dashboard, request, words }) => {
    const groupId = groupIdOfPath(words.id);
    const body = await readBody(request);
    await addServer(dashboard, {
      groupId,
      addr: addrIn(body, "addr"),
      type: wordIn(body, "type", SERVER_TYPES, "slave"),
      isForced: flagIn(body, "force"),
      isGroupKnown: flagIn(body, "must_exist"),
      zone: zoneIn(body),
    }, dashboard.auth);
  }),
  change("PUT", "/api/server_group/:id/zone", async ({ dashboard, request, words }) => {
    const groupId = groupIdOfPath(words.id);
    const body = onlyFields(await readBody(request), "addr", "zone");
    await setServerZone(dashboard, groupId, addrIn(body, "addr"), zoneIn(body) ?? "");
  }),
  change("PUT", "/api/server_group/:id/removeServer", async ({ dashboard, request, words }) => {
    const groupId = groupIdOfPath(words.id);
    await removeServer(dashboard, groupId, addrIn(await readBody(request), "addr"));
  }, "admin"),
  change("POST", "/api/server_group/:id/switch", async ({ dashboard, request, words }) => {
    onlyFields(await readOptionalBody(request));
    const groupId = groupIdOfPath(words.id);
    const addr = await successorIn(dashboard, groupId);
    await dashboard.promote(groupId, addr, false);
    return { msg: "OK", ret: 0, addr } satisfies SwitchedAnswer;
  }),
  change("POST", "/api/server_group/:id/promote", async ({ dashboard, request, words }) => {
    groupIdOfPath(words.id);
    const body = await readBody(request);
    // Codis 2.0 takes the group from the body alone.
    const groupId = groupIdIn(body, "group_id");
    await dashboard.promote(groupId, addrIn(body, "addr"), flagIn(body, "force"));
  }),
  change("POST", "/api/server_group/:id/drain", async ({ dashboard, request, words, note }) => {
    const groupId = groupIdOfPath(words.id);
    const body = onlyFields(await readOptionalBody(request), "dry_run", "delay");
    note.isDryRun = flagIn(body, "dry_run");
    return await drainGroup(dashboard, groupId, {
      isDryRun: note.isDryRun,
      delayMs: delayIn(body),
    });
  }),
];

/** Groups, with the zones of those servers that have one. What is wrong with zones, `config check` says. */
async function withZones(store: Store, groups: readonly GroupRecord[]): Promise<GroupAnswer[]> {
  const known = await loadServerZones(store).catch((error) => {
    if (error instanceof RecordError) return [];
    throw error;
  });
  const zones = new Map(known.map(({ addr, zone }) => [addr, zone]));
  return groups.map((group) => ({
    ...group,
    servers: group.servers?.map((server) => {
      const zone = zones.get(server.addr);
      return zone === undefined ? server : { ...server, zone };
    }) ?? null,
  }));
}
