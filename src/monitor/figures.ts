/**
 * The figures of a moment that the history keeps: of the cluster, each group, server and proxy.
 *
 * @module
 */

import type { GroupRecord } from "../model/group.ts";
import type { Figures } from "./figure_ring.ts";
import type { ProxyMonitor } from "./proxies.ts";
import type { ServerMonitor } from "./servers.ts";

/** See the header. */
export function figuresOf(
  groups: readonly GroupRecord[],
  servers: Pick<ServerMonitor, "view">,
  proxies: Pick<ProxyMonitor, "views" | "ops" | "errors" | "sessions" | "percentileMs">,
): Figures {
  const figures = new Map<string, Record<string, number | null>>();
  let keys: number | null = null;
  let memory: number | null = null;
  for (const { id, servers: records } of groups) {
    const master = records?.find(({ type }) => type === "master")?.addr ?? "";
    const views = (records ?? []).map((record) => servers.view(record, master));
    for (const { addr, ops, keys, memory_bytes, clients, replication } of views) {
      const lag_bytes = replication?.lag_bytes ?? null;
      figures.set(`server/${addr}`, { ops, keys, memory_bytes, clients, lag_bytes });
    }
    const first = views.find(({ type }) => type === "master");
    figures.set(`group/${id}`, {
      ops: views.reduce((sum, { ops }) => plus(sum, ops), null as number | null),
      keys: first?.keys ?? null,
      memory_bytes: first?.memory_bytes ?? null,
      lag_bytes: views.reduce((most, { replication }) => {
        const lag = replication?.lag_bytes ?? null;
        return lag === null ? most : Math.max(most ?? 0, lag);
      }, null as number | null),
    });
    keys = plus(keys, first?.keys ?? null);
    memory = plus(memory, first?.memory_bytes ?? null);
  }
  for (const { id, ops, p50_ms, p99_ms, errors, failures, ...more } of proxies.views()) {
    const { sessions, memory_bytes } = more;
    figures.set(`proxy/${id}`, { ops, p50_ms, p99_ms, errors, failures, sessions, memory_bytes });
  }
  const [p50_ms, p99_ms] = [proxies.percentileMs(0.5), proxies.percentileMs(0.99)];
  const { ops, sessions } = proxies;
  figures.set("cluster", {
    ops,
    ...proxies.errors,
    p50_ms,
    p99_ms,
    sessions,
    keys,
    memory_bytes: memory,
  });
  return figures;
}

function plus(a: number | null, b: number | null): number | null {
  return b === null ? a : (a ?? 0) + b;
}
