/**
 * Text in columns, for people.
 *
 * @module
 */

/** Between two columns. */
const GAP = "  ";

/** A cell. Numbers are aligned right; `null` means unknown. */
export type Cell = string | number | null;

/**
 * Formats rows in columns that are as wide as necessary.
 *
 * @param heads The titles of the columns; empty: no titles.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * assertEquals(formatTable(["GROUP", "ROLE"], [[1, "master"]]), "GROUP  ROLE\n    1  master");
 * ```
 */
export function formatTable(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = rows.map((row) => row.map(formatCell));
  if (heads.length > 0) lines.unshift([...heads]);
  const widths: number[] = [];
  for (const line of lines) {
    for (const [i, cell] of line.entries()) {
      widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
    }
  }
  const isNumeric = widths.map((_, i) =>
    rows.length > 0 && rows.every((row) => typeof row[i] === "number" || row[i] === null)
  );
  return lines.map((line) =>
    line.map((cell, i) => {
      const pad = " ".repeat(widths[i]! - widthOf(cell));
      return isNumeric[i] ? pad + cell : cell + pad;
    }).join(GAP).trimEnd()
  ).join("\n");
}

/** Formats `name  value` lines with aligned values. */
export function formatFields(fields: readonly (readonly [name: string, value: Cell])[]): string {
  return formatTable([], fields.map(([name, value]) => [name, formatCell(value)]));
}

/** `7`, or `7-9`. */
export function formatRange(from: number, to: number): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

/** Replaces controls, and what turns the direction of text, by `?`: stored text must not control the terminal. */
export function maskControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "?");
}

/** Width in columns: every character that we print is one column wide. */
function widthOf(text: string): number {
  return [...text].length;
}

function formatCell(cell: Cell): string {
  return cell === null ? "-" : maskControls(`${cell}`);
}
