/**
 * The slot table as it is wanted in every worker of a pool, and what goes by it, for those that begin later.
 *
 *     a new worker:  slots as of the newest action in force ─► what has changed since
 *
 * So it sees what other workers see change, and dates it as they do.
 *
 * @module
 */

import type { SlotRule } from "../../hash/placement.ts";
import type { AllowedCommand } from "../../model/allowed_command.ts";
import type { UserReads } from "../../router/options.ts";
import { type ClusterMap, NO_NODES } from "../../router/cluster_map.ts";
import type { GroupServers, SlotFill } from "../../router/slot_table.ts";
import type { WorkerThread } from "./worker_thread.ts";

/** See the header. */
export class WantedTable {
  rules: readonly SlotRule[] = [];
  replicas: readonly GroupServers[] = [];
  allowed: readonly AllowedCommand[] = [];
  userReads: readonly UserReads[] = [];
  cluster: ClusterMap = NO_NODES;
  /** What was last wanted of each slot; nothing for one without an owner. */
  readonly #fills = new Map<number, SlotFill>();
  /** The newest action that is in force, and what slots were then that have changed since. */
  #inForce = 0;
  readonly #before = new Map<number, SlotFill | undefined>();

  /** A slot has an owner. */
  fill(fill: SlotFill): void {
    this.#noteBefore(fill.slotId);
    this.#fills.set(fill.slotId, fill);
  }

  /** A slot has none. */
  reset(slotId: number): void {
    this.#noteBefore(slotId);
    this.#fills.delete(slotId);
  }

  #noteBefore(slotId: number): void {
    if (!this.#before.has(slotId)) this.#before.set(slotId, this.#fills.get(slotId));
  }

  /** An action is in force, with all that was wanted so far; returns the newest that is. */
  inForce(version: number): number {
    this.#before.clear();
    return this.#inForce = Math.max(this.#inForce, version);
  }

  /** Puts the table into a worker that begins; resolves when it is there. */
  async tell({ calls }: WorkerThread): Promise<void> {
    calls.notify("allowCommands", this.allowed);
    calls.notify("setUserReads", this.userReads);
    calls.notify("setCluster", this.cluster);
    calls.notify("setReplicas", this.replicas);
    await calls.call("setRules", this.rules);
    calls.notify("loaded", this.#inForce);
    const set = (slotId: number, fill: SlotFill | undefined) =>
      fill === undefined ? calls.call("resetSlot", slotId) : calls.call("fillSlot", fill);
    const before = new Map<number, SlotFill | undefined>([...this.#fills, ...this.#before]);
    await Promise.all([
      ...[...before].flatMap(([slotId, fill]) => fill === undefined ? [] : [set(slotId, fill)]),
      ...[...this.#before.keys()].map((slotId) => set(slotId, this.#fills.get(slotId))),
    ]);
  }
}
