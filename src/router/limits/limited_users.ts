/**
 * The limits of users in one worker, by name.
 *
 * @module
 */

import type { LimitCells, NamedLimits } from "./limit_cells.ts";
import { UserLimit } from "./user_limit.ts";

/** Where a worker counts. */
export interface LimitContext {
  readonly cells: LimitCells;
  /** Its number among the workers. */
  readonly worker: number;
}

/** See the header. */
export class LimitedUsers {
  readonly #context: LimitContext;
  readonly #byName = new Map<string, UserLimit>();

  /** Nobody is limited yet. */
  constructor(context: LimitContext) {
    this.#context = context;
  }

  /** The limit of a user; null for most. Names are of one character for each byte. */
  of(name: string): UserLimit | null {
    return this.#byName.get(name) ?? null;
  }

  /** Takes limits in place of all others. */
  set(limits: readonly NamedLimits[]): void {
    const before = new Map(this.#byName);
    this.#byName.clear();
    for (const each of limits) {
      const known = before.get(each.name);
      const isKept = known?.limits.place === each.place;
      if (isKept) {
        before.delete(each.name);
        known.become(each);
      }
      const { cells, worker } = this.#context;
      this.#byName.set(each.name, isKept ? known : new UserLimit(cells, worker, each));
    }
    for (const limit of before.values()) limit.end();
  }

  /** Ends all timers. */
  stop(): void {
    for (const limit of this.#byName.values()) limit.end();
  }
}
