/**
 * The progress of all migrations together, since there was nothing to move.
 *
 * Slots whose keys were not counted yet are taken to have as many keys as those that were.
 *
 * @module
 */

import type { MigrationTotals, MigrationView } from "../api/cluster_view.ts";

/** What has arrived. */
interface Arrived {
  readonly slots: number;
  readonly keys: number;
  readonly bytes: number | null;
}

const NOTHING: Arrived = { slots: 0, keys: 0, bytes: null };

/** See the header. */
export class TotalProgress {
  #arrived = NOTHING;

  /** Starts again: there was nothing to move. */
  begin(): void {
    this.#arrived = NOTHING;
  }

  /** A slot has arrived. */
  ended({ keys_moved, bytes_moved }: MigrationView): void {
    const { slots, keys, bytes } = this.#arrived;
    this.#arrived = {
      slots: slots + 1,
      keys: keys + keys_moved,
      bytes: sumOf([bytes, bytes_moved]),
    };
  }

  /** The progress together with the tasks that there are; null when there are none. */
  view(tasks: readonly MigrationView[]): MigrationTotals | null {
    if (tasks.length === 0) return null;
    const { slots, keys, bytes } = this.#arrived;
    const keysMoved = tasks.reduce((sum, { keys_moved }) => sum + keys_moved, keys);
    const keysLeft = this.#keysLeft(tasks);
    const rate = sumOf(tasks.map(({ keys_per_second }) => keys_per_second));
    return {
      slots_done: slots,
      slots_left: tasks.length,
      keys_moved: keysMoved,
      keys_left: keysLeft,
      bytes_moved: sumOf([bytes, ...tasks.map(({ bytes_moved }) => bytes_moved)]),
      keys_per_second: rate,
      bytes_per_second: sumOf(tasks.map(({ bytes_per_second }) => bytes_per_second)),
      eta_seconds: keysLeft === null || rate === null || rate === 0
        ? null
        : Math.ceil(keysLeft / rate),
    };
  }

  #keysLeft(tasks: readonly MigrationView[]): number | null {
    const { slots, keys } = this.#arrived;
    const counted = tasks.filter(({ keys_left }) => keys_left !== null);
    const known = slots + counted.length;
    if (known === 0) return null;
    const left = counted.reduce((sum, { keys_left }) => sum + keys_left!, 0);
    const moved = counted.reduce((sum, { keys_moved }) => sum + keys_moved, keys);
    return left + Math.round((left + moved) / known * (tasks.length - counted.length));
  }
}

/** The sum of the known numbers; null when none is known. */
function sumOf(numbers: readonly (number | null)[]): number | null {
  const known = numbers.filter((number) => number !== null);
  return known.length === 0 ? null : known.reduce((sum, number) => sum + number, 0);
}
