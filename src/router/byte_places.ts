/**
 * Memory for many small texts: all of it in one piece, used from its beginning, so that it takes little of the
 * processor's cache. A typed array for each would be three objects more to touch.
 *
 * @module
 */

/** Places of one size; which are free is known here, what is in them is their owners'. */
export class BytePlaces {
  /** The memory; a place is {@linkcode placeBytes} of it. */
  readonly bytes: Uint8Array;
  readonly placeBytes: number;
  /** Free places, the one that is taken next last: free[0, #freeCount). */
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(placeBytes: number, places: number) {
    this.placeBytes = placeBytes;
    this.bytes = new Uint8Array(places * placeBytes);
    this.#free = Int32Array.from({ length: places }, (_, i) => (places - 1 - i) * placeBytes);
    this.#freeCount = places;
  }

  /** Takes a place, and returns where it begins; -1: there is none. */
  take(): number {
    return this.#freeCount === 0 ? -1 : this.#free[--this.#freeCount]!;
  }

  /** Gives the place back that begins at `at`. */
  giveBack(at: number): void {
    this.#free[this.#freeCount++] = at;
  }
}
