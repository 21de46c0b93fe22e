/**
 * The slots, groups, slot rules and allowed commands that the store has, as they were last read or written
 * here, and which records cannot be read: all others count.
 *
 * @module
 */

import type { EntryWrite } from "../control/control.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import type { GroupRecord } from "../model/group.ts";
import { decodeSlot, type SlotRecord } from "../model/slot.ts";
import { loadGroups } from "../store/groups.ts";
import type { SlotRule } from "../hash/placement.ts";
import type { AllowedCommand } from "../model/allowed_command.ts";
import { RecordError } from "../model/record.ts";
import { loadAllowedCommands } from "../store/allowed_commands.ts";
import { loadServerZones } from "../store/server_zones.ts";
import { loadSlotRules } from "../store/slot_rules.ts";
import { type KnownSlots, loadSlots } from "../store/slots.ts";
import type { Store } from "../store/store.ts";
import type { UnreadableRecord } from "../store/unreadable.ts";
import { findUnreadable } from "./unreadable.ts";

/** See the header. */
export class TreeMonitor {
  readonly #store: Store;
  readonly #known: KnownSlots = new Map();
  #slots: (SlotRecord | undefined)[] = [];
  #groups: readonly GroupRecord[] = [];
  #zones: ReadonlyMap<string, string> = new Map();
  #slotRules: readonly SlotRule[] = [];
  #allowedCommands: readonly AllowedCommand[] = [];
  /** Why records cannot be read, by path: slots, servers of groups, what is kept here besides, and all else. */
  readonly #unreadable: Record<"slots" | "servers" | "kept" | "others", Map<string, string>> = {
    slots: new Map(),
    servers: new Map(),
    kept: new Map(),
    others: new Map(),
  };
  /** For each reading of everything that is under way, what was written meanwhile: it may have read it before. */
  readonly #writtenMeanwhile = new Set<EntryWrite[]>();

  /** Reads nothing yet. */
  constructor(store: Store) {
    this.#store = store;
  }

  /** By slot number; undefined where the store has no slot, or it was not read yet. */
  get slots(): readonly (SlotRecord | undefined)[] {
    return this.#slots;
  }

  /** The groups, by number. */
  get groups(): readonly GroupRecord[] {
    return this.#groups;
  }

  /** The zones of servers that have one, by address. */
  get zones(): ReadonlyMap<string, string> {
    return this.#zones;
  }

  /** The slot rules in force. */
  get slotRules(): readonly SlotRule[] {
    return this.#slotRules;
  }

  /** The commands that an operator has allowed, by name. */
  get allowedCommands(): readonly AllowedCommand[] {
    return this.#allowedCommands;
  }

  /** Records that cannot be read. */
  get unreadable(): readonly UnreadableRecord[] {
    const { slots, servers, kept, others } = this.#unreadable;
    return [...slots, ...servers, ...kept, ...others].map(([path, reason]) => ({ path, reason }));
  }

  /** Whether a slot is stored and cannot be read. */
  isUnreadable(slotId: number): boolean {
    return this.#unreadable.slots.has(this.#store.paths.slot(slotId));
  }

  /** How many slots a group owns. */
  slotCount(groupId: number): number {
    return this.#slots.reduce((sum, slot) => sum + (slot?.group_id === groupId ? 1 : 0), 0);
  }

  /** Whether slots and their keys are leaving a group. */
  isGiving(groupId: number): boolean {
    return this.#slots.some((slot) =>
      slot?.state.status === "migrate" && slot.state.migrate_status.from === groupId
    );
  }

  /**
   * Reads all of it. Slots and servers that cannot be read are left out; zones, rules and commands stay as they
   * were.
   *
   * @throws {CoordinatorError} When that fails; what was read before stays.
   */
  async refresh(): Promise<void> {
    const meanwhile: EntryWrite[] = [];
    const badSlots = new Map<string, string>();
    this.#writtenMeanwhile.add(meanwhile);
    try {
      const [slots, groups] = await Promise.all([
        loadSlots(this.#store, this.#known, (record) => badSlots.set(record.path, record.reason)),
        this.#loadGroups(),
      ]);
      const byId: (SlotRecord | undefined)[] = Array.from({ length: SLOT_COUNT });
      for (const slot of slots) byId[slot.id] = slot;
      this.#slots = byId;
      this.#groups = groups;
      this.#unreadable.slots = badSlots;
    } finally {
      this.#writtenMeanwhile.delete(meanwhile);
    }
    await this.written(meanwhile);
    await this.#refreshZones();
    await this.refreshRules();
    this.#unreadable.others = await findUnreadable(this.#store);
  }

  async #loadGroups(): Promise<GroupRecord[]> {
    const bad = new Map<string, string>();
    const groups = await loadGroups(this.#store, ({ path, reason }) => bad.set(path, reason));
    this.#unreadable.servers = bad;
    return groups;
  }

  async #refreshZones(): Promise<void> {
    const loading = loadServerZones(this.#store)
      .then((zones) => new Map(zones.map(({ addr, zone }) => [addr, zone])));
    this.#zones = await this.#readOr(this.#zones, this.#store.paths.serverZones, loading);
  }

  /** Reads slot rules and allowed commands. */
  async refreshRules(): Promise<void> {
    const store = this.#store;
    const { slotRules, allowedCommands } = store.paths;
    const loading = loadSlotRules(store).then(({ rules }) => rules);
    this.#slotRules = await this.#readOr(this.#slotRules, slotRules, loading);
    const commands = loadAllowedCommands(store);
    this.#allowedCommands = await this.#readOr(this.#allowedCommands, allowedCommands, commands);
  }

  /** What is read of an entry; what was read `before`, when it cannot be read now. */
  async #readOr<T>(before: T, path: string, loading: Promise<T>): Promise<T> {
    const { kept } = this.#unreadable;
    try {
      const value = await loading;
      kept.delete(path);
      return value;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      kept.set(path, error.message);
      return before;
    }
  }

  /**
   * Takes over the slots that a change has written, and reads groups again if it has written any.
   *
   * @throws {CoordinatorError} When groups cannot be read.
   */
  async written(writes: readonly EntryWrite[]): Promise<void> {
    for (const meanwhile of this.#writtenMeanwhile) meanwhile.push(...writes);
    const { paths } = this.#store;
    if (writes.some(({ path }) => path === paths.allowedCommands)) await this.refreshRules();
    if (writes.some(({ path }) => path === paths.serverZones)) await this.#refreshZones();
    for (const { path, data } of writes) {
      if (data === null || !path.startsWith(`${paths.slots}/`)) continue;
      const slot = decodeSlot(data);
      this.#slots[slot.id] = slot;
      this.#unreadable.slots.delete(path);
    }
    if (!writes.some(({ path }) => path.startsWith(`${paths.servers}/`))) return;
    this.#groups = await this.#loadGroups();
  }
}
