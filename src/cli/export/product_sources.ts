/**
 * The groups of a product as sources: who their masters are, and which slots they own.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { formatAddress, parseAddress } from "../../base/address.ts";
import { backendLogin, type Config } from "../../config/config.ts";
import { Placement, type SlotRule } from "../../hash/placement.ts";
import type { ImportRun } from "../../import/import_run.ts";
import type { ReadSlots, SlotPlace } from "../../import/moving/moving_keys.ts";
import { SourceError } from "../../import/source/replica_link.ts";
import type { SourceServer } from "../../import/source/source_address.ts";
import type { SourcePlace } from "../../import/source_import.ts";
import { ChangeError } from "../../import/stream/change_writer.ts";
import { NO_GROUP, type SlotRecord } from "../../model/slot.ts";
import { loadGroup, loadGroupIds, loadGroups, masterOf } from "../../store/groups.ts";
import { loadSlotRules } from "../../store/slot_rules.ts";
import { SlotReader } from "../../store/slots.ts";
import { type ReadableStore, StoreError } from "../../store/store.ts";

/** How often it is looked whether a group has another master. */
const LOOK_MS = 500;
/** So many times later, new groups are looked for. */
const LOOK_TICKS = 2;
/** So many times later, slot rules are looked at. */
const RULES_TICKS = 10;

/** See the header. */
export class ProductSources {
  /** Where keys are in the product, by the rules that were there before all else was read. */
  readonly placement: Placement;
  readonly #store: ReadableStore;
  readonly #config: Config;
  readonly #rules: string;
  /** The master of each group that was last known. */
  readonly #masters = new Map<number, SourceServer>();

  private constructor(store: ReadableStore, config: Config, rules: readonly SlotRule[]) {
    this.#store = store;
    this.#config = config;
    this.#rules = JSON.stringify(rules);
    this.placement = new Placement(rules);
  }

  /**
   * Reads the slot rules, and the groups that have servers.
   *
   * @throws {StoreError} When a group has no master.
   */
  static async read(store: ReadableStore, config: Config): Promise<ProductSources> {
    const { rules } = await loadSlotRules(store);
    const sources = new ProductSources(store, config, rules);
    for (const group of await loadGroups(store)) {
      if ((group.servers ?? []).length > 0) {
        sources.#masters.set(group.id, sources.#server(masterOf(group).addr));
      }
    }
    if (sources.#masters.size > 0) return sources;
    throw new StoreError(`product "${config.product}" has no servers`);
  }

  /** The masters by the names of their groups. */
  get servers(): Map<string, SourceServer> {
    return new Map([...this.#masters].map(([id, server]) => [nameOf(id), server]));
  }

  /** The groups, by name. */
  get places(): Map<string, SourcePlace> {
    return new Map(
      [...this.#masters].map(([id, server]) =>
        [nameOf(id), { server, locate: () => this.#locate(id) }] as const
      ),
    );
  }

  /** Where slots are now. */
  readonly readSlots: ReadSlots = async (slotIds) => {
    try {
      const reader = new SlotReader(this.#store);
      const slots = await Promise.all(slotIds.map((id) => reader.load(id)));
      return new Map(slots.map((slot) => [slot.id, placeOf(slot)]));
    } catch (error) {
      throw new SourceError(`slots cannot be read: ${(error as Error).message}`);
    }
  };

  /**
   * Connects sources anew whose group has another master.
   *
   * @param look Called each second while there are groups that are no sources.
   * @throws {ChangeError} When a group is gone, or slot rules have changed.
   */
  async watch(run: ImportRun, look: () => Promise<void>): Promise<void> {
    for (let tick = 1; !run.isEnded; tick++) {
      await delay(LOOK_MS);
      for (const id of this.#masters.keys()) {
        const before = this.#masters.get(id)!;
        const now = await this.#locate(id);
        if (formatAddress(before.address) === formatAddress(now.address)) continue;
        run.sources.find(({ name }) => name === nameOf(id))?.relocate();
      }
      if (tick % LOOK_TICKS === 0 && await this.#hasOthers()) await look().catch(() => {});
      if (tick % RULES_TICKS !== 0 || !await this.#hasOtherRules()) continue;
      throw new ChangeError(
        "slot rules have changed, and keys belong to other slots now: run the same command with --restart, which " +
          "copies all keys anew",
      );
    }
  }

  /** Whether there are groups that were not there, or had no servers, when this began. */
  async #hasOthers(): Promise<boolean> {
    const ids = await loadGroupIds(this.#store).catch(() => []);
    return ids.some((id) => !this.#masters.has(id));
  }

  async #hasOtherRules(): Promise<boolean> {
    const now = await loadSlotRules(this.#store).catch(() => undefined);
    return now !== undefined && JSON.stringify(now.rules) !== this.#rules;
  }

  /** The master of a group now; that of before, while the store cannot be read. */
  async #locate(id: number): Promise<SourceServer> {
    try {
      const group = await loadGroup(this.#store, id).catch((error) => {
        throw error instanceof StoreError ? gone(id) : error;
      });
      if (group.servers === null) throw gone(id);
      this.#masters.set(id, this.#server(masterOf(group).addr));
    } catch (error) {
      // A group whose master is being replaced has none for a moment.
      if (error instanceof ChangeError) throw error;
    }
    return this.#masters.get(id)!;
  }

  #server(addr: string): SourceServer {
    const { user, password } = backendLogin(this.#config);
    return { address: parseAddress(addr), user, password, isTls: false };
  }
}

function nameOf(groupId: number): string {
  return groupId === NO_GROUP ? "" : `group ${groupId}`;
}

function placeOf(
  { group_id, state: { status, migrate_status: { from, to } } }: SlotRecord,
): SlotPlace {
  if (from !== NO_GROUP && to !== NO_GROUP) return { at: nameOf(to), from: nameOf(from) };
  // Before keys move, and while it is given to another group, it may have another owner at any time.
  const at = nameOf(group_id);
  return { at, from: status === "pre_migrate" ? at : undefined };
}

function gone(id: number): ChangeError {
  return new ChangeError(
    `group ${id} is gone, or has no servers: run the same command again, which goes on without it`,
  );
}
