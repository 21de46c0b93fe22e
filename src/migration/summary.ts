/**
 * What a migration was, told once when the last of its slots has arrived: which slots, how much, how fast.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { formatBytes } from "../base/byte_size.ts";
import { slotsText } from "../model/slot_ranges.js";
import type { GroupRoute } from "./cycle.ts";
import type { MoveProgress } from "./progress.ts";

/** A slot that has arrived. */
interface ArrivedSlot {
  readonly slotId: number;
  readonly progress: Pick<MoveProgress, "keysMoved" | "bytesMoved">;
}

/** Adds up the slots of one route. */
export class MigrationSummary {
  readonly #route: GroupRoute;
  readonly #sinceMs: number;
  readonly #slots: number[] = [];
  #keys = 0;
  #bytes: number | null = null;

  /** @param sinceMs When its first slot was taken up, in monotonic milliseconds. */
  constructor(route: GroupRoute, sinceMs: number) {
    this.#route = route;
    this.#sinceMs = sinceMs;
  }

  /** Whether no slot has arrived. */
  get isEmpty(): boolean {
    return this.#slots.length === 0;
  }

  /** A slot has arrived. */
  add({ slotId, progress: { keysMoved, bytesMoved } }: ArrivedSlot): void {
    this.#slots.push(slotId);
    this.#keys += keysMoved;
    if (bytesMoved !== null) this.#bytes = (this.#bytes ?? 0) + bytesMoved;
  }

  /** The line for people: `migration from group 1 to 2 is done: …`. */
  text(nowMs: number): string {
    const { from, to } = this.#route;
    const seconds = Math.max(0.1, Math.round((nowMs - this.#sinceMs) / 100) / 10);
    const perSecond = (count: number) => Math.round(count / seconds);
    const bytes = this.#bytes;
    const size = bytes === null ? "" : `, ${formatBytes(bytes)}`;
    const rate = bytes === null ? "" : `, ${formatBytes(perSecond(bytes))}/s`;
    return `migration from group ${from} to ${to} is done: ${slotsText(this.#slots)} ` +
      `(${this.#slots.length}), ${countOf(this.#keys, "key")}${size} in ${seconds} s ` +
      `(${perSecond(this.#keys)} keys/s${rate})`;
  }
}
