/**
 * The routes of Codis 3.2's dashboard that programs graph: `GET /topom` and `GET /topom/stats`.
 *
 * @module
 */

import type { Codis3Action, Codis3TopomStats } from "../../api/codis3_stats.ts";
import type { ClusterView, GroupView, MigrationView } from "../../api/cluster_view.ts";
import { formatStartAt } from "../../model/proxy.ts";
import type { ProxyFigures } from "../../monitor/proxies.ts";
import type { Dashboard } from "../dashboard.ts";
import { type ApiRoute, readMonitored } from "./route.ts";

/** See the header. */
export const TOPOM_ROUTES: readonly ApiRoute[] = [
  readMonitored(
    "/topom/stats",
    async ({ dashboard }) => statsOf(dashboard.monitor, await dashboard.view()),
  ),
  readMonitored("/topom", async ({ dashboard }) => {
    const view = await dashboard.view();
    const { addr: admin_addr, pid, started_at } = view.dashboard;
    return {
      version: view.version,
      model: {
        ...{ start_time: formatStartAt(started_at), admin_addr, product_name: view.product, pid },
      },
      stats: statsOf(dashboard.monitor, view),
    };
  }),
];

/** A cluster in the form of Codis 3.2. */
function statsOf({ servers, proxies }: Dashboard["monitor"], view: ClusterView): Codis3TopomStats {
  const figures = proxies.figures();
  const { groups, sentinels, product, migrations } = view;
  const unixtime = Math.floor(view.at / 1000);
  const answer = <T>(stats: T | undefined, problem: string) =>
    stats === undefined || problem !== ""
      ? { error: { Cause: problem || "it does not say" }, unixtime }
      : { stats, unixtime };
  const infos = groups.flatMap((group) => group.servers).map(({ addr }) => {
    const info = servers.infoOf(addr);
    const stats = info === undefined ? undefined : withMasterAddr(info);
    return [addr, answer(stats, servers.problemOf(addr))] as const;
  });
  return {
    closed: false,
    slots: slotsOf(view),
    group: { models: groups.map(groupOf), stats: Object.fromEntries(infos) },
    proxy: {
      models: figures.map(({ record }, index) => ({
        id: index + 1,
        token: record.id,
        start_time: record.start_at,
        admin_addr: record.debug_var_addr,
        proto_type: "tcp",
        proxy_addr: record.addr,
        product_name: product,
        pid: record.pid,
      })),
      stats: Object.fromEntries(
        figures.map((proxy) => [proxy.record.id, answer(proxyOf(proxy, view.at), proxy.problem)]),
      ),
    },
    slot_action: {
      interval: 0,
      disabled: view.migrations_paused_since !== null,
      progress: { status: progressOf(migrations) },
      executor: migrations.filter(isMoving).length,
    },
    sentinels: {
      model: {
        ...sentinels === null || sentinels.servers.length === 0
          ? {}
          : { servers: sentinels.servers.map(({ addr }) => addr) },
        out_of_sync: sentinels?.out_of_sync ?? false,
      },
      masters: sentinels === null ? {} : Object.fromEntries(groups.flatMap(({ id, servers }) => {
        const master = servers.find(({ type }) => type === "master");
        return master === undefined ? [] : [[`${id}`, master.addr]];
      })),
    },
  };
}

/** Codis 3.2's own field beside INFO's. */
function withMasterAddr(info: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { master_host: host, master_port: port } = info;
  return host === undefined ? info : { ...info, master_addr: `${host}:${port}` };
}

function groupOf({ id, servers }: GroupView): Codis3TopomStats["group"]["models"][number] {
  return {
    id,
    servers: servers.map(({ addr, zone, reads }) => ({
      server: addr,
      datacenter: zone,
      action: {},
      replica_group: reads !== null && reads.why_out === "",
    })),
    promoting: {},
    out_of_sync: false,
  };
}

/** A slot that moves is the source's, as there. */
function slotsOf({ slots, migrations }: ClusterView): Codis3TopomStats["slots"] {
  const tasks = new Map(migrations.map((task, index) => [task.slot_id, { task, index }]));
  return slots.group.map((owner, id) => {
    const group_id = Math.max(0, slots.from[id] ?? owner);
    return { id, group_id, action: actionOf(slots.status[id]!, owner, tasks.get(id)) };
  });
}

function actionOf(
  status: string,
  owner: number,
  found: { readonly task: MigrationView; readonly index: number } | undefined,
): Codis3Action {
  const index = found === undefined ? {} : { index: found.index + 1 };
  if (status === "m") return { ...index, state: "migrating", target_id: owner };
  if (found === undefined) return {};
  const state = status === "p" ? "preparing" : "pending";
  return { ...index, state, target_id: found.task.to_group };
}

function isMoving({ phase }: MigrationView): boolean {
  return phase === "moving" || phase === "moving back";
}

function progressOf(migrations: readonly MigrationView[]): string {
  const failed = migrations.find(({ problem }) => problem !== "");
  return failed === undefined
    ? ""
    : `[ERROR] Slot[${`${failed.slot_id}`.padStart(4, "0")}]: ${failed.problem}`;
}

function proxyOf({ record, stats, ops, cpu }: ProxyFigures, at: number) {
  if (stats === undefined) return undefined;
  const { failures = 0, errors = 0, connections = 0 } = stats;
  return {
    online: record.state === "online",
    closed: false,
    ops: { total: stats.ops + failures, fails: failures, redis: { errors }, qps: ops ?? 0 },
    sessions: { total: connections, alive: stats.sessions },
    rusage: { now: formatStartAt(at), cpu: cpu ?? 0, mem: stats.memory_bytes },
  };
}
