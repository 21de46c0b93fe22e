/**
 * How far an import is behind a source: where the source stood at several times, compared with what is stored.
 *
 * @module
 */

/** Where a source stood at a time. */
interface Sighting {
  readonly atMs: number;
  readonly offset: number;
}

/** See the header. */
export class LagMeter {
  #sightings: Sighting[] = [];

  /** The source stood at an offset, at a time in monotonic milliseconds. */
  saw(offset: number, atMs: number): void {
    this.#sightings.push({ atMs, offset });
  }

  /** Another history begins: offsets of this one say nothing. */
  clear(): void {
    this.#sightings = [];
  }

  /**
   * How many bytes are missing, and for how many milliseconds the oldest of them.
   *
   * @param applied All changes up to this offset are stored.
   */
  lag(applied: number, nowMs: number): { readonly bytes: number; readonly ms: number } {
    const seen = this.#sightings;
    const behind = seen.findIndex(({ offset }) => offset > applied);
    seen.splice(0, behind < 0 ? seen.length : behind);
    if (seen.length === 0) return { bytes: 0, ms: 0 };
    return { bytes: seen.at(-1)!.offset - applied, ms: nowMs - seen[0]!.atMs };
  }
}
