/**
 * INFO: the proxy's own sections, and totals over all masters; and TIME.
 *
 * @module
 */

import { wallClockUs } from "../../base/clock.ts";
import { COMMANDS } from "../../command/command_table.ts";
import { Encoder, encodeRequest, type Protocol } from "../../resp/encoder.ts";
import type { PartReply } from "../dispatch/gather.ts";
import { askAll } from "../dispatch/ask_masters.ts";
import type { RouterOptions } from "../options.ts";
import { type StatsSnapshot, totalCalls } from "../stats_snapshot.ts";
import { takeSnapshot } from "../take_snapshot.ts";
import { argumentWord, type LocalCall } from "./local_call.ts";

type Fields = [name: string, value: string | number][];

/** What the proxy's own sections are made of. */
interface Facts {
  readonly options: RouterOptions;
  readonly stats: StatsSnapshot;
  /** The lowest version of Redis among the servers. */
  readonly redisVersion: string;
  readonly isLoading: boolean;
}

/** Sections the proxy fills from its own counters. */
const OWN_SECTIONS: Readonly<Record<string, (facts: Facts) => Fields>> = {
  server: serverSection,
  clients: ({ options, stats }) => [
    ["connected_clients", stats.sessions],
    ["maxclients", options.maxClients],
    ["blocked_clients", 0],
  ],
  persistence: ({ isLoading }) => [["loading", isLoading ? 1 : 0]],
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

const US_PER_S = 1_000_000n;

/** What the masters are asked. */
const ASK_INFO = encodeRequest(["INFO"]);

/** Answers INFO; asks the masters only when a section needs them, and the other workers, if any. */
export function info({ client, command, args }: LocalCall): Uint8Array | null {
  const { shared, replies } = client;
  const { options, isLoading, worker: { peers } } = shared;
  const wanted = sectionsOf(args);
  const masters = wanted.some((name) => TOTAL_SECTIONS.includes(name))
    ? shared.slots.masters()
    : [];
  const parent = replies.park(command);
  const asked = Promise.all([
    peers === null ? takeSnapshot(shared) : peers.stats().catch(() => takeSnapshot(shared)),
    wanted.includes("server") ? new Promise<string>((known) => shared.version.ask(known)) : "",
  ]);
  asked.then(([stats, redisVersion]) => {
    const reply = (parts: readonly PartReply[], protocol: Protocol) =>
      encode({ options, stats, redisVersion, isLoading }, wanted, parts, protocol);
    if (masters.length === 0) replies.completed(parent, reply([], parent.protocol));
    else askAll(client, parent, masters, reply, ASK_INFO);
  });
  return null;
}

function encode(
  facts: Facts,
  sections: readonly string[],
  replies: readonly PartReply[],
  protocol: Protocol,
): Uint8Array {
  return new Encoder(protocol).verbatim(print(facts, sections, replies)).done();
}

function sectionsOf(args: LocalCall["args"]): string[] {
  const names: string[] = [];
  for (let i = 1; i < args.count; i++) {
    const name = argumentWord(args, i);
    if (name === "default") names.push(...DEFAULT_SECTIONS);
    else if (name === "all" || name === "everything") {
      names.push(...DEFAULT_SECTIONS, "commandstats");
    } else names.push(name);
  }
  return names.length === 0 ? DEFAULT_SECTIONS : [...new Set(names)];
}

function print(facts: Facts, sections: readonly string[], replies: readonly PartReply[]): string {
  const texts: string[] = [];
  for (const name of sections) {
    const fields = OWN_SECTIONS[name]?.(facts) ??
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

function serverSection({ options, stats, redisVersion }: Facts): Fields {
  const uptime = Math.floor(stats.uptimeMs / 1000);
  return [
    ["redis_version", redisVersion],
    ["redis_mode", "standalone"],
    ["codis_proxy_version", options.version],
    ["os", `${Deno.build.os} ${Deno.build.arch}`],
    ["arch_bits", 64],
    ["process_id", Deno.pid],
    ["uptime_in_seconds", uptime],
    ["uptime_in_days", Math.floor(uptime / 86_400)],
  ];
}

function statsSection({ stats }: Facts): Fields {
  const { totals, commands } = stats;
  return [
    ["total_connections_received", totals.connections],
    ["total_commands_processed", totalCalls(stats)],
    ["total_error_replies", commands.reduce((sum, { errors }) => sum + errors, 0)],
    ["total_failed_requests", commands.reduce((sum, { failures }) => sum + failures, 0)],
    ["rejected_connections", totals.rejectedConnections],
    ["total_net_input_bytes", totals.inputBytes],
    ["total_net_output_bytes", totals.outputBytes],
    ["acl_access_denied_auth", totals.wrongAuths],
    ["client_output_buffer_limit_disconnections", totals.overflowedSessions],
    ["evicted_clients", totals.evictedSessions],
  ];
}

function proxySection({ stats }: Facts): Fields {
  const { servers, slots } = stats;
  return [
    ["proxy_rss_bytes", Deno.memoryUsage().rss],
    ["proxy_buffered_bytes", stats.bufferedBytes],
    ["slots_online", slots.states.filter((state) => state !== "offline").length],
    ["slots_table_version", stats.tableVersion],
    ["backend_servers", servers.length],
    ...servers.map(({ address, groupId, connections, inFlight, losses }, i): Fields[number] => {
      const state = connections.includes("ready") ? "ready" : connections[0] ?? "idle";
      return [
        `backend_${i}`,
        `addr=${address},group=${groupId},state=${state},connections=${connections.length},` +
        `in_flight=${inFlight},losses=${losses}`,
      ];
    }),
  ];
}

function commandStatsSection({ stats }: Facts): Fields {
  return stats.commands.filter(({ calls }) => calls > 0).map(({ id, calls, usecs, errors }) => {
    const usec = Math.round(usecs);
    return [
      `cmdstat_${COMMANDS[id]!.name}`,
      `calls=${calls},usec=${usec},usec_per_call=${
        (usec / calls).toFixed(2)
      },rejected_calls=0,failed_calls=${errors}`,
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

// -- TIME -------------------------------------------------------------------------------------

/** `TIME`: seconds, and microseconds of the current one. */
export function time({ client }: LocalCall): Uint8Array {
  const us = wallClockUs();
  return new Encoder(client.protocol).array(2).bulk(String(us / US_PER_S))
    .bulk(String(us % US_PER_S)).done();
}
