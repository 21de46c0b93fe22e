/**
 * The slot table as it is wanted in every worker of a pool, for those that begin later.
 *
 * @module
 */

import type { SlotRule } from "../../hash/placement.ts";
import type { GroupServers, SlotFill } from "../../router/slot_table.ts";
import type { WorkerThread } from "./worker_thread.ts";

/** See the header. */
export class WantedTable {
  rules: readonly SlotRule[] = [];
  replicas: readonly GroupServers[] = [];
  /** What was last wanted of each slot; nothing for one without an owner. */
  readonly #fills = new Map<number, SlotFill>();
  /** The newest action that is in force, and the slots that have changed since it was. */
  #inForce = 0;
  readonly #changed = new Set<number>();

  /** A slot has an owner. */
  fill(fill: SlotFill): void {
    this.#fills.set(fill.slotId, fill);
    this.#changed.add(fill.slotId);
  }

  /** A slot has none. */
  reset(slotId: number): void {
    this.#fills.delete(slotId);
    this.#changed.add(slotId);
  }

  /** An action is in force; returns the newest that is. */
  inForce(version: number): number {
    this.#changed.clear();
    return this.#inForce = Math.max(this.#inForce, version);
  }

  /** Puts the table into a worker that begins; resolves when it is there. */
  async tell({ calls }: WorkerThread): Promise<void> {
    calls.notify("setReplicas", this.replicas);
    await calls.call("setRules", this.rules);
    await Promise.all([...this.#fills.values()].map((fill) => calls.call("fillSlot", fill)));
    calls.notify("loaded", this.#inForce, [...this.#changed]);
  }
}
