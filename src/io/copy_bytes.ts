/**
 * Copies of short spans: requests, and replies of a few bytes, of which each is copied two to four times.
 *
 * The engine's own copy wants a view of what is copied, an object of a hundred bytes that the collector has to
 * find: from some 250 bytes on it is worth it. A loop over bytes takes 1.3 ns for each. By words of eight bytes it
 * is a fifth of that, but words are read and written through a `DataView` of the whole memory; that is made where
 * several spans are copied out of one memory, and kept as long as these come one after the other.
 *
 * @module
 */

/** Up to so many bytes are copied by words, or by a loop where there are no views. */
const SHORT_BYTES_MAX = 256;
/** From so many bytes on the engine's copy takes less time than a loop over bytes. */
const LOOP_BYTES_MAX = 128;
/** So many spans of one memory in a row, and it gets a view. */
const SPANS_BEFORE_VIEW = 3;

/** The memory that was copied from last, and how often in a row. */
let source: Uint8Array | null = null;
let spans = 0;
let sourceView: DataView | null = null;

/** Memory is used again and again, and its view with it: a new one for each piece would be garbage. */
const views = new WeakMap<Uint8Array, DataView>();

/** A view of all of `bytes`, the same as before. */
export function viewOf(bytes: Uint8Array): DataView {
  const known = views.get(bytes);
  if (known !== undefined) return known;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  views.set(bytes, view);
  return view;
}

/** A view of what spans are copied out of; null while these are few. It is good until the memory is given away. */
export function sourceViewOf(bytes: Uint8Array): DataView | null {
  if (bytes === source) {
    if (sourceView !== null) return sourceView;
    return ++spans < SPANS_BEFORE_VIEW ? null : sourceView = viewOf(bytes);
  }
  source = bytes;
  spans = 1;
  sourceView = null;
  return null;
}

/** Copies `bytes[start, end)` to `to`, from `at` on, where there is room for it. */
export function copyBytes(
  to: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start <= LOOP_BYTES_MAX) { while (start < end) to[at++] = bytes[start++]!; }
  else to.set(bytes.subarray(start, end), at);
}

/**
 * As {@linkcode copyBytes}, with views of both. The two spans must not overlap.
 *
 * @param toView A view of `to`.
 * @param view A view of `bytes`; null where there is none.
 */
export function copyViewed(
  to: Uint8Array,
  toView: DataView,
  at: number,
  bytes: Uint8Array,
  view: DataView | null,
  start: number,
  end: number,
): void {
  const length = end - start;
  if (view === null || length < 8 || length > SHORT_BYTES_MAX) {
    return copyBytes(to, at, bytes, start, end);
  }
  // The last word ends where the span ends, and may repeat some of the one before.
  const last = end - 8;
  const shift = at - start;
  for (; start < last; start += 8) {
    toView.setBigUint64(start + shift, view.getBigUint64(start, true), true);
  }
  toView.setBigUint64(last + shift, view.getBigUint64(last, true), true);
}
