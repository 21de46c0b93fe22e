/**
 * The ways in which the same bytes may arrive: whole, byte by byte, cut in two anywhere.
 *
 * @module
 */

/** Inputs up to this many bytes are cut at every position. */
const EVERY_POSITION_BYTES_MAX = 1024;
/** A longer input arrives in pieces of this many bytes instead of one by one; it is cut at … */
const PIECE_BYTES = 61;
/** … this many positions at either end, … */
const EDGE_POSITIONS = 64;
/** … and between them one in so many. */
const POSITION_STEP = 4999;

/** Bytes of a text whose characters stand for one byte each. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The text of bytes, one character each. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/**
 * Every way in which a test lets `bytes` arrive, as pieces in order. Yields copies, so that a parser
 * that looks past a piece finds nothing there.
 */
export function* waysToArrive(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>[]> {
  yield [bytes.slice()];
  const isShort = bytes.length <= EVERY_POSITION_BYTES_MAX;
  yield piecesOf(bytes, isShort ? 1 : PIECE_BYTES);
  for (let cut = 1; cut < bytes.length; cut++) {
    const isEdge = cut < EDGE_POSITIONS || cut > bytes.length - EDGE_POSITIONS;
    if (!isShort && !isEdge && cut % POSITION_STEP !== 0) continue;
    yield [bytes.slice(0, cut), bytes.slice(cut)];
  }
}

function piecesOf(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
  return pieces;
}

/** Cuts bytes at random places into about `count` pieces. */
export function cutAtRandom(
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
  random: () => number = Math.random,
): Uint8Array<ArrayBuffer>[] {
  const cuts = new Set([0]);
  for (let i = 1; i < count; i++) cuts.add(Math.floor(random() * bytes.length));
  const places = [...cuts].sort((a, b) => a - b);
  return places.map((from, i) => bytes.subarray(from, places[i + 1]));
}
