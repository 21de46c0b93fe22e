/**
 * What is known of one row: a server, a proxy, a group, a migration, a slow request, an outage.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { GroupView, MigrationView, ProxyView, ServerView } from "../../api/cluster_view.ts";
import { type HotKeyEntry, nameOfEntry } from "../../api/hot_keys.ts";
import { bytes, clockTime, duration, millis, short } from "../../dashboard/page/format.js";
import { longestFirst } from "../../dashboard/page/slow_log.js";
import type { OutageEvent } from "../../model/outage_event.ts";
import { rangesText } from "../../model/slot_ranges.js";
import { describeServer } from "../config/status.ts";
import type { ProxySlowRequest, TopData } from "./feed.ts";
import { barOf, fitText, type Line, type Piece } from "./text.ts";

/** A server, and the group that it is in. */
export interface GroupServer extends ServerView {
  readonly group: number;
}

/** Width of the names of facts. */
const NAME_WIDTH = 14;
const BAR_WIDTH = 24;
/** A key with a larger share of all requests is marked. */
export const HOT_SHARE = 0.1;
/** Slow requests and commands that are shown with a server or proxy. */
const ROWS_MAX = 20;

const UNKNOWN = "–";

/** Requests per second of the slots of a group. */
export function opsOfGroup({ view: { slots } }: TopData, id: number): number {
  return slots.ops.reduce((sum, ops, slot) => slots.group[slot] === id ? sum + ops : sum, 0);
}

/** Which part of a migration is done; 0 before its keys were counted. */
export function shareMoved(
  { keys_moved, keys_left }: { readonly keys_moved: number; readonly keys_left: number | null },
): number {
  if (keys_left === null) return 0;
  return keys_moved + keys_left === 0 ? 1 : keys_moved / (keys_moved + keys_left);
}

/** A server: what it answers, its slots, slow requests there. */
export function insideServer(server: GroupServer, data: TopData): readonly Line[] {
  const { replication, private_connections: privates, maxmemory_bytes: max } = server;
  return [
    title(`server ${server.addr}`),
    fact("state", describeServer(server), server.is_reachable ? undefined : "bad"),
    fact("group", `${server.group}, ${slotsOf(data, server.group)}`),
    fact("role", server.type === "slave" ? "replica" : server.type),
    fact("requests/s", wholeOf(server.ops)),
    fact("keys", wholeOf(server.keys)),
    fact("memory", bytes(server.memory_bytes) + (max ? ` of ${bytes(max)}` : ", no limit")),
    fact("clients", wholeOf(server.clients)),
    fact("version", server.version ?? UNKNOWN),
    fact("up for", duration(server.uptime_seconds)),
    ...server.zone === "" ? [] : [fact("zone", server.zone)],
    ...replication === null ? [] : [
      fact(
        "replicates",
        `${replication.master}, ${
          replication.is_up ? `${wholeOf(replication.lag_bytes)} bytes behind` : "not connected"
        }`,
        replication.is_up ? undefined : "bad",
      ),
    ],
    ...privates === null
      ? []
      : [fact("own links", `${privates.in_use} of ${privates.max}: clients that block or watch`)],
    ...server.refused === null ? [] : [
      fact(
        "refused by",
        `${countOf(server.refused.proxies, "proxy")}: ${server.refused.cause}`,
        "bad",
      ),
    ],
    ...server.reads === null || server.reads === undefined ? [] : [
      fact(
        "reads",
        server.reads.why_out === ""
          ? `${Math.round(100 * (server.reads.share ?? 0))} % of its group's`
          : `none: ${server.reads.why_out}`,
      ),
    ],
    ...slowLines(data, ({ server: addr }) => addr === server.addr),
  ];
}

/** A proxy: what it answers, its commands, its slow requests. */
export function insideProxy(proxy: ProxyView, data: TopData): readonly Line[] {
  const stale = proxy.stale_seconds ?? 0;
  return [
    title(`proxy ${proxy.id}`),
    fact(
      "state",
      proxy.problem === "" ? proxy.state : `${proxy.state}: ${proxy.problem}`,
      proxy.is_reachable ? undefined : "bad",
    ),
    fact("address", `${proxy.addr}, HTTP ${proxy.debug_var_addr}, process ${proxy.pid}`),
    fact("requests/s", wholeOf(proxy.ops)),
    fact("latency", `p50 ${millis(proxy.p50_ms)}, p99 ${millis(proxy.p99_ms)}`),
    fact("clients", wholeOf(proxy.sessions)),
    fact("memory", bytes(proxy.memory_bytes)),
    fact("version", proxy.version ?? UNKNOWN),
    fact("started", proxy.start_at),
    fact(
      "slot table",
      `version ${proxy.table_version ?? UNKNOWN}` +
        (stale === 0 ? "" : `, nobody to change it for ${duration(stale)}`),
    ),
    ...commandLines(data, proxy.id),
    ...slowLines(data, ({ proxy_id }) => proxy_id === proxy.id),
  ];
}

/** A group: its slots, servers and migrations. */
export function insideGroup({ id, servers }: GroupView, data: TopData): readonly Line[] {
  const moves = data.view.migrations.filter(({ from_group, to_group }) =>
    from_group === id || to_group === id
  );
  return [
    title(`group ${id}`),
    fact("slots", slotsOf(data, id)),
    fact("requests/s", wholeOf(opsOfGroup(data, id))),
    [],
    ...servers.length === 0 ? [[["no servers"]] as Line] : servers.map((server): Line => [
      [fitText(server.addr, 24), "bold"],
      [fitText(server.type === "slave" ? "replica" : server.type, 9)],
      [fitText(wholeOf(server.ops), 8, true)],
      [" requests/s  "],
      [describeServer(server), server.is_reachable ? "good" : "bad"],
    ]),
    ...moves.length === 0
      ? []
      : [[] as Line, [[countOf(moves.length, "migration"), "head"]] as Line],
    ...moves.slice(0, ROWS_MAX).map((task): Line => [
      [`slot ${fitText(`${task.slot_id}`, 5)} ${task.from_group ?? "?"} → ${task.to_group}  `],
      [barOf(shareMoved(task), BAR_WIDTH), "line"],
      [`  ${task.phase}`],
    ]),
  ];
}

/** A migration: how far it is, and what keeps it. */
export function insideMigration(task: MigrationView, data: TopData): readonly Line[] {
  const share = shareMoved(task);
  const since = task.problem_since === null
    ? ""
    : `, for ${duration((data.view.at - task.problem_since) / 1000)}`;
  return [
    title(`migration of slot ${task.slot_id}: group ${task.from_group ?? "?"} → ${task.to_group}`),
    [["  "], [barOf(share, BAR_WIDTH), "line"], [` ${Math.floor(100 * share)} %`]],
    fact("phase", task.phase),
    fact(
      "keys",
      `${wholeOf(task.keys_moved)} moved, ${wholeOf(task.keys_left)} left, ${
        wholeOf(task.keys_per_second)
      } per second`,
    ),
    fact("bytes", `${bytes(task.bytes_moved)} moved, ${bytes(task.bytes_per_second)} per second`),
    fact("to go", duration(task.eta_seconds)),
    fact("queued at", clockTime(task.created_at, data.view.at)),
    ...task.problem === "" ? [] : [fact("problem", task.problem + since, "bad")],
    ...task.note === "" ? [] : [fact("note", task.note)],
    ...task.big_keys.map(({ key, bytes: size, stop_ms, stays }) =>
      fact(
        "big key",
        `${JSON.stringify(key)}, ${bytes(size)}, ${
          stays ? "stays" : `stops both servers for ${millis(stop_ms)}`
        }`,
      )
    ),
  ];
}

/** A slow request: where its time went, and what it was. */
export function insideSlow(slow: ProxySlowRequest, data: TopData): readonly Line[] {
  return [
    title(`${slow.command} took ${millis(slow.usecs / 1000)}`),
    ...longestFirst(slow).map(({ name, usecs, share }): Line => [
      [fitText(`  ${name}`, NAME_WIDTH)],
      [barOf(share, BAR_WIDTH), share > 0.5 ? "warning" : "line"],
      [fitText(millis(usecs / 1000), 10, true)],
      [`${Math.round(100 * share)} %`.padStart(7)],
    ]),
    [],
    fact("written at", clockTime(slow.at, data.view.at)),
    fact("server", slow.server || "none, or several"),
    ...slow.slot < 0 ? [] : [fact("slot", `${slow.slot}`)],
    fact("proxy", slow.proxy_id),
    fact(
      "client",
      `${slow.client}${slow.client_name && ` (${slow.client_name})`}, user ${slow.user}`,
    ),
    fact("size", `${bytes(slow.request_bytes)} in, ${bytes(slow.reply_bytes)} out`),
    ...slow.end === "answered" ? [] : [fact("end", slow.end, "bad")],
    fact("request", slow.args.join(" ")),
  ];
}

/** A hot key: how hot, where it is, how large its requests and replies were. */
export function insideHotKey(hot: HotKeyEntry, { keys, view: { at } }: TopData): readonly Line[] {
  const { reads_per_second: reads, writes_per_second: writes } = hot;
  const big = keys?.big.filter((each) => nameOfEntry(each) === nameOfEntry(hot)) ?? [];
  return [
    title(`key ${hot.key}`),
    [["  "], [barOf(hot.share, BAR_WIDTH), "line"], [
      ` ${(100 * hot.share).toFixed(2)} % of the requests that name a key`,
    ]],
    fact("requests/s", `${wholeOf(reads)} reads, ${wholeOf(writes)} writes, estimated`),
    fact("database", `${hot.db}`),
    fact("slot", `${hot.slot}`),
    fact("server", hot.server || "none"),
    ...big.map((each) =>
      fact(
        each.of,
        `${bytes(each.bytes)} by ${each.command.toUpperCase()} at ${clockTime(each.at, at)}`,
      )
    ),
    ...hot.share < HOT_SHARE ? [] : [
      fact("what helps", "a cache in the client, copies under several names, reads from replicas"),
    ],
  ];
}

/** An outage: what happened, why, what to do. */
export function insideOutage(event: OutageEvent, data: TopData): readonly Line[] {
  const { duration_ms: lasted, count } = event;
  return [
    title(`${event.kind} ${event.subject}`),
    fact(event.phase === "end" ? "ended at" : "at", clockTime(event.at, data.view.at)),
    ...lasted === undefined ? [] : [fact("lasted", duration(lasted / 1000))],
    fact("what", event.text, event.severity === "error" ? "bad" : undefined),
    ...event.cause === "" ? [] : [fact("cause", event.cause)],
    ...event.hint === "" ? [] : [fact("what to do", event.hint, "bold")],
    ...count <= 1 ? [] : [fact("how often", `${count} times`)],
  ];
}

function title(text: string): Line {
  return [[text, "bold"]];
}

function fact(name: string, text: string, style?: Piece[1]): Line {
  return [[fitText(`  ${name}`, NAME_WIDTH), "dim"], [text, style]];
}

function wholeOf(value: number | null): string {
  return value === null ? UNKNOWN : short(Math.round(value));
}

function slotsOf({ view: { slots: { group } } }: TopData, id: number): string {
  const own = group.flatMap((owner, slot) => owner === id ? [slot] : []);
  return own.length === 0 ? "no slots" : `${countOf(own.length, "slot")}: ${rangesText(own)}`;
}

function commandLines({ commands }: TopData, proxy: string): readonly Line[] {
  if (commands?.proxy !== proxy) return [[], [["  its commands are being counted", "dim"]]];
  const rates = [...commands.rates].sort((a, b) =>
    (b.per_second ?? 0) - (a.per_second ?? 0) || b.calls - a.calls
  );
  if (rates.length === 0) return [[], [["  no figures of its commands", "dim"]]];
  return [
    [],
    [[
      `${fitText("COMMAND", 24)}${"PER SECOND".padStart(12)}${"SINCE START".padStart(13)}${
        "MEAN".padStart(11)
      }`,
      "head",
    ]],
    ...rates.slice(0, ROWS_MAX).map(({ command, calls, per_second, usecs }): Line => [
      [fitText(command, 24)],
      [wholeOf(per_second).padStart(12)],
      [wholeOf(calls).padStart(13)],
      [fitText(millis(usecs / 1000), 11, true)],
    ]),
  ];
}

function slowLines(
  { slow, view: { at } }: TopData,
  isIts: (slow: ProxySlowRequest) => boolean,
): readonly Line[] {
  const own = slow.filter(isIts).slice(0, ROWS_MAX);
  if (own.length === 0) return [];
  return [
    [],
    [["SLOW REQUESTS", "head"]],
    ...own.map((each): Line => {
      const [longest] = longestFirst(each);
      return [
        [`${clockTime(each.at, at)}  `],
        [fitText(millis(each.usecs / 1000), 8, true)],
        [`  ${fitText(longest === undefined ? "" : longest.name, 9)}`, "warning"],
        [each.args.join(" ")],
      ];
    }),
  ];
}
