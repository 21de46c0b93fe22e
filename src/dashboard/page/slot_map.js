/**
 * The 1024 slots as a map: one cell each, in the order of their numbers.
 *
 * Cells are painted on a canvas, and only when what they show has changed; where the reader points
 * and what is chosen lies on a second canvas above it. What a cell's colour says, its number or its
 * mark says as well.
 *
 * @module
 */

/// <reference lib="dom" />
import { useEffect, useLayoutEffect, useRef, useState } from "./preact_hooks.js";
import { loadColour, ownerColour, ownerInk } from "./colour.js";
import { html } from "./html.js";
import { currentTheme, onTheme } from "./theme.js";

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

export const SLOT_COUNT = 1024;
/** From this width on there are more columns than on a phone. */
const WIDE_PX = 720;
const COLUMNS_WIDE = 64;
const COLUMNS_NARROW = 32;
/** Room for the numbers of the rows, where there is any. */
const ROW_LABEL_PX = 38;
/** A cell must be this wide for its group's number to be read. */
const NUMBERED_CELL_PX = 15;
const GAP_PX = 1;
/** How much is left of the colour of groups that are not looked at. */
const FADED = 0.14;

/**
 * @param {Painting & {
 *   chosen: Range | null,
 *   pointed: number | null,
 *   onPoint: (slot: number | null) => void,
 *   onChoose: (range: Range | null) => void,
 * }} props
 */
export function SlotMap({ slots, shade, group, chosen, pointed, onPoint, onChoose }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const cells = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const marks = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const anchor = useRef(/** @type {number | null} */ (null));
  const isDragging = useRef(false);
  const width = useWidth(place);
  const theme = useTheme();
  const grid = gridOf(width);

  const shown = `${slots.status} ${slots.group} ${shade === "load" ? slots.ops : ""} ${
    JSON.stringify(slots.from)
  }`;
  useLayoutEffect(() => {
    if (cells.current !== null) paintCells(cells.current, grid, { slots, shade, group });
  }, [shown, shade, group, width, theme]);
  useLayoutEffect(() => {
    if (marks.current !== null) paintMarks(marks.current, grid, chosen, pointed);
  }, [chosen?.from, chosen?.to, pointed, width, theme]);

  /** @param {number} slot @param {boolean} isExtending */
  const choose = (slot, isExtending) => {
    if (!isExtending || anchor.current === null) anchor.current = slot;
    onChoose({ from: Math.min(anchor.current, slot), to: Math.max(anchor.current, slot) });
  };
  /** @param {PointerEvent} event */
  const slotUnder = (event) => slotAt(grid, event.offsetX, event.offsetY);

  /** @param {PointerEvent} event */
  function down(event) {
    const slot = slotUnder(event);
    if (slot === null || event.button !== 0) return;
    isDragging.current = true;
    marks.current?.setPointerCapture(event.pointerId);
    choose(slot, event.shiftKey);
  }
  /** @param {PointerEvent} event */
  function move(event) {
    const slot = slotUnder(event);
    onPoint(slot);
    if (isDragging.current && slot !== null) choose(slot, true);
  }
  function up() {
    isDragging.current = false;
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.key === "Escape") {
      anchor.current = null;
      onChoose(null);
      return;
    }
    const from = pointed ?? chosen?.from ?? 0;
    const slot = event.key === "Enter" || event.key === " " ? from : moved(event.key, from, grid);
    if (slot === null) return;
    event.preventDefault();
    onPoint(slot);
    if (event.shiftKey) choose(slot, true);
    else if (slot === from) choose(slot, false);
    else anchor.current = slot;
  }

  return html`
    <div
      class="slot-map"
      ref=${place}
      style=${{ height: `${grid.height}px` }}
      tabindex="0"
      role="application"
      aria-label="Map of slots. Arrow keys go from slot to slot, shift chooses a range."
      aria-describedby="slot-told"
      onKeyDown=${key}
      onBlur=${() => onPoint(null)}
    >
      <canvas ref=${cells} aria-hidden="true"></canvas>
      <canvas
        ref=${marks}
        aria-hidden="true"
        onPointerDown=${down}
        onPointerMove=${move}
        onPointerUp=${up}
        onPointerCancel=${up}
        onPointerLeave=${() => isDragging.current || onPoint(null)}
      ></canvas>
    </div>
  `;
}

/** @param {{ current: HTMLElement | null }} place */
function useWidth(place) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (place.current === null) return;
    setWidth(place.current.clientWidth);
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.floor(entry?.contentRect.width ?? 0))
    );
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

function useTheme() {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => onTheme(() => setTheme(currentTheme())), []);
  return theme;
}

/**
 * @param {number} width
 * @returns {Grid}
 */
function gridOf(width) {
  const isWide = width >= WIDE_PX;
  const columns = isWide ? COLUMNS_WIDE : COLUMNS_NARROW;
  const left = isWide ? ROW_LABEL_PX : 0;
  const cell = Math.max(1, (width - left) / columns);
  return { columns, cell, left, width, height: Math.ceil(cell * (SLOT_COUNT / columns)) };
}

/**
 * The slot at a point of the map; null: none.
 *
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 */
function slotAt({ columns, cell, left }, x, y) {
  const column = Math.floor((x - left) / cell);
  const slot = Math.floor(y / cell) * columns + column;
  return column < 0 || column >= columns || slot < 0 || slot >= SLOT_COUNT ? null : slot;
}

/**
 * Where a key leads from a slot; null: nowhere.
 *
 * @param {string} name
 * @param {number} from
 * @param {Grid} grid
 */
function moved(name, from, { columns }) {
  /** @type {Readonly<Record<string, number>>} */
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    Home: -SLOT_COUNT,
    End: SLOT_COUNT,
  };
  const step = steps[name];
  return step === undefined ? null : Math.min(SLOT_COUNT - 1, Math.max(0, from + step));
}

/**
 * Makes a canvas as large as the grid, in the pixels of the screen.
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
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Painting} painting
 */
function paintCells(canvas, grid, { slots, shade, group }) {
  const context = cleared(canvas, grid);
  if (context === null) return;
  const style = getComputedStyle(canvas);
  const muted = style.getPropertyValue("--muted");
  const empty = style.getPropertyValue("--empty");
  const surface = style.getPropertyValue("--surface");
  const { columns, cell, left } = grid;
  const size = Math.max(1, cell - GAP_PX);
  const most = Math.max(1, ...slots.ops);
  const isNumbered = shade === "owner" && cell >= NUMBERED_CELL_PX;
  context.textBaseline = "middle";
  context.font = `${Math.min(11, cell * 0.52)}px ${style.fontFamily}`;
  if (left > 0) {
    context.fillStyle = muted;
    context.textAlign = "right";
    for (let slot = 0; slot < SLOT_COUNT; slot += columns) {
      context.fillText(String(slot), left - 8, (slot / columns + 0.5) * cell);
    }
  }
  context.textAlign = "center";
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const x = left + (slot % columns) * cell;
    const y = Math.floor(slot / columns) * cell;
    const owner = slots.group[slot] ?? -1;
    const status = slots.status[slot] ?? "-";
    const from = slots.from[slot];
    context.globalAlpha = group === null || group === owner || group === from ? 1 : FADED;
    if (status === "-" || (shade === "owner" && owner < 0)) {
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
    if (status === "p") paintRing(context, x, y, size, surface);
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
 * Migrating: the half that is left behind has the colour of where it comes from.
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
 * What is chosen and where the reader points.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {Range | null} chosen
 * @param {number | null} pointed
 */
function paintMarks(canvas, grid, chosen, pointed) {
  const context = cleared(canvas, grid);
  if (context === null) return;
  const { columns, cell, left } = grid;
  const style = getComputedStyle(canvas);
  const ink = style.getPropertyValue("--ink");
  const surface = style.getPropertyValue("--surface");
  if (chosen !== null) {
    const rowOf = (/** @type {number} */ slot) => Math.floor(slot / columns);
    for (let row = rowOf(chosen.from); row <= rowOf(chosen.to); row++) {
      const first = Math.max(chosen.from, row * columns) % columns;
      const last = Math.min(chosen.to, (row + 1) * columns - 1) % columns;
      const x = left + first * cell - GAP_PX / 2;
      const width = (last - first + 1) * cell;
      context.lineWidth = 4;
      context.strokeStyle = surface;
      context.strokeRect(x, row * cell, width, cell - GAP_PX);
      context.lineWidth = 2;
      context.strokeStyle = ink;
      context.strokeRect(x, row * cell, width, cell - GAP_PX);
    }
  }
  if (pointed !== null) {
    const x = left + (pointed % columns) * cell;
    const y = Math.floor(pointed / columns) * cell;
    context.lineWidth = 4;
    context.strokeStyle = surface;
    context.strokeRect(x, y, cell - GAP_PX, cell - GAP_PX);
    context.lineWidth = 2;
    context.strokeStyle = ink;
    context.strokeRect(x, y, cell - GAP_PX, cell - GAP_PX);
  }
}
