/**
 * The lists of the screen: which rows and columns each has, and what it shows of a row inside.
 *
 * @module
 */

import type { GroupView, MigrationView, ProxyView, ServerView } from "../../api/cluster_view.ts";
import { type HotKeyEntry, nameOfEntry } from "../../api/hot_keys.ts";
import { longestFirst } from "../../dashboard/page/slow_log.js";
import { bytes, clockTime, duration, millis, short } from "../../dashboard/page/format.js";
import type { OutageEvent } from "../../model/outage_event.ts";
import { describeServer } from "../config/status.ts";
import {
  type Column,
  drawList,
  type DrawnList,
  figures,
  type Sort,
  sortRows,
  words,
} from "./columns.ts";
import type { ProxySlowRequest, TopData } from "./feed.ts";
import {
  type GroupServer,
  HOT_SHARE,
  insideGroup,
  insideHotKey,
  insideMigration,
  insideOutage,
  insideProxy,
  insideServer,
  insideSlow,
  opsOfGroup,
  shareMoved,
} from "./inside.ts";
import { signsOf } from "./strip.ts";
import { barOf, type Line, type Style } from "./text.ts";

/** A list, whatever its rows are. */
export interface List {
  readonly key: string;
  /** As the last line names it: its key in brackets. */
  readonly label: string;
  readonly columns: readonly string[];
  /** Said instead of rows. */
  empty(data: TopData): string;
  ids(data: TopData, sort: Sort | undefined): readonly string[];
  draw(data: TopData, sort: Sort | undefined, width: number): DrawnList;
  /** What is known of a row; undefined: it is gone. */
  inside(data: TopData, id: string): readonly Line[] | undefined;
}

const BAR_WIDTH = 12;
const count = (value: number) => short(value);
const perSecond = (value: number) => short(Math.round(value));
const ms = (value: number) => millis(value);

function list<Row>(parts: {
  readonly key: string;
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: (data: TopData) => readonly Row[];
  readonly id: (row: Row) => string;
  readonly empty: (data: TopData) => string;
  readonly inside: (row: Row, data: TopData) => readonly Line[];
}): List {
  const { key, label, columns, rows, id, empty } = parts;
  return {
    ...{ key, label, empty },
    columns: columns.map(({ name }) => name),
    ids: (data, sort) => sortRows(rows(data), columns, sort).map(id),
    draw: (data, sort, width) => drawList(rows(data), columns, id, sort, width),
    inside: (data, asked) => {
      const row = rows(data).find((each) => id(each) === asked);
      return row === undefined ? undefined : parts.inside(row, data);
    },
  };
}

function serverStyle({ is_reachable, problem, replication }: ServerView): Style | undefined {
  if (!is_reachable) return "bad";
  return problem !== "" || replication?.is_up === false ? "warning" : "good";
}

const SERVERS = list<GroupServer>({
  ...{ key: "s", label: "[s]ervers" },
  rows: ({ view }) =>
    view.groups.flatMap(({ id, servers }) => servers.map((each) => ({ ...each, group: id }))),
  id: ({ group, addr }) => `${group} ${addr}`,
  empty: () => "no servers: add one with `codis-proxy config server add 1 <host:port> master`",
  inside: insideServer,
  columns: [
    words("group", 6, 0, ({ group }) => `${group}`),
    words("server", 14, 0, ({ addr }) => addr),
    words("role", 7, 4, ({ type }) => type === "slave" ? "replica" : type),
    figures("req/s", 7, 1, ({ ops }) => ops, perSecond),
    figures("keys", 7, 2, ({ keys }) => keys, count),
    figures("clients", 8, 5, ({ clients }) => clients, count),
    figures("memory", 8, 3, ({ memory_bytes }) => memory_bytes, bytes),
    words("state", 12, 0, describeServer, serverStyle),
  ],
});

const PROXIES = list<ProxyView>({
  ...{ key: "p", label: "[p]roxies" },
  rows: ({ view }) => view.proxies,
  id: ({ id }) => id,
  empty: () => "no proxies: start one with `codis-proxy`",
  inside: insideProxy,
  columns: [
    words("proxy", 12, 0, ({ id }) => id),
    words("address", 14, 5, ({ addr }) => addr),
    figures("req/s", 7, 1, ({ ops }) => ops, perSecond),
    figures("p50", 8, 3, ({ p50_ms }) => p50_ms, ms),
    figures("p99", 8, 2, ({ p99_ms }) => p99_ms, ms),
    figures("clients", 8, 4, ({ sessions }) => sessions, count),
    figures("memory", 8, 6, ({ memory_bytes }) => memory_bytes, bytes),
    words("state", 8, 0, ({ state, problem, drain }) => problem || drain || state, (proxy) => {
      if (!proxy.is_reachable) return "bad";
      return proxy.problem || proxy.drain || proxy.state !== "online" ? "warning" : "good";
    }),
  ],
});

interface GroupRow extends GroupView {
  readonly sign: string;
  readonly ops: number;
  readonly up: number;
  readonly master: ServerView | undefined;
  /** Tasks that bring slots to it, or take them away. */
  readonly moves: number;
}

const GROUPS = list<GroupRow>({
  ...{ key: "g", label: "[g]roups" },
  rows: (data) => {
    const signs = signsOf(data.view);
    return data.view.groups.map((group) => ({
      ...group,
      sign: signs.get(group.id)![0],
      ops: opsOfGroup(data, group.id),
      up: group.servers.filter(({ is_reachable }) => is_reachable).length,
      master: group.servers.find(({ type }) => type === "master"),
      moves: data.view.migrations.filter(({ from_group, to_group }) =>
        from_group === group.id || to_group === group.id
      ).length,
    }));
  },
  id: ({ id }) =>
    `${id}`,
  empty: () => "no groups: add one with `codis-proxy config server add 1 <host:port> master`",
  inside: insideGroup,
  columns: [
    words("group", 6, 0, ({ id }) => `${id}`),
    words("sign", 5, 6, ({ sign }) => sign),
    words(
      "master",
      14,
      1,
      ({ master }) => master?.addr ?? "no master",
      ({ master }) => master?.is_reachable ? undefined : "bad",
    ),
    words(
      "up",
      6,
      0,
      ({ up, servers }) => `${up}/${servers.length}`,
      ({ up, servers }) => up < servers.length ? "bad" : "good",
    ),
    figures("slots", 6, 0, ({ slots }) => slots, count),
    figures("req/s", 7, 2, ({ ops }) => ops, perSecond),
    figures("keys", 7, 3, ({ master }) => master?.keys ?? null, count),
    figures("memory", 8, 4, ({ master }) => master?.memory_bytes ?? null, bytes),
    figures("moves", 6, 5, ({ moves }) => moves, count),
  ],
});

const MIGRATIONS = list<MigrationView>({
  ...{ key: "m", label: "[m]oves" },
  rows: ({ view }) => view.migrations,
  id: ({ name }) => name,
  empty: () => "no migrations",
  inside: insideMigration,
  columns: [
    words("slot", 6, 0, ({ slot_id }) => `${slot_id}`),
    words("groups", 8, 0, ({ from_group, to_group }) => `${from_group ?? "?"} → ${to_group}`),
    words(
      "phase",
      8,
      0,
      ({ phase }) => phase,
      ({ phase }) =>
        phase === "stuck" || phase === "failed" ? "bad" : phase === "moving" ? "good" : "dim",
    ),
    {
      ...words<MigrationView>("moved", BAR_WIDTH + 5, 1, (task) => {
        const share = shareMoved(task);
        return `${barOf(share, BAR_WIDTH)} ${`${Math.floor(100 * share)}`.padStart(3)}%`;
      }, () => "line"),
      value: shareMoved,
    },
    figures("left", 7, 2, ({ keys_left }) => keys_left, count),
    figures("keys/s", 7, 3, ({ keys_per_second }) => keys_per_second, perSecond),
    figures("to go", 8, 4, ({ eta_seconds }) => eta_seconds, duration),
    words("note", 6, 5, ({ problem, note }) => problem || note),
  ],
});

const SLOW = list<ProxySlowRequest>({
  ...{ key: "l", label: "s[l]ow" },
  rows: ({ slow }) => slow,
  id: ({ proxy_id, id }) => `${proxy_id} ${id}`,
  empty: ({ slowProblem }) => slowProblem || "no request was slower than slowlog_slower_than",
  inside: insideSlow,
  columns: [
    {
      ...words<ProxySlowRequest>("slow at", 8, 0, ({ at }) => clockTime(at)),
      value: ({ at }) => at,
    },
    figures("took", 8, 0, ({ usecs }) => usecs, (usecs) => millis(usecs / 1000)),
    words("where", 12, 1, (slow) => {
      const [longest] = longestFirst(slow);
      return longest === undefined ? "" : `${longest.name} ${Math.round(100 * longest.share)}%`;
    }, () => "warning"),
    words("server", 14, 3, ({ server }) => server),
    words("request", 12, 0, ({ args }) => args.join(" ")),
  ],
});

const KEYS = list<HotKeyEntry>({
  ...{ key: "h", label: "[h]ot" },
  rows: ({ keys }) => keys?.hot ?? [],
  id: nameOfEntry,
  empty: ({ keysProblem }) => keysProblem || "no key was asked for lately",
  inside: insideHotKey,
  columns: [
    words("key", 12, 0, ({ key }) => key),
    {
      ...words<HotKeyEntry>("share", BAR_WIDTH + 7, 1, ({ share }) => {
        return `${barOf(share, BAR_WIDTH)} ${(100 * share).toFixed(1).padStart(5)}%`;
      }, ({ share }) => share > HOT_SHARE ? "warning" : "line"),
      value: ({ share }) => share,
    },
    figures("reads/s", 8, 2, ({ reads_per_second }) => reads_per_second, perSecond),
    figures("writes/s", 9, 3, ({ writes_per_second }) => writes_per_second, perSecond),
    figures("slot", 5, 4, ({ slot }) => slot, (slot) => `${slot}`),
    words("server", 14, 5, ({ server }) => server),
  ],
});

const OUTAGES = list<OutageEvent & { readonly isOpen: boolean }>({
  ...{ key: "o", label: "[o]utages" },
  rows: ({ events, open }) => [
    ...open.map((each) => ({ ...each, isOpen: true })),
    ...events.filter(({ id }) => open.every((each) => each.id !== id))
      .map((each) => ({ ...each, isOpen: false })),
  ],
  id: ({ id }) => id,
  empty: () => "no outage was noted",
  inside: insideOutage,
  columns: [
    { ...words<OutageEvent>("at", 8, 0, ({ at }) => clockTime(at)), value: ({ at }) => at },
    words(
      "now",
      5,
      0,
      ({ isOpen, phase }) => isOpen ? "now" : { begin: "began", end: "ended", once: "" }[phase],
      ({ isOpen }) => isOpen ? "bad" : undefined,
    ),
    words(
      "kind",
      12,
      1,
      ({ kind }) => kind,
      ({ severity }) =>
        severity === "error" ? "bad" : severity === "warning" ? "warning" : undefined,
    ),
    words("what", 20, 0, ({ text }) => text),
  ],
});

/** Every list by its name. `all` is the servers, and the first rows of the others. */
export const LISTS = {
  all: { ...SERVERS, key: "a", label: "[a]ll" },
  servers: SERVERS,
  proxies: PROXIES,
  groups: GROUPS,
  migrations: MIGRATIONS,
  slow: SLOW,
  keys: KEYS,
  outages: OUTAGES,
} as const satisfies Readonly<Record<string, List>>;

/** The name of a list. */
export type ListName = keyof typeof LISTS;

/** The names of all lists. */
export const LIST_NAMES = Object.keys(LISTS) as readonly ListName[];
