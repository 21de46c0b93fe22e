/**
 * The 1024 slots as a map, where pointer or keys select slots.
 *
 * Cells are painted on a canvas, and only when they have changed. The pointed and the selected slots are on
 * a second canvas above it.
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
 * What is chosen on the map, and who is notified when that changes.
 *
 * @typedef {object} Choice
 * @property {Range | null} chosen
 * @property {number | null} pointed
 * @property {(slot: number | null) => void} onPoint
 * @property {(range: Range | null) => void} onChoose
 */

/** @param {Painting & Choice} props */
export function SlotMap({ slots, shade, group, chosen, pointed, onPoint, onChoose }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const cells = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const marks = useRef(/** @type {HTMLCanvasElement | null} */ (null));
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

  const { down, move, up, key, leave } = useChoice(grid, marks, {
    chosen,
    pointed,
    onPoint,
    onChoose,
  });

  return html`
    <div
      class="slot-map"
      ref=${place}
      style=${{ height: `${grid.height}px` }}
      tabindex="0"
      role="application"
      aria-label="Map of slots. Arrow keys move between slots, shift selects a range."
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
        onPointerLeave=${leave}
      ></canvas>
    </div>
  `;
}

/**
 * Pointing at slots and choosing ranges of them, by pointer and by keys.
 *
 * @param {Grid} grid
 * @param {{ current: HTMLCanvasElement | null }} marks keeps the pointer while it drags
 * @param {Choice} choice
 */
function useChoice(grid, marks, { chosen, pointed, onPoint, onChoose }) {
  const anchor = useRef(/** @type {number | null} */ (null));
  const isDragging = useRef(false);

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
  const leave = () => isDragging.current || onPoint(null);
  return { down, move, up, key, leave };
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
 * The slot that a key moves to; null: the key moves nowhere.
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
