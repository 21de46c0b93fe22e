/**
 * The screen as lines of text: what is always seen, the list or page that is looked at, the keys.
 *
 *     product, time, dashboard
 *     totals; requests over time; slots and their load; what is wrong
 *     ─────────────────────────────────────────────────────────────────
 *     a list  |  all lists, the first rows of each  |  one row inside  |  help
 *     ─────────────────────────────────────────────────────────────────
 *     keys
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import type { ClusterView } from "../../api/cluster_view.ts";
import { concernsOf } from "../../dashboard/page/attention.js";
import { bytes, clockTime, duration, millis, short } from "../../dashboard/page/format.js";
import type { TopData } from "./feed.ts";
import { chosenId, HELP, type TopState } from "./keys.ts";
import { LIST_NAMES, type ListName, LISTS } from "./lists.ts";
import { loadOf, stripOf } from "./strip.ts";
import {
  barOf,
  cutLine,
  fitText,
  levelsOf,
  type Line,
  type Piece,
  plainText,
  widthOf,
  wrapLine,
} from "./text.ts";

/** Columns and lines. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A screen, and the first line that is shown of a page that is longer than it. */
export interface Screen {
  readonly lines: readonly Line[];
  readonly scrolled: number;
}

/** Width of what stands before the slots. */
const LABEL = 10;
/** Most lines of what is wrong. */
const WRONG_MAX = 3;
/** The lists below the servers where all are shown, the most important first. */
const BESIDES = ["proxies", "migrations", "slow"] as const satisfies readonly ListName[];
/** Which part of the lines one of them has at least, if it has rows. */
const BESIDES_PART = 6;
/** Migrations and slow requests in a text, which has no end. */
const BESIDES_MAX = 20;
const BAR_WIDTH = 12;

/** Draws it; `rows` of Infinity: as many as there is to say. */
export function drawScreen(data: TopData, state: TopState, size: Size): Screen {
  const { columns: width, rows } = size;
  const head = [...headLines(data, state, width), ...wrongLines(data, width)];
  const foot = footLine(state);
  const room = Math.max(1, rows - head.length - 1);
  let body: readonly Line[];
  let scrolled = 0;
  if (state.page === undefined) {
    body = state.list === "all"
      ? allLists(data, state, width, room)
      : oneList(data, state, width, room);
  } else {
    const page = (state.page === "help" ? helpLines() : insideLines(data, state))
      .flatMap((line) => wrapLine(line, width));
    scrolled = Math.min(state.scrolled, Math.max(0, page.length - room));
    body = page.slice(scrolled, scrolled + room);
  }
  const blank = Number.isFinite(rows) ? Math.max(0, room - body.length) : 0;
  const lines = [...head, ...body, ...Array.from({ length: blank }, (): Line => [])];
  return {
    lines: [...lines.slice(0, rows - 1), foot].map((line) => cutLine(line, width)),
    scrolled,
  };
}

/** The screen as text, without keys, as long as there is something to say. */
export function screenText(data: TopData, state: TopState, columns: number): string {
  const { lines } = drawScreen(data, state, { columns, rows: Infinity });
  return lines.slice(0, -1).map((line) => plainText(line).trimEnd()).join("\n");
}

function headLines({ view, lost }: TopData, { list }: TopState, width: number): Line[] {
  const { slots, history, coordinator, dashboard } = view;
  const servers = view.groups.flatMap((group) => group.servers);
  const up = servers.filter(({ is_reachable }) => is_reachable).length;
  const online = view.proxies.filter(({ state }) => state === "online").length;
  const right = `${list === "all" ? "" : `${list}  `}${clockTime(view.at)}`;
  const left = ` ${view.product}  dashboard ${dashboard.addr} `;
  const fits = width - widthOf(right) - 1;
  const cells = Math.max(1, width - LABEL - 1);
  const recent = history.ops.slice(-cells);
  return [
    [[`${fitText(left, fits)}${right} `, "title"]],
    figuresLine([
      ["requests/s", short(Math.round(view.ops))],
      ["p50", millis(history.p50_ms.at(-1))],
      ["p99", millis(history.p99_ms.at(-1))],
      ["clients", short(view.sessions)],
      ["keys", short(view.keys)],
      ["memory", bytes(view.memory_bytes)],
    ]),
    figuresLine([
      ["servers", `${up}/${servers.length}`, up < servers.length ? "bad" : undefined],
      ["proxies", `${online}/${view.proxies.length}`, online === 0 ? "bad" : undefined],
      [
        "slots",
        `${slots.served}/${slots.status.length}`,
        slots.served < slots.status.length ? "bad" : undefined,
      ],
      [coordinator.kind, coordinator.state, coordinator.state === "connected" ? undefined : "bad"],
      ["failover", dashboard.failover],
    ]),
    [[fitText(" requests", LABEL), "dim"], [levelsOf(recent), "line"]],
    [[fitText(" slots", LABEL), "dim"], ...stripOf(view, cells)],
    [[fitText(" load", LABEL), "dim"], ...loadOf(view, cells)],
    ...lost === undefined ? [] : [[[
      ` no answer since ${clockTime(lost.since)} (${
        duration((Date.now() - lost.since) / 1000)
      }), asking again: ${lost.problem}`,
      "bad",
    ]] as Line],
  ];
}

function figuresLine(
  figures: readonly (readonly [name: string, value: string, style?: Piece[1]])[],
): Line {
  return figures.flatMap(([name, value, style]): Line => [
    [` ${name} `, "dim"],
    [value, style ?? "bold"],
    [" "],
  ]);
}

/** What the page says needs attention, and open outages that it does not name, the worst first. */
function wrongLines({ view, open }: TopData, width: number): Line[] {
  const concerns = concernsOf(view).map(({ text, tone }) => ({ text, style: tone }));
  const outages = open
    .filter(({ subject }) => !concerns.some(({ text }) => text.includes(subject)))
    .map(({ text, at, severity }) => ({
      text: `${text}, for ${duration((view.at - at) / 1000)}`,
      style: severity === "error" ? "bad" as const : "warning" as const,
    }));
  const wrong = [...concerns, ...outages]
    .sort((a, b) => Number(b.style === "bad") - Number(a.style === "bad"));
  return wrong.slice(0, WRONG_MAX).map(({ text, style }, i) => {
    const hidden = wrong.length - WRONG_MAX;
    const more = i === WRONG_MAX - 1 && hidden > 0 ? `  and ${hidden} more` : "";
    return [[fitText(` ! ${text}`, width - more.length), style], [more, "dim"]];
  });
}

function oneList(data: TopData, state: TopState, width: number, room: number): Line[] {
  return listLines(state.list, data, state, width, room, true);
}

function allLists(data: TopData, state: TopState, width: number, room: number): Line[] {
  const besides = BESIDES.map((name) => ({
    name,
    rows: LISTS[name].ids(data, undefined).length,
  })).filter(({ name, rows }) => rows > 0 || name === "proxies");
  const servers = Math.max(1, LISTS.all.ids(data, undefined).length);
  // Each has a line of its own names; the migrations another one for all together.
  const heads = besides.length + (besides.some(({ name }) => name === "migrations") ? 1 : 0);
  let left = room - heads - 1;
  const part = Math.max(1, Math.floor(room / BESIDES_PART));
  const given = new Map(besides.map(({ name, rows }) => {
    const most = Number.isFinite(room) ? part : name === "proxies" ? rows : BESIDES_MAX;
    return [name, Math.min(Math.max(1, rows), most)];
  }));
  for (const count of given.values()) left -= count;
  const ofServers = Math.max(1, Math.min(servers, left));
  left -= ofServers;
  for (const { name, rows } of Number.isFinite(room) ? besides : []) {
    const more = Math.max(0, Math.min(left, rows - given.get(name)!));
    given.set(name, given.get(name)! + more);
    left -= more;
  }
  return [
    ...listLines("all", data, state, width, ofServers + 1, true),
    ...besides.flatMap(({ name }) => [
      ...name === "migrations" ? [totalsLine(data.view)] : [],
      ...listLines(name, data, state, width, given.get(name)! + 1, false),
    ]),
  ];
}

function totalsLine(
  { migration_totals: totals, migrations_paused_since: since }: ClusterView,
): Line {
  const paused = since === null ? "" : "paused; ";
  if (totals === null) return [[` migrations: ${paused}queued`]];
  const { slots_done, slots_left, keys_left, keys_per_second, eta_seconds } = totals;
  const slots = slots_done + slots_left;
  const parts = [`${paused}${slots_done}/${countOf(slots, "slot")}`];
  if (keys_left !== null) {
    parts.push(`${short(keys_left)} ${keys_left === 1 ? "key" : "keys"} left`);
  }
  if (keys_per_second !== null) parts.push(`${short(Math.round(keys_per_second))} keys/s`);
  if (eta_seconds !== null) parts.push(`${duration(eta_seconds)} to go`);
  return [
    [" migrations "],
    [barOf(slots_done / Math.max(1, slots), BAR_WIDTH), "line"],
    [` ${parts.join(", ")}`],
  ];
}

/** The head of a list and its rows, those around the chosen one. */
function listLines(
  name: ListName,
  data: TopData,
  state: TopState,
  width: number,
  room: number,
  isChosenFrom: boolean,
): Line[] {
  const list = LISTS[name];
  const drawn = list.draw(data, state.sorts[name], width);
  if (drawn.rows.length === 0) return [drawn.head(0), [[` ${list.empty(data)}`, "dim"]]];
  const count = Math.min(drawn.rows.length, Math.max(1, room - 1));
  const chosen = isChosenFrom && Number.isFinite(room) ? chosenId(state, data) : undefined;
  const at = drawn.rows.findIndex(({ id }) => id === chosen);
  const from = Math.min(
    Math.max(0, at - Math.floor(count / 2)),
    Math.max(0, drawn.rows.length - count),
  );
  return [
    drawn.head(count),
    ...drawn.rows.slice(from, from + count).map(({ id, draw }): Line => {
      const line = draw();
      if (id !== chosen) return line;
      // The first column is free: a mark where there are no colours.
      const text = plainText(line);
      return [[fitText(`>${text.slice(1)}`, width), "chosen"]];
    }),
  ];
}

function insideLines(data: TopData, { list, chosen }: TopState): readonly Line[] {
  const lines = LISTS[list].inside(data, chosen[list] ?? "");
  return lines ?? [[["it is no longer there; escape goes back", "warning"]]];
}

function helpLines(): Line[] {
  return [
    [["Keys", "bold"]],
    ...HELP.map(([keys, what]): Line => [[fitText(`  ${keys}`, 17), "bold"], [what]]),
    [],
    [["The line of slots", "bold"]],
    [["  each sign is a group (see its list); > moving, ! offline or unreadable, . not stored"]],
    [["  the line below: requests per second of these slots"]],
  ];
}

function footLine({ list, page }: TopState): Line {
  if (page !== undefined) return [[" escape", "bold"], [" back  "], ["q", "bold"], [" quit"]];
  return [
    ...LIST_NAMES.flatMap((name): Line => [
      [" "],
      [LISTS[name].label, name === list ? "chosen" : undefined],
    ]),
    [" [?] [q]uit"],
  ];
}
