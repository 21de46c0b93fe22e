/**
 * INFO: all masters as one, and what the proxy knows itself; and TIME.
 *
 * Each field by the rule that ../../command/info_fields.ts gives it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { wallClockUs } from "../../base/clock.ts";
import { Encoder, encodeRequest } from "../../resp/encoder.ts";
import { askEach } from "../backends/ask_each.ts";
import type { RouterOptions } from "../options.ts";
import { type StatsSnapshot, totalCalls, totalOf } from "../stats_snapshot.ts";
import { takeSnapshot } from "../take_snapshot.ts";
import {
  commandStats,
  errorStats,
  type InfoFields,
  keyspace,
  latencyStats,
  type MasterInfo,
  moduleLines,
  readMasterInfo,
  sectionOf,
} from "./info_totals.ts";
import { argumentWord, type LocalCall } from "./local_call.ts";

/** What INFO is made of. */
interface Facts {
  readonly options: RouterOptions;
  readonly stats: StatsSnapshot;
  /** The lowest version of Redis among the servers. */
  readonly redisVersion: string;
  readonly isLoading: boolean;
  /** The port that the client has connected to. */
  readonly port: string;
  /** The INFO of every master that has answered. */
  readonly masters: readonly MasterInfo[];
}

type Field = InfoFields[number];
type OwnValues = (facts: Facts) => Readonly<Record<string, string | number>>;

/** The proxy's own values, by section of the table of fields. */
const OWN_VALUES: Readonly<Record<string, OwnValues>> = {
  server: serverValues,
  clients: ({ options, stats }) => ({
    connected_clients: stats.sessions,
    maxclients: options.maxClients,
    blocked_clients: stats.blocked,
    tracking_clients: stats.tracking,
  }),
  persistence: ({ isLoading }) => ({ loading: isLoading ? 1 : 0 }),
  stats: statsValues,
  replication: () => ({
    role: "master",
    connected_slaves: 0,
    master_failover_state: "no-failover",
  }),
  cluster: ({ options }) => ({ cluster_enabled: Number(options.clusterMode) }),
};

/** A section: its title, its lines, and whether INFO without arguments has it. */
interface Section {
  readonly title: string;
  readonly fields: (facts: Facts) => InfoFields;
  readonly isDefault: boolean;
}

function fromTable(title: string): Section {
  const name = title.toLowerCase();
  const fields = (facts: Facts) =>
    sectionOf(name, facts.masters, new Map(Object.entries(OWN_VALUES[name]?.(facts) ?? {})));
  return { title, fields, isDefault: true };
}

/** All sections, in Redis's order; by the words that ask for them. */
const SECTIONS: Readonly<Record<string, Section>> = {
  server: fromTable("Server"),
  clients: fromTable("Clients"),
  memory: fromTable("Memory"),
  persistence: fromTable("Persistence"),
  stats: fromTable("Stats"),
  replication: fromTable("Replication"),
  cpu: fromTable("CPU"),
  modules: { title: "Modules", fields: (facts) => moduleLines(facts.masters), isDefault: true },
  commandstats: {
    title: "Commandstats",
    fields: (facts) => commandStats(facts.masters),
    isDefault: false,
  },
  errorstats: {
    title: "Errorstats",
    fields: (facts) => errorStats(facts.masters),
    isDefault: true,
  },
  latencystats: {
    title: "Latencystats",
    fields: (facts) => latencyStats(facts.masters),
    isDefault: false,
  },
  cluster: fromTable("Cluster"),
  proxy: { title: "Proxy", fields: proxySection, isDefault: true },
  keyspace: { title: "Keyspace", fields: (facts) => keyspace(facts.masters), isDefault: true },
};
/** Redis's other word for a section. */
const OTHER_WORDS: Readonly<Record<string, string>> = { module_list: "modules" };

const US_PER_S = 1_000_000n;

/** What the masters are asked; servers before Redis 7 take one word at most. */
const ASK_DEFAULT = encodeRequest(["INFO"]);
const ASK_ALL = encodeRequest(["INFO", "all"]);

/** Answers INFO from the masters' and the other workers, if any. */
export function info({ client, command, args }: LocalCall): Uint8Array | null {
  const { shared, replies } = client;
  const { options, isLoading, worker: { peers } } = shared;
  const wanted = sectionsOf(args);
  const masters = wanted.every(([name]) => name === "proxy") ? [] : shared.slots.masters();
  const bytes = wanted.every(([, { isDefault }]) => isDefault) ? ASK_DEFAULT : ASK_ALL;
  const port = client.local.slice(client.local.lastIndexOf(":") + 1);
  const parent = replies.park(command);
  const asked = Promise.all([
    peers === null ? takeSnapshot(shared) : peers.stats().catch(() => takeSnapshot(shared)),
    new Promise<string>((known) => shared.version.ask(known)),
  ]);
  client.isAtBarrier = true;
  const { database, protocol } = client;
  // Clients ask for INFO to see whether they may start: a server that is stuck must not stop all of them.
  const asking = { database, protocol, silenceMs: options.backendDialMs };
  asked.then(([stats, redisVersion]) => {
    askEach(masters, bytes, asking, (answers) => {
      const infos = answers.flatMap(({ master, value }) =>
        typeof value === "string" ? [readMasterInfo(master.server.hostname, value)] : []
      );
      const facts = { options, stats, redisVersion, isLoading, port, masters: infos };
      replies.completed(parent, new Encoder(protocol).verbatim(print(facts, wanted)).done());
    });
  });
  return null;
}

/** The sections that are asked for, in Redis's order; a word that is none asks for nothing. */
function sectionsOf(args: LocalCall["args"]): [word: string, section: Section][] {
  const words = new Set(args.count === 1 ? ["default"] : []);
  for (let i = 1; i < args.count; i++) {
    const word = argumentWord(args, i);
    words.add(OTHER_WORDS[word] ?? word);
  }
  const isAll = words.has("all") || words.has("everything");
  return Object.entries(SECTIONS).filter(([word, { isDefault }]) =>
    isAll || words.has(word) || (isDefault && words.has("default"))
  );
}

function print(facts: Facts, sections: readonly [word: string, section: Section][]): string {
  return sections.map(([, { title, fields }]) => {
    const lines = fields(facts).map(([name, value]) => `${name}:${value}\r\n`);
    return `# ${title}\r\n${lines.join("")}`;
  }).join("\r\n");
}

function serverValues({ options, stats, redisVersion, port, masters }: Facts) {
  const uptime = Math.floor(stats.uptimeMs / 1000);
  const runIds = masters.map(({ sections }) => sections.get("server")?.get("run_id") ?? "");
  const { os, arch } = Deno.build;
  return {
    redis_version: redisVersion,
    redis_mode: options.clusterMode ? "cluster" : "standalone",
    codis_proxy_version: options.version,
    os: `${os[0]!.toUpperCase()}${os.slice(1)} ${arch}`,
    arch_bits: 64,
    process_id: Deno.pid,
    process_supervised: "no",
    // The same from all proxies, and another one when a server has started anew.
    run_id: createHash("sha1").update(runIds.join()).digest("hex"),
    tcp_port: port,
    server_time_usec: String(wallClockUs()),
    uptime_in_seconds: uptime,
    uptime_in_days: Math.floor(uptime / 86_400),
    executable: "codis-proxy",
    config_file: "",
  };
}

function statsValues({ stats }: Facts) {
  const { totals } = stats;
  return {
    total_connections_received: totals.connections,
    total_commands_processed: totalCalls(stats),
    total_net_input_bytes: totals.inputBytes,
    total_net_output_bytes: totals.outputBytes,
    rejected_connections: totals.rejectedConnections,
    evicted_clients: totals.evictedSessions,
    total_error_replies: totalOf(stats, "errors"),
    total_failed_requests: totalOf(stats, "failures"),
    acl_access_denied_auth: totals.wrongAuths,
    acl_access_denied_cmd: totals.deniedCommands,
    acl_access_denied_key: totals.deniedKeys,
    acl_access_denied_channel: totals.deniedChannels,
    client_output_buffer_limit_disconnections: totals.overflowedSessions,
  };
}

function proxySection({ options, stats, masters }: Facts): InfoFields {
  const { servers, slots } = stats;
  return [
    ["proxy_rss_bytes", Deno.memoryUsage().rss],
    ["proxy_buffered_bytes", stats.bufferedBytes],
    ["slots_online", slots.states.filter((state) => state !== "offline").length],
    ["slots_table_version", stats.tableVersion],
    ["read_from", options.readFrom],
    ["retried_reads", stats.totals.retriedReads],
    ["backend_servers", servers.length],
    ["backends_answering", masters.length],
    ...servers.map(({ address, groupId, connections, inFlight, losses }, i): Field => {
      const state = connections.includes("ready") ? "ready" : connections[0] ?? "idle";
      return [
        `backend_${i}`,
        `addr=${address},group=${groupId},state=${state},connections=${connections.length},` +
        `in_flight=${inFlight},losses=${losses}`,
      ];
    }),
    ...stats.replicas.map(({ address, groupId, fault, lagBytes, ageMs, reads }, i): Field => [
      `replica_${i}`,
      `addr=${address},group=${groupId},state=${fault === "" ? "serving" : "out"},` +
      `lag_bytes=${lagBytes},lag_ms=${ageMs},reads=${reads}${fault === "" ? "" : `,why=${fault}`}`,
    ]),
  ];
}

// -- TIME -------------------------------------------------------------------------------------

/** `TIME`: seconds, and microseconds of the current one. */
export function time({ client }: LocalCall): Uint8Array {
  const us = wallClockUs();
  return new Encoder(client.protocol).array(2).bulk(String(us / US_PER_S))
    .bulk(String(us % US_PER_S)).done();
}
