/**
 * The plan of an import, made before anything is changed: pure.
 *
 *     there: a pool, another product ─┐
 *                                     ├─► plan: groups, servers, slots; what exists is marked
 *     here: this cluster ─────────────┘
 *
 * @module
 */

import { SLOT_COUNT } from "../../../hash/slot_id.ts";
import type { GroupRecord } from "../../../model/group.ts";
import type { ServerRecord, ServerType } from "../../../model/server.ts";
import type { SlotRecord } from "../../../model/slot.ts";
import { slotsText } from "../../../model/slot_ranges.js";
import type { TwemproxyPool } from "./twemproxy_pool.ts";

/** A group to create; fields are spelled as they are printed. */
export interface GroupStep {
  readonly group_id: number;
  readonly is_there: boolean;
}

/** A server to add. */
export interface ServerStep extends GroupStep {
  readonly addr: string;
  readonly type: ServerType;
  /** Left out: in none. */
  readonly zone?: string;
}

/** Slots to assign to a group, both ends included. */
export interface SlotStep extends GroupStep {
  readonly from: number;
  readonly to: number;
}

/** Everything that an import does; `is_there` marks what exists already. */
export interface ImportPlan {
  readonly warnings: readonly string[];
  readonly groups: readonly GroupStep[];
  /** The master of a group before its slaves. */
  readonly servers: readonly ServerStep[];
  /** Whether slots must be created before they can be assigned. */
  readonly makes_slots: boolean;
  readonly slots: readonly SlotStep[];
  /** Proxies of the other product that go on serving, and hear of no change here: their addresses are fenced. */
  readonly fences?: readonly string[];
}

/** The clusters contradict each other; the message is one line for the user. */
export class ImportError extends Error {
  override readonly name = "ImportError";
}

/** Plans one group for each server of a pool, in order, from the next free number on. */
export function planPool(pool: TwemproxyPool, here: readonly GroupRecord[]): ImportPlan {
  const known = serversByAddr(here);
  let nextId = Math.max(0, ...here.map(({ id }) => id)) + 1;
  const warnings = [...pool.warnings];
  const servers = pool.servers.map((addr): ServerStep => {
    const server = known.get(addr);
    if (server === undefined) return { group_id: nextId++, addr, type: "master", is_there: false };
    if (server.type !== "master") {
      warnings.push(
        `${addr} is ${server.type} in group ${server.group_id} here: it stays unchanged`,
      );
    }
    return { group_id: server.group_id, addr, type: server.type, is_there: true };
  });
  const groups = servers.map(({ group_id, is_there }) => ({ group_id, is_there }));
  return { warnings, groups, servers, makes_slots: false, slots: [] };
}

/**
 * Plans the groups of another product, with their numbers and roles.
 *
 * @param zones The zones of servers, by address.
 * @throws {ImportError} When a group or server is different here, or a group there has not one master.
 */
export function planGroups(
  there: readonly GroupRecord[],
  here: readonly GroupRecord[],
  zones: ReadonlyMap<string, string> = new Map(),
): ImportPlan {
  const known = serversByAddr(here);
  const warnings: string[] = [];
  const groups: GroupStep[] = [];
  const servers: ServerStep[] = [];
  for (const { id, servers: list } of [...there].sort((a, b) => a.id - b.id)) {
    const own = here.find((group) => group.id === id);
    groups.push({ group_id: id, is_there: own !== undefined });
    const wanted = (list ?? []).filter(({ type }) => type !== "offline");
    for (const { addr } of (list ?? []).filter(({ type }) => type === "offline")) {
      warnings.push(`${addr} of group ${id} is offline there: not imported`);
    }
    const master = checkMaster(id, wanted, own);
    for (const { addr, type } of wanted) {
      const server = known.get(addr);
      if (server !== undefined && server.group_id !== id) {
        throw new ImportError(
          `${addr} is in group ${id} there and in group ${server.group_id} here: remove it from one`,
        );
      }
      if (server !== undefined && server.type !== type) {
        warnings.push(`${addr} of group ${id} is ${server.type} here: it stays unchanged`);
      }
      const step = {
        group_id: id,
        addr,
        type: server?.type ?? type,
        is_there: server !== undefined,
        ...zones.has(addr) && { zone: zones.get(addr)! },
      };
      // A group's first server becomes its master.
      if (addr === master?.addr) servers.splice(firstOf(servers, id), 0, step);
      else servers.push(step);
    }
  }
  return { warnings, groups, servers, makes_slots: false, slots: [] };
}

/**
 * Plans to assign slots to the groups that own them in another product; slots that are offline there stay
 * offline here.
 *
 * @throws {ImportError} When slots migrate or are missing there, or have other owners here.
 */
export function planSlots(
  there: readonly SlotRecord[],
  here: readonly SlotRecord[],
  groups: readonly GroupStep[],
): Pick<ImportPlan, "makes_slots" | "slots"> {
  const [theirs, ours] = [byId(there), byId(here)];
  refuse(missingIds(theirs), "not stored there: a product must have all slots");
  const moving = there.filter(({ state }) => state.status.endsWith("migrate"));
  refuse(moving.map(({ id }) => id), "migrating there: wait until the migration is done");
  const known = new Set(groups.map(({ group_id }) => group_id));
  const served = there.filter(({ state }) => state.status === "online");
  const unowned = served.filter(({ group_id }) => !known.has(group_id));
  refuse(unowned.map(({ id }) => id), "owned there by groups that do not exist");
  const makesSlots = ours.size === 0;
  if (!makesSlots) refuse(missingIds(ours), "not stored here: see `codis-proxy config check`");
  const taken = served.filter(({ id, group_id }) => {
    const slot = ours.get(id);
    const isFree = slot === undefined || slot.state.status === "offline";
    return !isFree && !(slot.state.status === "online" && slot.group_id === group_id);
  });
  refuse(taken.map(({ id }) => id), "not offline here: --slots assigns only offline slots");
  const steps: SlotStep[] = [];
  for (const { id, group_id } of [...served].sort((a, b) => a.id - b.id)) {
    const is_there = ours.get(id)?.state.status === "online";
    const last = steps.at(-1);
    const isNext = last?.to === id - 1 && last.group_id === group_id && last.is_there === is_there;
    if (isNext) steps[steps.length - 1] = { ...last, to: id };
    else steps.push({ from: id, to: id, group_id, is_there });
  }
  return { makes_slots: makesSlots, slots: steps };
}

/** The only master of a group there; the group here must not have another one. */
function checkMaster(
  groupId: number,
  servers: readonly ServerRecord[],
  own: GroupRecord | undefined,
): ServerRecord | undefined {
  const masters = servers.filter(({ type }) => type === "master");
  if (servers.length > 0 && masters.length !== 1) {
    const count = masters.length === 0 ? "no master" : "two masters";
    throw new ImportError(`group ${groupId} has ${count} there: correct that first`);
  }
  const other = (own?.servers ?? []).find(({ type }) => type === "master");
  const [master] = masters;
  if (master !== undefined && other !== undefined && other.addr !== master.addr) {
    throw new ImportError(
      `the master of group ${groupId} is ${master.addr} there and ${other.addr} here: ` +
        "groups keep their numbers, so this number must be free here",
    );
  }
  return master;
}

function serversByAddr(groups: readonly GroupRecord[]): Map<string, ServerRecord> {
  const servers = groups.flatMap(({ id, servers }) =>
    (servers ?? []).map((server): ServerRecord => ({ ...server, group_id: id }))
  );
  return new Map(servers.map((server) => [server.addr, server]));
}

function firstOf(servers: readonly ServerStep[], groupId: number): number {
  const first = servers.findIndex(({ group_id }) => group_id === groupId);
  return first < 0 ? servers.length : first;
}

function byId(slots: readonly SlotRecord[]): Map<number, SlotRecord> {
  return new Map(slots.map((slot) => [slot.id, slot]));
}

function missingIds(slots: ReadonlyMap<number, SlotRecord>): number[] {
  return Array.from({ length: SLOT_COUNT }, (_, id) => id).filter((id) => !slots.has(id));
}

/** @throws {ImportError} When there are such slots; it names them. */
function refuse(slotIds: readonly number[], reason: string): void {
  if (slotIds.length === 0) return;
  const verb = slotIds.length === 1 ? "is" : "are";
  throw new ImportError(`${slotsText(slotIds)} ${verb} ${reason}`);
}
