/**
 * The 1024 slots of a router, the servers behind them, and how a slot changes hands.
 *
 *      fill, reset ─► requests of the slot wait ─► drain ─► new owner ─► requests go on
 *
 * @module
 */

import { Placement, type SlotRule } from "../../hash/placement.ts";
import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Backend } from "../backends/backend.ts";
import { BackendPool } from "../backends/backend_pool.ts";
import type { BackendEvents, Master, Server } from "../backends/server.ts";
import { backendDown } from "../errors.ts";
import type { RouterOptions } from "../options.ts";
import { failRequest, type Request } from "../request.ts";
import type { GroupServers, SlotFill, SlotTable } from "../slot_table.ts";
import type { SlotColumns } from "../stats_snapshot.ts";
import { ReplicaSets } from "./replica_sets.ts";
import { type SettledState, Slot } from "./slot.ts";
import { SlotMoves } from "./slot_moves.ts";

/** Why connections to a server that has failed are given up. */
const REPLACED = "another server has taken its place";

/** What the slots report, for the log. */
export interface SlotEvents extends BackendEvents {
  /** A slot change did not wait any longer for requests in flight. */
  slotDrainTimedOut(slotId: number, backends: readonly Backend[]): void;
}

/** Who must know of servers before they serve, and of slots that have changed hands. */
export interface SlotsListener {
  /** A server is about to own a slot; it serves once this resolves. Null when nobody minds. */
  beforeServing(fill: SlotFill): Promise<void> | null;
  /** It owns the slot. */
  serves(fill: SlotFill): void;
  /** A slot has changed hands. */
  changed(): void;
}

/** The slots of one router; see the drawing above. */
export class RouterSlots implements SlotTable {
  readonly all: readonly Slot[];
  readonly pool: BackendPool;
  /** The replicas of masters, for reads. */
  readonly replicas: ReplicaSets;
  /** Which slot a key is in. */
  readonly placement = new Placement();
  /** Which slots have changed servers. */
  readonly moves = new SlotMoves();
  /** Slot changes so far: the version of the table. */
  version = 0;
  listener: SlotsListener | null = null;
  readonly #events: SlotEvents;
  #masters: Master[] | null = null;
  #owners: SlotColumns | null = null;
  readonly #changing: Promise<void>[] = [];
  /** Servers that are given up in a moment. */
  readonly #replaced = new Set<Server>();

  constructor(options: RouterOptions, events: SlotEvents) {
    this.#events = events;
    this.pool = new BackendPool(options, events);
    this.replicas = new ReplicaSets(this.pool, options);
    this.all = Array.from({ length: SLOT_COUNT }, (_, id) => new Slot(id, options.slotWaitMs));
  }

  /** The options are others now. */
  optionsChanged({ slotWaitMs }: RouterOptions): void {
    for (const slot of this.all) slot.waitMs = slotWaitMs;
    for (const server of this.pool.servers()) server.optionsChanged();
    this.replicas.optionsChanged();
  }

  /** The slot of the key `bytes[start..end)`. */
  slotOf(bytes: Uint8Array, start: number, end: number): Slot {
    return this.all[this.placement.slotIdOf(bytes, start, end)]!;
  }

  /**
   * Puts a slot's owner in force. New requests of the slot wait meanwhile; requests of other slots
   * do not notice.
   *
   * @returns When every request of the slot that was in flight is settled and the new owner serves.
   * What is not settled within slotWaitMs is failed, and its connection closed, first.
   */
  fillSlot(fill: SlotFill): Promise<void> {
    return this.#change(fill.slotId, async (slot) => {
      if (fill.failedAddrs !== undefined) this.#giveUpFailed(slot, fill.failedAddrs);
      await this.#drain(slot);
      await this.listener?.beforeServing(fill);
      const server = this.pool.acquire(fill.backendAddr);
      const migrateFrom = fill.migrateFromAddr === ""
        ? null
        : this.pool.acquire(fill.migrateFromAddr);
      this.moves.filled(fill);
      this.#releaseServers(slot);
      if (slot.server !== server) slot.ownerSince = this.version + 1;
      slot.server = server;
      slot.migrateFrom = migrateFrom;
      slot.groupId = fill.groupId;
      slot.migrateFromGroupId = migrateFrom === null ? -1 : fill.migrateFromGroupId;
      this.listener?.serves(fill);
      slot.settle(fill.isBlocked ? "blocked" : migrateFrom === null ? "open" : "migrating");
    });
  }

  /** Takes a slot's owner away: its requests are answered with an error from now on. */
  resetSlot(slotId: number): Promise<void> {
    return this.#change(slotId, async (slot) => {
      await this.#drain(slot);
      this.#releaseServers(slot);
      slot.server = slot.migrateFrom = null;
      slot.groupId = slot.migrateFromGroupId = -1;
      slot.settle("offline");
    });
  }

  async settleAll(): Promise<void> {
    await Promise.all(this.all.map(({ id }) =>
      this.#change(id, async (slot) => {
        const state = slot.state as SettledState; // changes of a slot do not overlap
        await this.#drain(slot);
        if (slot.state === "draining") slot.settle(state);
      })
    ));
  }

  setRules(rules: readonly SlotRule[]): Promise<void> {
    this.placement.setRules(rules);
    return Promise.resolve();
  }

  setReplicas(groups: readonly GroupServers[]): void {
    this.replicas.set(groups);
  }

  inForce(version: number): void {
    this.moves.inForce(version);
  }

  loaded(version: number): void {
    this.moves.loaded(version);
  }

  /** Runs changes of one slot one after the other. */
  #change(slotId: number, change: (slot: Slot) => Promise<void>): Promise<void> {
    const slot = this.all[slotId];
    if (slot === undefined) return Promise.reject(new RangeError(`no slot has number ${slotId}`));
    const done = (this.#changing[slotId] ?? Promise.resolve()).then(async () => {
      await change(slot);
      this.#masters = this.#owners = null;
      this.version++;
      this.listener?.changed();
    });
    this.#changing[slotId] = done.catch(() => {});
    return done;
  }

  async #drain(slot: Slot): Promise<void> {
    if (slot.state === "offline" && slot.inFlight === 0) return;
    if (await slot.drain()) return;
    const replicas = this.replicas.of(slot.server?.address ?? "")?.replicas ?? [];
    const carriers = [slot.server, slot.migrateFrom, ...replicas.map(({ server }) => server)]
      .flatMap((server) => server === null ? [] : slot.carriers(server.backends()));
    this.#events.slotDrainTimedOut(slot.id, carriers);
    for (const backend of carriers) backend.breakOff(`slot ${slot.id} changes hands`);
  }

  /**
   * Gives up connections to servers that have failed: what was sent would not be answered in time. The shared
   * ones last as long as it takes until the other slots of the same change are draining, too: what was not
   * sent waits there for the new owner.
   */
  #giveUpFailed({ server, migrateFrom }: Slot, failed: readonly string[]): void {
    for (const each of [server, migrateFrom]) {
      if (each === null || !failed.includes(each.address) || this.#replaced.has(each)) continue;
      if (this.#replaced.size === 0) setTimeout(() => this.#breakOffReplaced(), 0);
      this.#replaced.add(each);
      for (const backend of [...each.backends()]) if (backend.isPrivate) backend.breakOff(REPLACED);
    }
  }

  #breakOffReplaced(): void {
    const backends = [...this.#replaced].flatMap((server) => [...server.backends()]);
    this.#replaced.clear();
    for (const backend of backends) {
      const unsent = backend.isPrivate ? [] : backend.takeUnsent();
      backend.breakOff(REPLACED);
      // Each is put before those that wait already.
      for (const { request, bytes } of unsent.toReversed()) {
        if (this.#takeBack(request, bytes)) continue;
        failRequest(request, backendDown(backend.server.address, REPLACED));
      }
    }
  }

  /** Whether a request that was not sent waits for its slot again; not what a client sends in ways of its own. */
  #takeBack(request: Request, bytes: Uint8Array): boolean {
    const { slot, slots, leads, ways } = request;
    if (slot === null || slots !== null || leads !== null || ways !== null) return false;
    return this.all[slot.id]!.takeBack(request, bytes);
  }

  #releaseServers(slot: Slot): void {
    if (slot.server !== null) this.pool.release(slot.server);
    if (slot.migrateFrom !== null) this.pool.release(slot.migrateFrom);
  }

  /** The servers in use, by group: every one that owns a slot or has keys of a migrating one. */
  masters(): readonly Master[] {
    if (this.#masters !== null) return this.#masters;
    const groups = new Map<Server, number>();
    for (const slot of this.all) {
      if (slot.server !== null) groups.set(slot.server, slot.groupId);
      if (slot.migrateFrom !== null) groups.set(slot.migrateFrom, slot.migrateFromGroupId);
    }
    this.#masters = [...groups]
      .map(([server, groupId]) => ({ server, groupId }))
      .sort((a, b) => a.groupId - b.groupId);
    return this.#masters;
  }

  /** Who has each slot. The columns stay as they are; after a change there are others. */
  owners(): SlotColumns {
    return this.#owners ??= {
      groups: this.all.map(({ groupId }) => groupId),
      owners: this.all.map(({ server }) => server?.address ?? ""),
      sources: this.all.map(({ migrateFrom }) => migrateFrom?.address ?? ""),
    };
  }

  /**
   * Checks deadlines.
   *
   * @returns Whether nothing waits for anything.
   */
  tick(): boolean {
    let isQuiet = this.pool.tick();
    // As everything that is done each second for all slots: an iterator would leave 1024 objects behind.
    this.all.forEach((slot) => {
      if (slot.state === "open") return;
      slot.tick();
      isQuiet = false;
    });
    return isQuiet;
  }
}
