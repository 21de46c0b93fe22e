/**
 * Paints the map of slots: one cell each, in the order of their numbers.
 *
 * The number or the mark of a cell says the same as its colour.
 *
 * @module
 */

/// <reference lib="dom" />
import { loadColour, ownerColour, ownerInk } from "./colour.js";
import { themeColour } from "./theme.js";

/** @import { SlotsView } from "../../api/cluster_view.ts" */

/** @typedef {"owner" | "load"} Shade */
/** @typedef {{ readonly from: number, readonly to: number }} Range Both inclusive. */

/**
 * @typedef {object} Painting
 * @property {SlotsView} slots
 * @property {Shade} shade What colours the cells.
 * @property {number | null} group The only one that is shown in full colour.
 */

/** @typedef {{ columns: number, cell: number, left: number, width: number, height: number }} Grid */

/** A cell for each slot. */
export const CELL_COUNT = 1024;
/** Width from which there are more columns than on a phone. */
const WIDE_PX = 720;
const COLUMNS_WIDE = 64;
const COLUMNS_NARROW = 32;
/** Width of the row numbers, where they fit. */
const ROW_LABEL_PX = 38;
/** Width of a cell from which its group's number is readable. */
const NUMBERED_CELL_PX = 15;
const GAP_PX = 1;
/** Opacity of groups that are not in focus. */
const FADED = 0.14;

/**
 * The grid of cells for a width.
 *
 * @param {number} width
 * @returns {Grid}
 */
export function gridOf(width) {
  const isWide = width >= WIDE_PX;
  const columns = isWide ? COLUMNS_WIDE : COLUMNS_NARROW;
  const left = isWide ? ROW_LABEL_PX : 0;
  const cell = Math.max(1, (width - left) / columns);
  return { columns, cell, left, width, height: Math.ceil(cell * (CELL_COUNT / columns)) };
}

/**
 * Clears a canvas and makes it as large as the grid, in pixels of the screen.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 */
function cleared(canvas, { width, height }) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context?.scale(scale, scale);
  return context;
}

/**
 * Paints every cell.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Painting} painting
 */
export function paintCells(canvas, grid, { slots, shade, group }) {
  const context = cleared(canvas, grid);
  if (context === null) return;
  const { fontFamily } = getComputedStyle(canvas);
  const muted = themeColour("--muted");
  const empty = themeColour("--empty");
  const surface = themeColour("--surface");
  const { columns, cell, left } = grid;
  const size = Math.max(1, cell - GAP_PX);
  const most = Math.max(1, ...slots.ops);
  const isNumbered = shade === "owner" && cell >= NUMBERED_CELL_PX;
  context.textBaseline = "middle";
  context.font = `${Math.min(11, cell * 0.52)}px ${fontFamily}`;
  if (left > 0) {
    context.fillStyle = muted;
    context.textAlign = "right";
    for (let slot = 0; slot < CELL_COUNT; slot += columns) {
      context.fillText(String(slot), left - 8, (slot / columns + 0.5) * cell);
    }
  }
  context.textAlign = "center";
  for (let slot = 0; slot < CELL_COUNT; slot++) {
    const x = left + (slot % columns) * cell;
    const y = Math.floor(slot / columns) * cell;
    const owner = slots.group[slot] ?? -1;
    const status = slots.status[slot] ?? "-";
    const from = slots.from[slot];
    context.globalAlpha = group === null || group === owner || group === from ? 1 : FADED;
    if (status === "-" || status === "u" || (shade === "owner" && owner < 0)) {
      context.strokeStyle = muted;
      context.strokeRect(x + 1, y + 1, size - 2, size - 2);
      if (status === "x") paintCross(context, x, y, size, muted);
      continue;
    }
    context.fillStyle = shade === "load"
      ? loadColour((slots.ops[slot] ?? 0) / most)
      : status === "x"
      ? empty
      : ownerColour(owner);
    context.fillRect(x, y, size, size);
    if (status === "x") paintCross(context, x, y, size, muted);
    if (status === "m" && from !== undefined) {
      paintSource(context, x, y, size, shade === "load" ? surface : ownerColour(from));
    }
    if (status === "p") {
      paintRing(context, x, y, size, shade === "load" ? surface : ownerInk(owner));
    }
    if (isNumbered && status === "o" && owner >= 0) {
      context.fillStyle = ownerInk(owner);
      context.fillText(String(owner), x + size / 2, y + size / 2 + 0.5);
    }
  }
  context.globalAlpha = 1;
}

/**
 * Offline: a cross.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {string} colour
 */
function paintCross(context, x, y, size, colour) {
  const inset = size * 0.28;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, size / 12);
  context.beginPath();
  context.moveTo(x + inset, y + inset);
  context.lineTo(x + size - inset, y + size - inset);
  context.moveTo(x + size - inset, y + inset);
  context.lineTo(x + inset, y + size - inset);
  context.stroke();
  context.lineWidth = 1;
}

/**
 * Migrating: the upper left half has the colour of the old group.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {string} colour
 */
function paintSource(context, x, y, size, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + size, y);
  context.lineTo(x, y + size);
  context.fill();
}

/**
 * About to migrate: a ring.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {string} colour
 */
function paintRing(context, x, y, size, colour) {
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, size / 7);
  context.beginPath();
  context.arc(x + size / 2, y + size / 2, size * 0.27, 0, 2 * Math.PI);
  context.stroke();
  context.lineWidth = 1;
}

/**
 * Paints the selection and the pointed slot.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Range | null} chosen
 * @param {number | null} pointed
 */
export function paintMarks(canvas, grid, chosen, pointed) {
  const context = cleared(canvas, grid);
  if (context === null) return;
  const { columns, cell, left } = grid;
  const ink = themeColour("--ink");
  const surface = themeColour("--surface");
  if (chosen !== null) {
    traceRange(context, grid, chosen);
    paintOutline(context, ink, surface);
  }
  if (pointed !== null) {
    const x = left + (pointed % columns) * cell;
    const y = Math.floor(pointed / columns) * cell;
    context.beginPath();
    context.rect(x, y, cell - GAP_PX, cell - GAP_PX);
    paintOutline(context, ink, surface);
  }
}

/**
 * The outline of a range: from its first slot to the end of the row, whole rows, and so on.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Grid} grid
 * @param {Range} range
 */
function traceRange(context, { columns, cell, left }, { from, to }) {
  const top = Math.floor(from / columns) * cell;
  const bottom = (Math.floor(to / columns) + 1) * cell - GAP_PX;
  const first = left + (from % columns) * cell;
  const last = left + (to % columns + 1) * cell - GAP_PX;
  const right = left + columns * cell - GAP_PX;
  context.beginPath();
  if (bottom - top < cell) {
    context.rect(first, top, last - first, bottom - top);
    return;
  }
  const corners = [
    [first, top],
    [right, top],
    [right, bottom - cell],
    [last, bottom - cell],
    [last, bottom],
    [left, bottom],
    [left, top + cell],
    [first, top + cell],
  ];
  for (const [x = 0, y = 0] of corners) context.lineTo(x, y);
  context.closePath();
}

/**
 * Strokes the path so that it is visible on any colour.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} ink
 * @param {string} surface
 */
function paintOutline(context, ink, surface) {
  context.lineWidth = 4;
  context.strokeStyle = surface;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = ink;
  context.stroke();
}
