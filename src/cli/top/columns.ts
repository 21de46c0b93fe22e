/**
 * Lists in columns that fit into the width of a terminal: what matters least is left out first.
 *
 * @module
 */

import { cutLine, fitText, type Line, type Style, widthOf } from "./text.ts";

/** A column of a list. */
export interface Column<Row> {
  /** Its title. */
  readonly name: string;
  /** Its least width. */
  readonly width: number;
  /** Whether it becomes wider with its texts. Other columns are for figures, and aligned right. */
  readonly isWords: boolean;
  /** Columns with the highest rank are left out first; 0: never. */
  readonly rank: number;
  /** What rows are sorted by; null comes last. */
  readonly value: (row: Row) => string | number | null;
  readonly text: (row: Row) => string;
  readonly style?: ((row: Row) => Style | undefined) | undefined;
}

/** By which column a list is sorted. */
export interface Sort {
  readonly column: string;
  readonly isReversed: boolean;
}

/** A list that is ready to be drawn. */
export interface DrawnList {
  /** @param shown How many rows are shown; their number is named when it is not all. */
  head(shown: number): Line;
  readonly rows: readonly { readonly id: string; draw(): Line }[];
}

/** Between two columns, and before the first. */
const GAP = 1;
/** Texts make no column wider than this while others need room. */
const WORDS_MAX = 100;

/** A column of words. */
export function words<Row>(
  name: string,
  width: number,
  rank: number,
  value: (row: Row) => string,
  style?: (row: Row) => Style | undefined,
): Column<Row> {
  return { name, width, rank, isWords: true, value, text: value, style };
}

/** A column of figures. */
export function figures<Row>(
  name: string,
  width: number,
  rank: number,
  value: (row: Row) => number | null,
  text: (value: number) => string,
  style?: (row: Row) => Style | undefined,
): Column<Row> {
  const textOf = (row: Row) => {
    const figure = value(row);
    return figure === null ? "–" : text(figure);
  };
  return { name, width, rank, isWords: false, value, text: textOf, style };
}

/** Rows in the order of a column: figures from the highest on, words from A on. */
export function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sort: Sort | undefined,
): readonly Row[] {
  const column = columns.find(({ name }) => name === sort?.column);
  if (column === undefined) return sort?.isReversed ? [...rows].reverse() : rows;
  const direction = sort?.isReversed ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [column.value(one), column.value(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === "number" && typeof b === "number") return direction * (b - a);
    return direction * `${a}`.localeCompare(`${b}`, "en", { numeric: true });
  });
}

/** A list in columns, not wider than `width`. */
export function drawList<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  idOf: (row: Row) => string,
  sort: Sort | undefined,
  width: number,
): DrawnList {
  const sorted = sortRows(rows, columns, sort);
  const widths = fitColumns(sorted, columns, width);
  const shownColumns = columns.filter((column) => widths.has(column));
  const counted = shownColumns.filter(({ isWords }) => isWords)
    .reduce((widest, each) => widths.get(each)! > widths.get(widest)! ? each : widest);
  return {
    head: (shown) => {
      const cells = shownColumns.map((column) => {
        const arrow = sort?.column !== column.name ? "" : sort.isReversed ? "↑" : "↓";
        const count = column === counted && shown < rows.length ? ` ${shown}/${rows.length}` : "";
        return fitText(headText(column) + arrow + count, widths.get(column)!, !column.isWords);
      });
      return cutLine([[fitText(` ${cells.join(" ".repeat(GAP))}`, width), "head"]], width);
    },
    rows: sorted.map((row) => ({
      id: idOf(row),
      draw: () =>
        cutLine(
          shownColumns.flatMap((column) =>
            [
              [" ".repeat(GAP)],
              [
                fitText(column.text(row), widths.get(column)!, !column.isWords),
                column.style?.(row),
              ],
            ] as const
          ),
          width,
        ),
    })),
  };
}

function headText({ name }: { readonly name: string }): string {
  return name.toUpperCase();
}

/** The columns that are shown, and how wide. */
function fitColumns<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
): Map<Column<Row>, number> {
  const kept = [...columns];
  const least = () => kept.reduce((sum, column) => sum + column.width + GAP, 0);
  while (least() > width) {
    const last = kept.reduce((a, b) => b.rank >= a.rank ? b : a);
    if (last.rank === 0) break;
    kept.splice(kept.indexOf(last), 1);
  }
  const widths = new Map(kept.map((column) => [column, column.width]));
  let left = width - least();
  for (const column of kept) {
    if (!column.isWords || left <= 0) continue;
    const widest = rows.reduce((max, row) => Math.max(max, widthOf(column.text(row))), 0);
    const more = Math.min(left, Math.max(0, Math.min(widest, WORDS_MAX) - column.width));
    widths.set(column, column.width + more);
    left -= more;
  }
  return widths;
}
