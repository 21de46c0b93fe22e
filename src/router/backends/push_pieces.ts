/**
 * A message that a server sends without having been asked, or during the handshake, put together from the pieces that arrive.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";

/** Pieces of one message at a time. */
export class PushPieces {
  #pieces: Uint8Array[] = [];

  /** Adds a piece. Copies `bytes[start, end)`; gives the whole message with its last one, else null. */
  add(bytes: Uint8Array, start: number, end: number, isLast: boolean): Uint8Array | null {
    const piece = bytes.slice(start, end);
    if (isLast && this.#pieces.length === 0) return piece;
    this.#pieces.push(piece);
    if (!isLast) return null;
    const message = concat(this.#pieces);
    this.#pieces = [];
    return message;
  }

  /** The rest of a message will not come. */
  clear(): void {
    if (this.#pieces.length > 0) this.#pieces = [];
  }
}
