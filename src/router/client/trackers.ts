/**
 * The clients that track, told together about slots that change hands.
 *
 * @module
 */

import type { Slot, SlotWatcher } from "../slots/slot.ts";

/** See the header. While nobody tracks, no slot is watched. */
export class Trackers implements SlotWatcher {
  readonly #slots: () => readonly Slot[];
  readonly #trackers = new Set<SlotWatcher>();

  constructor(slots: () => readonly Slot[]) {
    this.#slots = slots;
  }

  /** How many there are. */
  get size(): number {
    return this.#trackers.size;
  }

  /** Tells one more. */
  add(tracker: SlotWatcher): void {
    if (this.#trackers.size === 0) { for (const slot of this.#slots()) slot.watch(this); }
    this.#trackers.add(tracker);
  }

  /** Ends {@linkcode add}. */
  delete(tracker: SlotWatcher): void {
    if (!this.#trackers.delete(tracker) || this.#trackers.size > 0) return;
    for (const slot of this.#slots()) slot.unwatch(this);
  }

  slotDraining(slot: Slot): void {
    for (const tracker of this.#trackers) tracker.slotDraining(slot);
  }

  slotSettled(slot: Slot): void {
    for (const tracker of this.#trackers) tracker.slotSettled(slot);
  }
}
