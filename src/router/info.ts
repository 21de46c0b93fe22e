/**
 * INFO: the proxy's own sections, and totals over all masters.
 *
 * @module
 */

import { clock } from "../base/clock.ts";
import { COMMANDS } from "../command/command_table.ts";
import { Encoder, encodeRequest } from "../resp/encoder.ts";
import type { PartReply } from "./gather.ts";
import { sendToAll } from "./fan_out.ts";
import { type LocalCall, wordOf } from "./local_call.ts";
import type { Router } from "./router.ts";

/** The Redis whose commands and texts the proxy speaks. */
export const REDIS_VERSION = "7.0.15";

type Fields = [name: string, value: string | number][];

/** Sections the proxy fills from its own counters. */
const OWN_SECTIONS: Readonly<Record<string, (router: Router) => Fields>> = {
  server: serverSection,
  clients: (router) => [
    ["connected_clients", router.sessions.size],
    ["maxclients", router.options.maxClients],
    ["blocked_clients", 0],
  ],
  persistence: () => [["loading", 0]],
  stats: statsSection,
  replication: () => [["role", "master"], ["connected_slaves", 0]],
  cluster: () => [["cluster_enabled", 0]],
  proxy: proxySection,
  commandstats: commandStatsSection,
};

/** Sections that are sums over the masters. */
const TOTAL_SECTIONS = ["memory", "keyspace"];
/** Sections of an INFO without arguments, in order. */
const DEFAULT_SECTIONS = [
  "server",
  "clients",
  "memory",
  "persistence",
  "stats",
  "replication",
  "cluster",
  "proxy",
  "keyspace",
];

/** Answers INFO; asks the masters only when a section needs them. */
export function info({ session, command, args }: LocalCall): Uint8Array | null {
  const { router } = session;
  const wanted = sectionsOf(args);
  const masters = router.masters();
  if (masters.length === 0 || !wanted.some((name) => TOTAL_SECTIONS.includes(name))) {
    return new Encoder(session.protocol).verbatim(print(router, wanted, [])).done();
  }
  sendToAll(
    session,
    command,
    masters,
    (replies, protocol) => new Encoder(protocol).verbatim(print(router, wanted, replies)).done(),
    encodeRequest(["INFO"]),
  );
  return null;
}

function sectionsOf(args: LocalCall["args"]): string[] {
  const names: string[] = [];
  for (let i = 1; i < args.count; i++) {
    const name = wordOf(args, i);
    if (name === "default") names.push(...DEFAULT_SECTIONS);
    else if (name === "all" || name === "everything") {
      names.push(...DEFAULT_SECTIONS, "commandstats");
    } else names.push(name);
  }
  return names.length === 0 ? DEFAULT_SECTIONS : [...new Set(names)];
}

function print(router: Router, sections: readonly string[], replies: readonly PartReply[]): string {
  const texts: string[] = [];
  for (const name of sections) {
    const fields = OWN_SECTIONS[name]?.(router) ??
      (name === "memory"
        ? memoryTotals(replies)
        : name === "keyspace"
        ? keyspaceTotals(replies)
        : null);
    if (fields === null) continue;
    const title = name[0]!.toUpperCase() + name.slice(1);
    texts.push(`# ${title}\r\n${fields.map(([key, value]) => `${key}:${value}\r\n`).join("")}`);
  }
  return texts.join("\r\n");
}

function serverSection(router: Router): Fields {
  const uptime = Math.floor((clock.nowMs - router.startedMs) / 1000);
  return [
    ["redis_version", REDIS_VERSION],
    ["redis_mode", "standalone"],
    ["codis_proxy_version", router.options.version],
    ["os", `${Deno.build.os} ${Deno.build.arch}`],
    ["arch_bits", 64],
    ["process_id", Deno.pid],
    ["uptime_in_seconds", uptime],
    ["uptime_in_days", Math.floor(uptime / 86_400)],
  ];
}

function statsSection(router: Router): Fields {
  const { totals, stats } = router;
  return [
    ["total_connections_received", totals.connections],
    ["total_commands_processed", stats.totalCalls()],
    ["total_error_replies", stats.totalErrors()],
    ["total_failed_requests", stats.totalFailures()],
    ["rejected_connections", totals.rejectedConnections],
    ["total_net_input_bytes", router.inputBytes],
    ["total_net_output_bytes", totals.outputBytes],
    ["client_output_buffer_limit_disconnections", totals.overflowedSessions],
  ];
}

function proxySection(router: Router): Fields {
  const online = router.slots.filter((slot) => slot.state !== "offline").length;
  const { rss } = Deno.memoryUsage();
  const fields: Fields = [
    ["proxy_rss_bytes", rss],
    ["proxy_buffered_bytes", router.budget.usedBytes],
    ["slots_online", online],
    ["slots_table_version", router.tableVersion],
    ["backend_servers", router.masters().length],
  ];
  for (const [i, { server, groupId }] of router.masters().entries()) {
    const backends = [...server.backends()];
    const inFlight = backends.reduce((sum, backend) => sum + backend.inFlight, 0);
    const state = backends.map((backend) => backend.state);
    fields.push([
      `backend_${i}`,
      `addr=${server.address},group=${groupId},state=${
        state.includes("ready") ? "ready" : state[0] ?? "idle"
      },connections=${backends.length},in_flight=${inFlight},losses=${server.losses}`,
    ]);
  }
  return fields;
}

function commandStatsSection({ stats }: Router): Fields {
  return COMMANDS.filter(({ id }) => stats.calls[id]! > 0).map(({ id, name }) => {
    const calls = stats.calls[id]!;
    const usec = Math.round(stats.usecs[id]!);
    return [
      `cmdstat_${name}`,
      `calls=${calls},usec=${usec},usec_per_call=${
        (usec / calls).toFixed(2)
      },rejected_calls=0,failed_calls=${stats.errors[id]}`,
    ];
  });
}

// -- totals over the masters ------------------------------------------------------------------

const decoder = new TextDecoder();

/** The text of an INFO reply, bulk or verbatim; empty for an error. */
function infoText(reply: PartReply): string {
  if (reply.isError) return "";
  const text = decoder.decode(reply.bytes);
  return text.slice(text.indexOf("\n") + 1);
}

function memoryTotals(replies: readonly PartReply[]): Fields {
  const sum = (name: string) =>
    replies.reduce((total, reply) => {
      const match = new RegExp(`^${name}:(\\d+)\\r?$`, "m").exec(infoText(reply));
      return total + (match === null ? 0 : Number(match[1]));
    }, 0);
  const used = sum("used_memory");
  return [
    ["used_memory", used],
    ["used_memory_human", `${(used / 1024 / 1024).toFixed(2)}M`],
    ["used_memory_rss", sum("used_memory_rss")],
    ["maxmemory", sum("maxmemory")],
    ["backends_answering", replies.filter((reply) => !reply.isError).length],
  ];
}

function keyspaceTotals(replies: readonly PartReply[]): Fields {
  const totals = new Map<number, { keys: number; expires: number }>();
  for (const reply of replies) {
    for (const match of infoText(reply).matchAll(/^db(\d+):keys=(\d+),expires=(\d+)/gm)) {
      const database = Number(match[1]);
      const total = totals.get(database) ?? { keys: 0, expires: 0 };
      total.keys += Number(match[2]);
      total.expires += Number(match[3]);
      totals.set(database, total);
    }
  }
  return [...totals].sort(([a], [b]) => a - b).map(([database, { keys, expires }]) => [
    `db${database}`,
    `keys=${keys},expires=${expires},avg_ttl=0`,
  ]);
}
