/**
 * Keys, and what each does to what is shown.
 *
 * @module
 */

import type { Sort } from "./columns.ts";
import type { TopData } from "./feed.ts";
import { LIST_NAMES, type ListName, LISTS } from "./lists.ts";

/** What somebody looks at. */
export interface TopState {
  readonly list: ListName;
  /** The list's rows that were chosen and the orders, by the name of the list. */
  readonly chosen: Readonly<Partial<Record<ListName, string>>>;
  readonly sorts: Readonly<Partial<Record<ListName, Sort>>>;
  /** Whether the chosen row is looked into, or the help is read, and the first line that is shown. */
  readonly page: "inside" | "help" | undefined;
  readonly scrolled: number;
}

/** At the start. */
export const START: TopState = {
  ...{ list: "all", chosen: {}, sorts: {}, page: undefined, scrolled: 0 },
};

/** What a key does; `quit` ends. */
export type Step = "quit" | TopState;

/** How many rows a page is moved by when it is not known how many are shown. */
const PAGE = 10;

/** Names of what terminals send for keys that are no characters. */
const SEQUENCES: Readonly<Record<string, string>> = {
  ...{ "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down" },
  ...{ "\x1b[C": "right", "\x1bOC": "right", "\x1b[D": "left", "\x1bOD": "left" },
  ...{ "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home", "\x1b[F": "end" },
  ...{ "\x1b[1~": "home", "\x1b[4~": "end", "\x1bOH": "home", "\x1bOF": "end" },
  ...{ "\r": "enter", "\n": "enter", "\x1b": "escape", "\x7f": "escape", "\b": "escape" },
  ...{ "\x03": "quit", "\x04": "quit", k: "up", j: "down", " ": "page down" },
};

/** Keys in what a terminal has sent at one time; a character is its own name. */
export function typedKeys(text: string): string[] {
  // deno-lint-ignore no-control-regex
  const pieces = text.match(/\x1b\[[0-9;?]*[@-~]|\x1bO[@-~]|[^]/gu) ?? [];
  return pieces.map((piece) => SEQUENCES[piece] ?? piece);
}

/** What the help says. */
export const HELP: readonly (readonly [keys: string, what: string])[] = [
  ["a s p g m l h o", "all, servers, proxies, groups, migrations, slow, hot keys, outages"],
  ["up down", "choose a row (also k, j, page up, page down, home, end)"],
  ["enter", "look inside the chosen row; escape or left goes back"],
  ["< >", "sort by the column to the left or right (also , and .)"],
  ["r", "reverse the order"],
  ["?", "this help"],
  ["q", "quit (also Ctrl-C)"],
];

/** Steps through the rows of a list, or the lines of a page. */
const MOVES: Readonly<Record<string, number>> = {
  ...{ up: -1, down: 1, "page up": -PAGE, "page down": PAGE, home: -Infinity, end: Infinity },
};

/** What is shown after a key was pressed. */
export function pressKey(state: TopState, key: string, data: TopData): Step {
  if (key === "q" || key === "quit") return "quit";
  if (key === "?") {
    return { ...state, page: state.page === "help" ? undefined : "help", scrolled: 0 };
  }
  const list = LIST_NAMES.find((name) => LISTS[name].key === key);
  if (list !== undefined) return { ...state, list, page: undefined, scrolled: 0 };
  const move = MOVES[key];
  if (state.page !== undefined) {
    if (key === "escape" || key === "left" || (key === "enter" && state.page === "help")) {
      return { ...state, page: undefined, scrolled: 0 };
    }
    // The screen stops at the last line.
    const scrolled = Math.min(Math.max(0, state.scrolled + (move ?? 0)), Number.MAX_SAFE_INTEGER);
    return { ...state, scrolled };
  }
  if (move !== undefined) return moved(state, move, data);
  switch (key) {
    case "enter":
    case "right":
      return chosenId(state, data) === undefined ? state : look(state, data);
    case "<":
    case ",":
      return sorted(state, -1);
    case ">":
    case ".":
      return sorted(state, 1);
    case "r":
      return reversed(state);
    default:
      return state;
  }
}

/** The chosen row of the list that is shown; the first one if none was, or it is gone. */
export function chosenId({ list, chosen, sorts }: TopState, data: TopData): string | undefined {
  const ids = LISTS[list].ids(data, sorts[list]);
  const id = chosen[list];
  return id !== undefined && ids.includes(id) ? id : ids[0];
}

function look(state: TopState, data: TopData): TopState {
  const id = chosenId(state, data)!;
  const chosen = { ...state.chosen, [state.list]: id };
  return { ...state, chosen, page: "inside", scrolled: 0 };
}

function moved(state: TopState, by: number, data: TopData): TopState {
  const { list, chosen, sorts } = state;
  const ids = LISTS[list].ids(data, sorts[list]);
  const at = ids.indexOf(chosenId(state, data) ?? "");
  const id = ids[Math.min(ids.length - 1, Math.max(0, at + by))];
  return id === undefined ? state : { ...state, chosen: { ...chosen, [list]: id } };
}

function sorted(state: TopState, by: number): TopState {
  const { list, sorts } = state;
  const { columns } = LISTS[list];
  // Before the first column is the order in which the dashboard has them.
  const at = columns.indexOf(sorts[list]?.column ?? "") + 1;
  const next = (at + by + columns.length + 1) % (columns.length + 1);
  const sort = { column: columns[next - 1] ?? NO_COLUMN, isReversed: false };
  return { ...state, sorts: { ...sorts, [list]: sort } };
}

/** The name of no column. */
const NO_COLUMN = "\0";

function reversed(state: TopState): TopState {
  const { list, sorts } = state;
  const { column = NO_COLUMN, isReversed = false } = sorts[list] ?? {};
  return { ...state, sorts: { ...sorts, [list]: { column, isReversed: !isReversed } } };
}
