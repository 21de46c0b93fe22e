/**
 * The view of the cluster that the page shows: what is stored, and what servers and proxies answer.
 *
 * @module
 */

import type { ClusterView, GroupView, SlotsView } from "../api/cluster_view.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ServerType } from "../model/server.ts";
import { NO_GROUP, type SlotRecord } from "../model/slot.ts";
import type { ClientLogins } from "./client_logins.ts";
import type { LibraryMonitor } from "./libraries.ts";
import type { Monitor } from "./monitor.ts";
import type { OwnView } from "./servers.ts";

/** The part of the view that is monitored. */
export type MonitoredView = Pick<
  ClusterView,
  | "ops"
  | "sessions"
  | "keys"
  | "memory_bytes"
  | "history"
  | "groups"
  | "slots"
  | "proxies"
  | "slot_rules"
  | "allowed_commands"
  | "dead_fences"
  | "unreadable_records"
>;

/** The cluster as it was last seen. */
export function monitoredView(monitor: Monitor): MonitoredView {
  const { proxies } = monitor;
  const groups = groupViews(monitor);
  const masters = groups.flatMap(({ servers }) => servers.filter(({ type }) => type === "master"));
  return {
    ops: proxies.ops,
    sessions: proxies.sessions,
    keys: sumKnown(masters.map(({ keys }) => keys)),
    memory_bytes: sumKnown(masters.map(({ memory_bytes }) => memory_bytes)),
    history: monitor.history.view,
    groups,
    slots: slotsView(monitor),
    proxies: proxies.views(),
    slot_rules: monitor.tree.slotRules,
    allowed_commands: monitor.tree.allowedCommands,
    dead_fences: proxies.deadFences,
    unreadable_records: [...monitor.tree.unreadable, ...proxies.unreadable],
  };
}

function sumKnown(numbers: readonly (number | null)[]): number {
  return numbers.reduce<number>((sum, number) => sum + (number ?? 0), 0);
}

/** The order of servers on the page. */
const TYPE_ORDER: readonly ServerType[] = ["master", "slave", "offline"];

function groupViews(
  { tree, servers: monitored, proxies, libraries, logins }: Monitor,
): GroupView[] {
  return tree.groups.map((group) => {
    const master = masterAddr(group) ?? "";
    const ordered = [...group.servers ?? []].sort((a, b) =>
      TYPE_ORDER.indexOf(a.type) - TYPE_ORDER.indexOf(b.type)
    );
    const reads = ordered.map(({ addr }) => proxies.readsOf(addr));
    const total = reads.reduce((sum, each) => sum + (each?.reads ?? 0), 0);
    return {
      id: group.id,
      slots: tree.slotCount(group.id),
      servers: ordered.map((server, i) => ({
        ...withProblem(monitored.view(server, master), logins, libraries),
        private_connections: proxies.privatesOf(server.addr),
        refused: proxies.refusals().get(server.addr) ?? null,
        zone: tree.zones.get(server.addr) ?? "",
        reads: shareOf(reads[i]!, total),
      })),
    };
  });
}

/** The server, with why it refuses proxies, or how its function libraries differ, if nothing else is wrong with it. */
function withProblem(view: OwnView, logins: ClientLogins, libraries: LibraryMonitor): OwnView {
  const { addr, problem } = view;
  return { ...view, problem: problem || logins.refusalOf(addr) || libraries.problemOf(addr) };
}

function shareOf(
  own: { reads: number; why_out: string } | null,
  total: number,
): GroupView["servers"][number]["reads"] {
  if (own === null) return null;
  return { share: total === 0 ? null : own.reads / total, why_out: own.why_out };
}

const STATUS_LETTERS = { online: "o", offline: "x", migrate: "m", pre_migrate: "p" } as const;

function slotsView(monitor: Monitor): SlotsView {
  const { tree, proxies } = monitor;
  const { slots } = tree;
  const group: number[] = [];
  const from: Record<string, number> = {};
  let status = "";
  for (let slotId = 0; slotId < SLOT_COUNT; slotId++) {
    const slot = slots[slotId];
    group.push(slot?.group_id ?? NO_GROUP);
    status += slot !== undefined
      ? STATUS_LETTERS[slot.state.status]
      : tree.isUnreadable(slotId)
      ? "u"
      : "-";
    if (slot?.state.status === "migrate") from[slotId] = slot.state.migrate_status.from;
  }
  return {
    group,
    status,
    from,
    ops: proxies.slotOps().map(Math.round),
    served: servedSlots(monitor).length,
  };
}

/** The slots whose requests can be answered. */
function servedSlots(monitor: Monitor): readonly (SlotRecord | undefined)[] {
  const { groups, slots } = monitor.tree;
  const isUp = new Map(groups.map((group) => [group.id, isMasterUp(monitor, group)]));
  return slots.filter((slot) => {
    if (slot === undefined) return false;
    const { group_id, state: { status, migrate_status: { from } } } = slot;
    if (status === "online") return isUp.get(group_id);
    return status === "migrate" && isUp.get(group_id) && isUp.get(from);
  });
}

/** Whether a group's master answers this dashboard, or any proxy. */
function isMasterUp({ servers, proxies }: Monitor, group: GroupRecord): boolean {
  const master = masterAddr(group);
  if (master === undefined) return false;
  return servers.downMs(master) === 0 || proxies.votesOn(master).up > 0;
}

function masterAddr({ servers }: GroupRecord): string | undefined {
  return servers?.find(({ type }) => type === "master")?.addr;
}
