/**
 * A table of slots that only remembers, for tests of what fills it.
 *
 * @module
 */

import type { SlotRule } from "../../src/hash/placement.ts";
import type { GroupServers, SlotFill, SlotTable } from "../../src/router/slot_table.ts";

/** Remembers the last fill of each slot; a test may make one slot slow. */
export class RecordedSlotTable implements SlotTable {
  /** The slots that have an owner. */
  readonly fills = new Map<number, SlotFill>();
  /** Every change, in the order in which it came into force. */
  readonly history: { slotId: number; fill: SlotFill | undefined }[] = [];
  readonly #slow = new Map<number, Promise<void>>();

  /** Makes changes of a slot wait; call the result to let them go on. */
  slow(slotId: number): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#slow.set(slotId, promise);
    return () => {
      this.#slow.delete(slotId);
      resolve();
    };
  }

  async fillSlot(fill: SlotFill): Promise<void> {
    await this.#slow.get(fill.slotId);
    this.fills.set(fill.slotId, fill);
    this.history.push({ slotId: fill.slotId, fill });
  }

  /** The newest action that is in force. */
  version = 0;
  /** What it was when all slots were loaded last. */
  loadedAs = 0;

  /** The replicas that were last given. */
  replicas: readonly GroupServers[] = [];

  setReplicas(groups: readonly GroupServers[]): void {
    this.replicas = groups;
  }

  inForce(version: number): void {
    this.version = version;
  }

  loaded(version: number): void {
    this.version = this.loadedAs = version;
  }

  /** Every list of rules that was put in force. */
  readonly rules: (readonly SlotRule[])[] = [];
  /** How often all slots were settled. */
  settled = 0;

  settleAll(): Promise<void> {
    this.settled++;
    return Promise.resolve();
  }

  setRules(rules: readonly SlotRule[]): Promise<void> {
    this.rules.push(rules);
    return Promise.resolve();
  }

  async resetSlot(slotId: number): Promise<void> {
    await this.#slow.get(slotId);
    this.fills.delete(slotId);
    this.history.push({ slotId, fill: undefined });
  }
}
