/**
 * The 1024 slots as a map, to look at and to choose from with pointer or keys.
 *
 * Cells are painted on a canvas, and only when what they show has changed; where the reader points
 * and what is chosen lies on a second canvas above it.
 *
 * @module
 */

/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "./preact_hooks.js";
import { html } from "./html.js";
import { CELL_COUNT, gridOf, paintCells, paintMarks } from "./slot_painting.js";
import { useTheme } from "./theme.js";

/** @import { Grid, Painting, Range } from "./slot_painting.js" */

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
      aria-describedby="slot-heard"
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
  return column < 0 || column >= columns || slot < 0 || slot >= CELL_COUNT ? null : slot;
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
    Home: -CELL_COUNT,
    End: CELL_COUNT,
  };
  const step = steps[name];
  return step === undefined ? null : Math.min(CELL_COUNT - 1, Math.max(0, from + step));
}
