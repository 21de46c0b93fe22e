/**
 * Text of a screen: pieces with styles, as wide as a terminal shows them.
 *
 *     line: pieces ─► cut to the width ─► what controls a terminal masked ─► styled, or plain
 *
 * @module
 */

import { styleText } from "node:util";
import stringWidth from "string-width";
import { maskControls } from "../parts/table.ts";

/** How a piece of text looks, and what `styleText` calls that. */
const STYLES = {
  title: ["bold", "inverse"],
  head: ["bold", "underline"],
  bold: "bold",
  dim: "dim",
  good: "green",
  warning: "yellow",
  bad: ["bold", "red"],
  chosen: "inverse",
  line: "cyan",
  group0: ["black", "bgCyan"],
  group1: ["black", "bgGreen"],
  group2: ["white", "bgBlue"],
  group3: ["black", "bgYellow"],
  group4: ["white", "bgMagenta"],
  group5: ["black", "bgWhite"],
} satisfies Readonly<Record<string, Parameters<typeof styleText>[0]>>;

/** See {@linkcode STYLES}. */
export type Style = keyof typeof STYLES;

/** A piece of a line. */
export type Piece = readonly [text: string, style?: Style | undefined];

/** One line of a screen. */
export type Line = readonly Piece[];

/** What a terminal can show. */
export interface Look {
  readonly hasColours: boolean;
  /** Whether it draws blocks and arrows; names are shown as they are. */
  readonly hasBlocks: boolean;
}

/** From nothing to all. */
const LEVELS = "▁▂▃▄▅▆▇█";
/** Our own characters, and what stands for them where only ASCII is drawn. */
const PLAIN: Readonly<Record<string, string>> = {
  ...{ "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "%", "█": "#" },
  ...{ "░": ".", "…": "~", "→": ">", "↓": "v", "↑": "^", "–": "-", "\u202f": " " },
};
const OURS = new RegExp(`[${Object.keys(PLAIN).join("")}]`, "g");
const ASCII = /^[\x20-\x7e]*$/;

const characters = new Intl.Segmenter();

/** How many columns a text takes. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** A text, not wider than `width`; what was cut off is an ellipsis. */
export function cutText(text: string, width: number): string {
  const masked = maskControls(text);
  if (widthOf(masked) <= width) return masked;
  let [cut, used] = ["", 0];
  for (const { segment } of characters.segment(masked)) {
    used += widthOf(segment);
    if (used > width - 1) break;
    cut += segment;
  }
  return width < 1 ? "" : `${cut}…`;
}

/** A text, exactly as wide as `width`. */
export function fitText(text: string, width: number, isRight = false): string {
  const cut = cutText(text, width);
  const space = " ".repeat(Math.max(0, width - widthOf(cut)));
  return isRight ? space + cut : cut + space;
}

/** The text of a line, without styles. */
export function plainText(line: Line): string {
  return line.map(([text]) => maskControls(text)).join("");
}

/** A line, not wider than `width`. */
export function cutLine(line: Line, width: number): Line {
  const pieces: Piece[] = [];
  let left = width;
  for (const [text, style] of line) {
    if (left <= 0) break;
    const cut = cutText(text, left);
    pieces.push([cut, style]);
    left -= widthOf(cut);
  }
  return pieces;
}

/** A line whose last piece goes on below itself when it is too wide, at spaces where there are some. */
export function wrapLine(line: Line, width: number): Line[] {
  const [text, style] = line.at(-1) ?? [""];
  const before = line.slice(0, -1);
  const indent = widthOf(plainText(before));
  const room = width - indent;
  if (room < 1 || widthOf(text) <= room) return [line];
  const rows: string[] = [];
  let row = "";
  for (const word of maskControls(text).match(/\S+|\s+/g) ?? []) {
    if (widthOf(row + word.trimEnd()) <= room) {
      row += word;
      continue;
    }
    if (row.trim() !== "") rows.push(row);
    row = "";
    for (const { segment } of characters.segment(word.trimStart())) {
      if (widthOf(row + segment) > room) {
        rows.push(row);
        row = "";
      }
      row += segment;
    }
  }
  if (row.trim() !== "") rows.push(row);
  return rows.map((each, i) => [
    ...i === 0 ? before : [[" ".repeat(indent)] as const],
    [each.trimEnd(), style],
  ]);
}

/** What is written for a line; nothing of it but our own styles can control a terminal. */
export function renderLine(line: Line, { hasColours, hasBlocks }: Look): string {
  return line.map(([text, style]) => {
    const masked = maskControls(text);
    const shown = hasBlocks ? masked : masked.replace(OURS, (own) => PLAIN[own]!);
    if (style === undefined || !hasColours || shown === "") return shown;
    return styleText(STYLES[style], shown, { validateStream: false });
  }).join("");
}

/** A bar that is filled up to a share of 0 to 1. */
export function barOf(share: number, width: number): string {
  const filled = Math.floor(width * Math.min(1, Math.max(0, share || 0)));
  return "█".repeat(filled) + "░".repeat(width - filled);
}

/** A character for each value, the higher the more; a space for 0. */
export function levelsOf(values: readonly number[]): string {
  const max = Math.max(0, ...values);
  return values.map((value) => {
    if (!(value > 0)) return " ";
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor(LEVELS.length * value / max))];
  }).join("");
}
