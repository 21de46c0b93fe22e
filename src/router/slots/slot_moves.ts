/**
 * Which slots have changed groups, and which groups have changed masters, and since when that is known: what a
 * walk over all keys must know so as to miss none that moved while it walked.
 *
 * A walk visits groups one after the other, in order. It misses a key that leaves a group before or while it
 * is visited, for one that was visited already: only a slot's move to a group that comes earlier, a move
 * back, can do that. A key that a whole pass over the groups has missed has moved back in it, so after as
 * many passes as its slot has moved back, and one more, it was met. Where all servers are asked at once,
 * there is no order, and every move counts.
 *
 * Another master has the group's keys, in an order of its own: a group whose master changes while it is visited
 * is visited again from its beginning.
 *
 * Changes are dated by the newest action that was wholly in force before. All proxies of a product follow
 * the same actions, so a walk that was begun at one can go on at another. Between two proxies' change of a
 * slot, one of them may move keys that the other does not know to move. The other one blocks the slot at
 * that time, so it knows that it does not know: {@linkcode isInDoubt}.
 *
 * @module
 */

import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Slot } from "./slot.ts";
import type { SlotFill } from "../slot_table.ts";

/** Actions after which a change is forgotten; a walk that is older begins anew. */
export const VERSIONS_KEPT = 2 ** 15;

/** A move that has ended. */
interface EndedMove {
  /** The version of the table before its end. */
  readonly version: number;
  readonly isBack: boolean;
}

/** The master of a group. */
interface GroupMaster {
  address: string;
  /** The version of the table before each change of it. */
  changes: number[];
}

/** See the header. */
export class SlotMoves {
  /** The newest action that is in force with all before it; 0 before the first. */
  version = 0;
  /** From this version on all changes are known. */
  knownSince = 0;
  /** The last owner of each slot, also of one that was taken away since. */
  readonly #fills: (SlotFill | undefined)[] = Array.from({ length: SLOT_COUNT });
  readonly #ended: EndedMove[][] = Array.from({ length: SLOT_COUNT }, () => []);
  readonly #masters = new Map<number, GroupMaster>();

  /** Every action up to `version` is in force. */
  inForce(version: number): void {
    this.version = Math.max(this.version, version);
  }

  /** The table was read as a whole; what changed before is not known. */
  loaded(version: number): void {
    this.inForce(version);
    this.knownSince = this.version;
  }

  /** A slot is given this owner now. */
  filled(fill: SlotFill): void {
    const { slotId } = fill;
    const last = this.#fills[slotId];
    this.#fills[slotId] = fill;
    this.#noteMaster(fill.groupId, fill.backendAddr);
    const isMoving = fill.migrateFromAddr !== "";
    if (isMoving) this.#noteMaster(fill.migrateFromGroupId, fill.migrateFromAddr);
    if (last === undefined) return;
    const wasMoving = last.migrateFromAddr !== "";
    const isSame = last.groupId === fill.groupId && wasMoving === isMoving &&
      (!isMoving || last.migrateFromGroupId === fill.migrateFromGroupId);
    if (isSame) {
      const isReplaced = last.backendAddr !== fill.backendAddr ||
        last.migrateFromAddr !== fill.migrateFromAddr;
      if (isReplaced) this.#end(slotId, fill.groupId, fill.groupId);
      return;
    }
    if (wasMoving) this.#end(slotId, last.migrateFromGroupId, last.groupId);
    const [first, firstAddr] = isMoving
      ? [fill.migrateFromGroupId, fill.migrateFromAddr]
      : [fill.groupId, fill.backendAddr];
    // Another server all at once: another master of the group, or steps that we have not seen.
    if (firstAddr !== last.backendAddr) this.#end(slotId, last.groupId, first);
  }

  #noteMaster(groupId: number, address: string): void {
    const master = this.#masters.get(groupId);
    if (master === undefined) this.#masters.set(groupId, { address, changes: [] });
    else if (master.address !== address) {
      master.address = address;
      master.changes = master.changes.filter((version) => version > this.version - VERSIONS_KEPT);
      master.changes.push(this.version);
    }
  }

  #end(slotId: number, from: number, to: number): void {
    const { version } = this;
    const kept = this.#ended[slotId]!.filter((move) => move.version > version - VERSIONS_KEPT);
    kept.push({ version, isBack: to < from });
    this.#ended[slotId] = kept;
  }

  /** How often a slot has moved since a version, a move that is under way included. */
  movesSince(version: number, slot: Slot): number {
    const ended = this.#ended[slot.id]!.filter((move) => move.version >= version).length;
    return ended + (slot.migrateFrom === null ? 0 : 1);
  }

  /** As {@linkcode movesSince}, but only moves back. */
  movesBackSince(version: number, slot: Slot): number {
    const ended = this.#ended[slot.id]!.filter((move) => move.version >= version && move.isBack);
    return ended.length + (isMovingBack(slot) ? 1 : 0);
  }

  /** How often a group has got another master since a version. */
  mastersSince(version: number, groupId: number): number {
    const changes = this.#masters.get(groupId)?.changes ?? [];
    return changes.filter((changed) => changed >= version).length;
  }

  /** `host:port` of a group's master, or of its last one. */
  masterOf(groupId: number): string {
    return this.#masters.get(groupId)?.address ?? "";
  }
}

/** Whether a slot is on its way to a group that comes earlier. */
export function isMovingBack(slot: Slot): boolean {
  return slot.migrateFrom !== null && slot.groupId < slot.migrateFromGroupId;
}

/** Whether another proxy may move keys of a slot already, to where ours does not look for them. */
export function isInDoubt({ state }: Slot): boolean {
  return state === "draining" || state === "blocked";
}
