/**
 * The clients that track, told together about slots that change hands.
 *
 * @module
 */

import type { Slot, SlotWatcher } from "../slots/slot.ts";
import type { TrackingState } from "./extras.ts";

/** What tracks for one client. */
export interface Tracker extends SlotWatcher, Pick<TrackingState, "options" | "hearAll"> {
  readonly client: { readonly id: number };
}

/** See the header. While nobody tracks, no slot is watched. */
export class Trackers implements SlotWatcher {
  readonly #slots: () => readonly Slot[];
  readonly #trackers = new Set<Tracker>();

  constructor(slots: () => readonly Slot[]) {
    this.#slots = slots;
  }

  /** How many there are. */
  get size(): number {
    return this.#trackers.size;
  }

  /** Tells one more. */
  add(tracker: Tracker): void {
    if (this.#trackers.size === 0) { for (const slot of this.#slots()) slot.watch(this); }
    this.#trackers.add(tracker);
  }

  /** Ends {@linkcode add}. */
  delete(tracker: Tracker): void {
    if (!this.#trackers.delete(tracker) || this.#trackers.size > 0) return;
    for (const slot of this.#slots()) slot.unwatch(this);
  }

  /**
   * Calls `done` once, when a client, of this router or of another one, has what the servers have told until now:
   * for itself, and for those of this router that redirect to it.
   */
  hearAll(clientId: number, done: () => void): void {
    let left = 1;
    const heard = () => {
      if (--left === 0) done();
    };
    for (const tracker of [...this.#trackers]) {
      if (tracker.client.id !== clientId && tracker.options.redirect !== clientId) continue;
      left++;
      tracker.hearAll(heard);
    }
    heard();
  }

  slotDraining(slot: Slot): void {
    for (const tracker of this.#trackers) tracker.slotDraining(slot);
  }

  slotSettled(slot: Slot): void {
    for (const tracker of this.#trackers) tracker.slotSettled(slot);
  }
}
