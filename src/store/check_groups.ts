/**
 * Rules that groups, servers and migration tasks must keep.
 *
 * @module
 */

import type { MigrateTaskRecord } from "../model/migrate_task.ts";
import { encodeServer } from "../model/server.ts";
import type { DecodedTree, Named, PlacedServer } from "./decoded_tree.ts";
import { CONFIG, errorAt, type Problem, warningAt } from "./problem.ts";

/** A group that slots need has one master; no group has two. */
export function findMasterCounts(product: DecodedTree): Problem[] {
  const { tree, slots, groupIds, servers } = product;
  const needed = new Set(
    [...slots.values()].flatMap(({ group_id, state }) => [group_id, state.migrate_status.from]),
  );
  return [...groupIds].sort((a, b) => a - b).flatMap((groupId) => {
    const path = tree.paths.group(groupId);
    const own = servers.filter((server) => server.groupId === groupId);
    const masters = own.filter(({ record }) => record.type === "master");
    if (masters.length > 1) {
      const problem = `two masters: ${masters.map(({ addr }) => addr).join(", ")}`;
      const real = realMaster(product, own);
      if (real !== undefined) {
        const fix = `${CONFIG} server promote ${groupId} ${real}`;
        return [errorAt(path, `${problem}; the others follow ${real}`, fix)];
      }
      const fix =
        `${CONFIG} server promote ${groupId} <redis_addr> --force, for the one that has all data: the ` +
        "others are offline then, and keep what they have";
      return [errorAt(path, problem, fix)];
    }
    if (masters.length === 1 || !needed.has(groupId)) return [];
    const fix = own.length === 0
      ? `${CONFIG} server add ${groupId} <redis_addr> master`
      : `${CONFIG} server promote ${groupId} ${realMaster(product, own) ?? own[0]!.addr}`;
    return [errorAt(path, "no master, though slots need it", fix)];
  });
}

/** The server of a group that follows nobody, while all its stored masters do, or are it; undefined: there is none. */
export function realMaster(
  { facts }: Pick<DecodedTree, "facts">,
  own: readonly PlacedServer[],
): string | undefined {
  const idOf = (addr: string) => facts.get(addr)?.runId || addr;
  const masters = own.filter(({ record }) => record.type === "master").map(({ addr }) => addr);
  const follows = (each: string, addr: string) =>
    idOf(facts.get(each)?.follows ?? "") === idOf(addr);
  const followers = (addr: string) => own.filter((each) => follows(each.addr, addr)).length;
  const [real] = own.map(({ addr }) => addr).filter((addr) =>
    facts.get(addr)?.follows === "" &&
    masters.every((each) => each === addr || follows(each, addr))
  ).sort((a, b) => followers(b) - followers(a));
  return real;
}

/** The record of a server agrees with its path. */
export function findMisplacedServers({ tree, servers }: DecodedTree): Problem[] {
  return servers.flatMap(({ groupId, addr, record }) => {
    const wrong: string[] = [];
    if (record.group_id !== groupId) wrong.push(`group_id is ${record.group_id}, not ${groupId}`);
    if (record.addr !== addr) wrong.push(`addr is "${record.addr}", not its name`);
    if (wrong.length === 0) return [];
    const path = tree.paths.server(groupId, addr);
    const fix = "correct it in the coordinator";
    const data = encodeServer({ ...record, group_id: groupId, addr });
    return [errorAt(path, wrong.join("; "), fix, { path, data })];
  });
}

/** A server is in one group: in two it would be given the slots of both. */
export function findServersInTwoGroups({ tree, servers }: DecodedTree): Problem[] {
  const first = new Map<string, PlacedServer>();
  return servers.flatMap((server) => {
    const { groupId, addr } = server;
    const other = first.get(addr);
    if (other === undefined) {
      first.set(addr, server);
      return [];
    }
    const problem = `${addr} is in group ${other.groupId} as well`;
    const fix = `${CONFIG} server remove ${groupId} ${addr}, or the other one`;
    return [errorAt(tree.paths.server(groupId, addr), problem, fix)];
  });
}

/** A task is about a slot and a group that are there. */
export function findBadTasks({ tree, tasks, slotIds, groupIds }: DecodedTree): Problem[] {
  return tasks.flatMap(({ name, record: { slot_id, new_group } }) => {
    const missing: string[] = [];
    if (!slotIds.has(slot_id)) missing.push(`slot ${slot_id}`);
    if (!groupIds.has(new_group)) missing.push(`group ${new_group}`);
    if (missing.length === 0) return [];
    const problem = `a task for ${missing.join(" and ")}, which is not there`;
    const path = tree.paths.migrateTask(name);
    return [errorAt(path, problem, `${CONFIG} slot cancel ${name}`, { path })];
  });
}

/** A slot has one task. */
export function findDoubleTasks({ tree, tasks }: DecodedTree): Problem[] {
  const first = new Map<number, Named<MigrateTaskRecord>>();
  return tasks.flatMap((task) => {
    const { name, record: { slot_id, new_group } } = task;
    const other = first.get(slot_id);
    if (other === undefined) {
      first.set(slot_id, task);
      return [];
    }
    const path = tree.paths.migrateTask(name);
    const problem = `slot ${slot_id} has an earlier task, ${other.name}`;
    const fix = `${CONFIG} slot cancel ${name}, or the other one`;
    // Where both want the same, one does.
    const repairs = other.record.new_group === new_group ? [{ path }] : [];
    return [warningAt(path, problem, fix, ...repairs)];
  });
}
