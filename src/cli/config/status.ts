/**
 * The command `config status`: the whole cluster on one screen.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { formatBytes } from "../../base/byte_size.ts";
import type { ClusterView, ProxyView, ServerView, SlotsView } from "../../api/cluster_view.ts";
import { NO_GROUP } from "../../model/slot.ts";
import { concernsOf, recordConcerns } from "../../dashboard/page/attention.js";
import { type Flag, isGiven } from "../parts/subcommand.ts";
import { configCommand } from "../parts/config_command.ts";
import { alikeRanges } from "../parts/slot_ranges.ts";
import { deadFenceText, describeTotals } from "../parts/migration_text.ts";
import { type Cell, formatFields, formatRange, formatTable, maskControls } from "../parts/table.ts";

/** Most migration tasks, events and slot ranges that fit on the screen. */
const TASKS_MAX = 5;
const EVENTS_MAX = 5;
const RANGES_MAX = 12;

const SHORT: Flag = {
  name: "short",
  value: "",
  default: "",
  help: "show only totals, and what needs attention",
};

/** What the letters of the slots mean. */
const SLOT_LETTERS: Readonly<Record<string, string>> = {
  o: "online",
  x: "offline",
  m: "migrate",
  p: "pre_migrate",
  u: "unreadable",
  "-": "not stored",
};

/** See the header. */
export const statusCommand = configCommand({
  name: "status",
  summary: "Show the whole cluster on one screen.",
  flags: [SHORT],
  run: async (values, context) => {
    const view = await (await context.client()).cluster(true);
    if (!isGiven(values, SHORT)) return { json: view, text: formatCluster(view) };
    const summary = summarize(view);
    return { json: summary, text: formatSummary(summary) };
  },
});

/** The totals of the cluster, and what needs attention as on the page. */
export function summarize(view: ClusterView) {
  const servers = view.groups.flatMap((group) => group.servers);
  const slots: Record<string, number> = {};
  for (const letter of view.slots.status) {
    const state = SLOT_LETTERS[letter] ?? letter;
    slots[state] = (slots[state] ?? 0) + 1;
  }
  return {
    product: view.product,
    slots,
    slots_served: view.slots.served,
    groups: view.groups.length,
    servers: servers.length,
    servers_up: servers.filter(({ is_reachable }) => is_reachable).length,
    proxies: view.proxies.length,
    proxies_online: view.proxies.filter(({ state }) => state === "online").length,
    migrations: view.migrations.length,
    ops: round(view.ops),
    sessions: view.sessions,
    keys: view.keys,
    memory_bytes: view.memory_bytes,
    concerns: concernsOf(view).map(({ tone, text }) => ({
      severity: tone === "bad" ? "error" : "warning",
      text,
    })),
  };
}

/** The summary as text, for a terminal. */
export function formatSummary(summary: ReturnType<typeof summarize>): string {
  const { product, ops, keys, memory_bytes, concerns } = summary;
  const states = Object.entries(summary.slots).map(([state, count]) => `${count} ${state}`);
  const slots = states.length === 0
    ? "none"
    : `${states.join(", ")}: ${summary.slots_served} served`;
  const fields = formatFields([
    ["product", product],
    ["slots", slots],
    ["servers", `${summary.servers_up} of ${summary.servers} up`],
    ["proxies", `${summary.proxies_online} of ${summary.proxies} online`],
    ["load", `${ops} requests/s, ${countOf(keys, "key")}, ${formatBytes(memory_bytes)}`],
  ]);
  const lines = concerns.map(({ severity, text }) => `${severity}: ${maskControls(text)}`);
  return [fields, ...lines].join("\n");
}

/** The cluster as text, for a terminal. */
export function formatCluster(view: ClusterView): string {
  const sections = [
    formatHead(view),
    formatServers(view),
    formatProxies(view.proxies),
    formatSlots(view.slots),
    formatMigrations(view),
    formatTroubles(view),
    formatEvents(view),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function formatHead(view: ClusterView): string {
  const { dashboard, coordinator } = view;
  const sentinels = view.sentinels?.servers ?? [];
  const failover = dashboard.failover === "off"
    ? "failover off"
    : dashboard.failover === "sentinel"
    ? `failover by Sentinel, ${sentinels.filter(({ is_reachable }) => is_reachable).length} of ${
      countOf(sentinels.length, "sentinel")
    } up`
    : `failover after ${dashboard.failover_after_seconds} s`;
  return formatFields([
    ["product", `${view.product}, codis-proxy ${view.version}`],
    ["coordinator", `${coordinator.kind}, ${coordinator.state}`],
    ["dashboard", `${dashboard.addr}, ${failover}`],
    [
      "load",
      `${round(view.ops)} requests/s, ${countOf(view.sessions, "client")}, ` +
      `${countOf(view.keys, "key")}, ${formatBytes(view.memory_bytes)}`,
    ],
  ]);
}

function formatServers({ groups }: ClusterView): string {
  if (groups.length === 0) return "no groups";
  const rows = groups.flatMap(({ id, slots, servers }): Cell[][] => {
    if (servers.length === 0) return [[`${id}`, slots, "no servers", "", "", null, null, null, ""]];
    return servers.map((server) => [
      ...[`${id}`, slots, server.addr, server.type, describeServer(server) + readsOf(server)],
      ...[server.keys, roundOrNull(server.ops), server.clients],
      server.memory_bytes === null ? "-" : formatBytes(server.memory_bytes),
    ]);
  });
  return formatTable(
    ["GROUP", "SLOTS", "SERVER", "ROLE", "STATE", "KEYS", "OPS", "CLIENTS", "MEMORY"],
    rows,
  );
}

/** How a server is, in words. */
export function describeServer(
  { is_reachable, problem, down_seconds, replication }: ServerView,
): string {
  if (!is_reachable) return `down for ${Math.round(down_seconds)} s: ${problem}`;
  if (problem !== "") return problem;
  if (replication === null) return "up";
  return replication.is_up
    ? `up, ${replication.lag_bytes ?? "?"} bytes behind`
    : "up, not connected to its master";
}

/** What part of its group's reads it gets, where clients read from replicas. */
function readsOf({ reads }: ServerView): string {
  if (!reads) return ""; // an older dashboard says nothing of them
  if (reads.why_out !== "") return `, no reads: ${reads.why_out}`;
  return reads.share === null ? "" : `, ${Math.round(100 * reads.share)} % of reads`;
}

function formatProxies(proxies: readonly ProxyView[]): string {
  if (proxies.length === 0) return "no proxies";
  return formatTable(
    ["PROXY", "ADDRESS", "STATE", "OPS", "P99 MS", "CLIENTS", "MEMORY"],
    proxies.map((proxy) => [
      // An older dashboard does not say whether it drains.
      ...[proxy.id, proxy.addr, proxy.problem || proxy.drain || proxy.state],
      ...[roundOrNull(proxy.ops), proxy.p99_ms, proxy.sessions],
      proxy.memory_bytes === null ? "-" : formatBytes(proxy.memory_bytes),
    ]),
  );
}

function formatSlots({ group, status, from }: SlotsView): string {
  const ranges = alikeRanges(
    Array.from(status, (letter, id) => ({
      id,
      groupId: group[id] ?? NO_GROUP,
      status: SLOT_LETTERS[letter] ?? letter,
      sourceId: from[id] ?? NO_GROUP,
    })),
  );
  const shown = ranges.slice(0, RANGES_MAX).map(({ from, to, cells }) => [
    ...[`slots ${formatRange(from, to)}`, ...cells],
  ]);
  const more = ranges.length - shown.length;
  const rest = more === 0
    ? ""
    : `\n… ${countOf(more, "more range")}: \`codis-proxy config slot list\``;
  return shown.length === 0 ? "no slots" : formatTable([], shown) + rest;
}

function formatMigrations(view: ClusterView): string {
  const { migrations, migrations_paused_since: since } = view;
  // An older dashboard does not send it.
  const paused = typeof since !== "number"
    ? ""
    : `migrations are paused${since === 0 ? "" : ` since ${new Date(since).toISOString()}`}: ` +
      "`codis-proxy config slot resume`\n";
  if (migrations.length === 0) return paused.trimEnd();
  const rows = migrations.slice(0, TASKS_MAX).map((task): Cell[] => [
    ...[task.name, `${task.slot_id}`],
    `${task.from_group ?? "?"} → ${task.to_group}`,
    ...[task.phase, task.keys_left, roundOrNull(task.keys_per_second), task.eta_seconds],
    task.problem || task.note,
  ]);
  const heads = ["TASK", "SLOT", "GROUPS", "STATUS", "KEYS LEFT", "KEYS/S", "ETA S", "NOTE"];
  const totals = view.migration_totals;
  const count = countOf(migrations.length, "migration task");
  const head = totals ? `${count}: ${describeTotals(totals)}` : count;
  return `${paused}${head}\n${formatTable(heads, rows)}`;
}

function formatTroubles(view: ClusterView): string {
  const { dead_fences, change, at } = view;
  const lines = [
    ...recordConcerns(view).map(({ text }) => text),
    ...dead_fences.map((addr) => `the cluster cannot be changed: ${deadFenceText(addr)}`),
  ];
  if (change !== null) {
    const seconds = Math.round((at - change.since) / 1000);
    const silent = change.waiting_for.map(({ proxy_id, reason }) =>
      reason === "" ? proxy_id : `${proxy_id} (${reason})`
    );
    const waiting = silent.length === 0 ? "" : `, waiting for ${silent.join(", ")}`;
    lines.push(`change running for ${seconds} s: ${change.summary}${waiting}`);
  }
  return lines.map(maskControls).join("\n");
}

function formatEvents({ events }: ClusterView): string {
  const rows = events.slice(0, EVENTS_MAX).map(({ at, level, text }) => [
    ...[new Date(at).toISOString(), level, text],
  ]);
  return rows.length === 0 ? "" : formatTable([], rows);
}

function round(value: number): number {
  return Math.round(value);
}

function roundOrNull(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
