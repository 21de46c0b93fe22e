/**
 * Brings slots from the store into the router's table.
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import { RecordError } from "../../model/record.ts";
import { isUnderway, NO_GROUP, type SlotRecord } from "../../model/slot.ts";
import type { SlotFill, SlotTable } from "../../router/slot_table.ts";
import { loadGroup, loadGroupIds, masterOf } from "../../store/groups.ts";
import { SlotReader } from "../../store/slots.ts";
import { type Store, StoreError } from "../../store/store.ts";
import type { GroupRecord } from "../../model/group.ts";
import type { OnUnreadable, UnreadableRecord } from "../../store/unreadable.ts";

const log = logger("proxy");

/**
 * Loads slots, each as often as it is asked to, and one at a time per slot: what is loaded last was
 * read last.
 *
 * A slot that cannot be served as it is stored (no group, no master, two, moving to where it is, a record that
 * cannot be read) is reset, where Codis 2.0 ends the process: its requests are answered with an error until an
 * action names it again, or {@linkcode SlotLoader.loadFaulty} finds it mended; all other slots go on.
 */
export class SlotLoader {
  readonly #store: Store;
  readonly #reader: SlotReader;
  readonly #table: SlotTable;
  /** What the table holds; nothing for a slot that is reset. */
  readonly #fills: (SlotFill | undefined)[] = Array.from({ length: SLOT_COUNT });
  /** What was in force of slots that are out of service; see {@linkcode SlotLoader.serveGroup}. */
  readonly #withheld = new Map<number, SlotFill>();
  /** What the store said last, also of a slot that could not be served like that. */
  readonly #records: (SlotRecord | undefined)[] = Array.from({ length: SLOT_COUNT });
  /** Why slots that have a group cannot be served. */
  readonly #faults = new Map<number, string>();
  readonly #turns: Promise<unknown>[] = Array.from({ length: SLOT_COUNT }, () => Promise.resolve());

  /** Loads from `store` into `table`; nothing is loaded yet. */
  constructor(store: Store, table: SlotTable) {
    this.#store = store;
    this.#reader = new SlotReader(store);
    this.#table = table;
  }

  /**
   * Loads one slot.
   *
   * @returns When the new owner is in force and no request to the old one is in flight.
   * @throws {CoordinatorError} When the store cannot be read; the slot stays as it was.
   */
  async load(slotId: number): Promise<void> {
    await this.#each([slotId]);
  }

  /**
   * Loads every slot: each waits for its own requests only.
   *
   * @throws {CoordinatorError} When the store cannot be read; what was loaded stays loaded.
   */
  async loadAll(): Promise<void> {
    await this.#each(Array.from({ length: SLOT_COUNT }, (_, slotId) => slotId));
  }

  /** Whether no slot has an owner, nor would have one again without being loaded. */
  get isEmpty(): boolean {
    return this.#withheld.size === 0 && this.#fills.every((fill) => fill === undefined);
  }

  /** How many slots with a group cannot be served as they are stored, and why the first of them cannot. */
  get faults(): { readonly count: number; readonly reason: string } {
    const [reason = ""] = this.#faults.values();
    return { count: this.#faults.size, reason };
  }

  /**
   * Loads those slots again: a record that was mended by hand comes with no action. Slots that could be read are not
   * read again, only their groups.
   *
   * @returns Whether some of them are served now.
   * @throws {CoordinatorError} When the store cannot be read; what was loaded stays loaded.
   */
  async loadFaulty(): Promise<boolean> {
    const before = this.#faults.size;
    if (before === 0) return false;
    await this.#each([...this.#faults.keys()], (slotId) => this.#records[slotId]);
    const mended = before - this.#faults.size;
    if (mended > 0) log.info("slots whose records were mended are served: {mended}", { mended });
    return mended > 0;
  }

  /** Loads the slots `from` to `to`, both included; otherwise as {@linkcode SlotLoader.loadAll}. */
  async loadRange(from: number, to: number): Promise<void> {
    await this.#each(rangeOf(from, to));
  }

  /**
   * Gives the slots that were last seen in a group, or moving out of it, the masters of now. The slots themselves
   * are not read: a change of one comes with an action of its own, and a failover must not wait for hundreds of
   * answers of a slow coordinator.
   */
  async loadGroup(groupId: number): Promise<void> {
    const slotIds = rangeOf(0, SLOT_COUNT - 1);
    const own = slotIds.filter((slotId) => touchesGroup(this.#records[slotId], groupId));
    await this.#each(own, (slotId) => this.#records[slotId]);
  }

  /** Resets the slots `from` to `to`, both included: they have no owner any more. */
  async resetRange(from: number, to: number): Promise<void> {
    const resets = rangeOf(from, to).map((slotId) =>
      this.#inTurn(slotId, () => {
        this.#records[slotId] = undefined;
        this.#faults.delete(slotId);
        return this.#resetNow(slotId);
      })
    );
    await Promise.all(resets);
  }

  /**
   * Takes the slots of a group out of service, those that move out of it, too; or serves them as before. To load
   * one from the store ends it.
   *
   * @param master Those that another server is the master of stay in service.
   */
  async serveGroup(groupId: number, isServed: boolean, master: string): Promise<void> {
    const slotIds = rangeOf(0, SLOT_COUNT - 1).filter((slotId) => {
      const fill = this.#fills[slotId] ?? this.#withheld.get(slotId);
      return fill?.groupId === groupId || fill?.migrateFromGroupId === groupId;
    });
    await Promise.all(slotIds.map((slotId) =>
      this.#inTurn(slotId, async () => {
        const withheld = this.#withheld.get(slotId);
        const fill = this.#fills[slotId];
        if (isServed && withheld !== undefined) {
          await this.#table.fillSlot(withheld);
          this.#fills[slotId] = withheld;
          this.#withheld.delete(slotId);
        } else if (
          !isServed && fill !== undefined &&
          [fill.backendAddr, fill.migrateFromAddr].includes(master)
        ) {
          await this.#resetNow(slotId);
          this.#withheld.set(slotId, fill);
        }
      })
    ));
  }

  /**
   * Loads several slots and waits for all of them, also when one fails.
   *
   * @param known What the store says of a slot, when its turn has come; undefined: it is read.
   */
  async #each(
    slotIds: readonly number[],
    known: (slotId: number) => SlotRecord | undefined = () => undefined,
  ): Promise<void> {
    // Each group is read once per call: a later change of it comes with an action of its own.
    const masters = new GroupMasters(this.#store);
    const loads = await Promise.allSettled(
      slotIds.map((slotId) =>
        this.#inTurn(slotId, () => this.#loadNow(slotId, masters, known(slotId)))
      ),
    );
    const failed = loads.find((load) => load.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #loadNow(slotId: number, masters: GroupMasters, known?: SlotRecord): Promise<void> {
    const fill = await this.#readFill(slotId, masters, known);
    this.#withheld.delete(slotId);
    if (fill === undefined) return await this.#resetNow(slotId);
    // Requests in flight were sent where they would be sent again: nothing to wait for.
    if (isSameFill(fill, this.#fills[slotId])) return;
    await this.#table.fillSlot(fill);
    this.#fills[slotId] = fill;
  }

  #inTurn(slotId: number, work: () => Promise<void>): Promise<void> {
    const done = this.#turns[slotId]!.then(work);
    this.#turns[slotId] = done.catch(() => {});
    return done;
  }

  async #resetNow(slotId: number): Promise<void> {
    await this.#table.resetSlot(slotId);
    this.#fills[slotId] = undefined;
  }

  /** What the store says of a slot; `undefined` when it cannot be served like that. */
  async #readFill(
    slotId: number,
    masters: GroupMasters,
    known: SlotRecord | undefined,
  ): Promise<SlotFill | undefined> {
    try {
      const slot = this.#records[slotId] = known ?? await this.#read(slotId);
      const fill = await this.#fillOf(slot, masters);
      this.#faults.delete(slotId);
      return fill;
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof RecordError)) throw error;
      if (this.#records[slotId]?.group_id === NO_GROUP) {
        this.#faults.delete(slotId);
        log.debug("slot {slotId} cannot be served: {error}", { slotId, error });
      } else if (this.#faults.get(slotId) !== error.message) {
        this.#faults.set(slotId, error.message);
        log.error("slot {slotId} cannot be served: {error}", { slotId, error });
      }
      return undefined;
    }
  }

  async #read(slotId: number): Promise<SlotRecord> {
    try {
      return await this.#reader.load(slotId);
    } catch (error) {
      // It is not what it was.
      if (error instanceof StoreError || error instanceof RecordError) {
        this.#records[slotId] = undefined;
      }
      throw error;
    }
  }

  async #fillOf(slot: SlotRecord, masters: GroupMasters): Promise<SlotFill> {
    const { status, migrate_status } = slot.state;
    // While it reverses it is blocked, and its keys are in both groups.
    const isMigrating = isUnderway(slot);
    const backendAddr = await masters.of(slot.group_id);
    const migrateFromAddr = isMigrating ? await masters.of(migrate_status.from) : "";
    if (migrateFromAddr === backendAddr) {
      throw new StoreError(`slot ${slot.id} migrates from ${migrateFromAddr} to itself`);
    }
    const fill: SlotFill = {
      slotId: slot.id,
      groupId: slot.group_id,
      backendAddr,
      migrateFromAddr,
      migrateFromGroupId: isMigrating ? migrate_status.from : NO_GROUP,
      isBlocked: status === "pre_migrate",
      ...masters.failed.length === 0 ? {} : { failedAddrs: masters.failed },
    };
    if (!fill.isBlocked) return fill;
    return { ...fill, nextAddrs: await masters.all() };
  }
}

/** A server that cannot be read is no server: the others of its group serve. */
const sayUnreadable: OnUnreadable = ({ path, reason }) =>
  log.error("{path} cannot be read, so that server is not used: {reason}", { path, reason });

/** The address of a group's master; a server that cannot be read is none, and said to be why there is none. */
function masterAmong(group: GroupRecord, bad: readonly UnreadableRecord[]): string {
  try {
    const { addr } = masterOf(group);
    bad.forEach(sayUnreadable);
    return addr;
  } catch (error) {
    const [first] = bad;
    if (first === undefined || !(error instanceof StoreError)) throw error;
    const { path, reason } = first;
    throw new StoreError(`${path} cannot be read: ${reason}; without it, ${error.message}`);
  }
}

/** The masters of groups, each read once. */
class GroupMasters {
  readonly #store: Store;
  readonly #byGroup = new Map<number, Promise<string>>();
  #all: Promise<string[]> | undefined;
  /** The servers of the groups read so far that are out of order. */
  readonly failed: string[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** The address of a group's master; rejects when it has none. */
  of(groupId: number): Promise<string> {
    let addr = this.#byGroup.get(groupId);
    if (addr === undefined) {
      const bad: UnreadableRecord[] = [];
      addr = loadGroup(this.#store, groupId, (record) => bad.push(record)).then((group) => {
        const failed = (group.servers ?? []).filter(({ type }) => type === "offline");
        this.failed.push(...failed.map((server) => server.addr));
        return masterAmong(group, bad);
      });
      this.#byGroup.set(groupId, addr);
    }
    return addr;
  }

  /** The addresses of all masters, where there is one: a blocked slot may move to any. */
  all(): Promise<string[]> {
    return this.#all ??= this.#readAll();
  }

  async #readAll(): Promise<string[]> {
    const groupIds = await loadGroupIds(this.#store);
    const groups = await Promise.all(
      groupIds.map((id) => loadGroup(this.#store, id, sayUnreadable)),
    );
    const servers = groups.flatMap((group) => group.servers ?? []);
    return servers.filter(({ type }) => type === "master").map(({ addr }) => addr);
  }
}

function touchesGroup(slot: SlotRecord | undefined, groupId: number): boolean {
  if (slot === undefined) return false;
  return slot.group_id === groupId ||
    (isUnderway(slot) && slot.state.migrate_status.from === groupId);
}

function rangeOf(from: number, to: number): number[] {
  const first = Math.max(0, from);
  const last = Math.min(SLOT_COUNT - 1, to);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

function isSameFill(fill: SlotFill, last: SlotFill | undefined): boolean {
  return last !== undefined && fill.groupId === last.groupId &&
    fill.backendAddr === last.backendAddr && fill.migrateFromAddr === last.migrateFromAddr &&
    fill.migrateFromGroupId === last.migrateFromGroupId && fill.isBlocked === last.isBlocked;
}
