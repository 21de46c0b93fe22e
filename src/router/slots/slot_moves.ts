/**
 * Which slots have changed servers, and since when that is known: what a walk over all keys must know so
 * as to miss none that moved while it walked.
 *
 * A walk visits servers one after the other. It misses a key that leaves a server before or while it
 * is visited, for one that was visited already. When servers are visited in the order of their groups, only
 * moves to a group that comes earlier, or is the same (another master), can do that: moves back. A key
 * that a whole pass over the groups has missed has moved back in it, so after as many passes as its
 * slot has moved back, and one more, it was met. Where all servers are asked at once, there is no order,
 * and every move counts.
 *
 * Moves are dated by the newest action that was wholly in force before. All proxies of a product follow
 * the same actions, so a walk that was begun at one can go on at another.
 *
 * @module
 */

import { SLOT_COUNT } from "../../hash/slot_id.ts";
import type { Slot } from "./slot.ts";
import type { SlotFill } from "../slot_table.ts";

/** Actions after which a move is forgotten; a walk that is older begins anew. */
export const VERSIONS_KEPT = 2 ** 17;

/** A move that has ended. */
interface EndedMove {
  /** The version of the table before its end. */
  readonly version: number;
  readonly isBack: boolean;
}

/** See the header. */
export class SlotMoves {
  /** The newest action that is in force with all before it; 0 before the first. */
  version = 0;
  /** From this version on all moves are known. */
  knownSince = 0;
  /** The last owner of each slot, also of one that was taken away since. */
  readonly #fills: (SlotFill | undefined)[] = Array.from({ length: SLOT_COUNT });
  readonly #ended: EndedMove[][] = Array.from({ length: SLOT_COUNT }, () => []);

  /** Every action up to `version` is in force. */
  inForce(version: number): void {
    this.version = Math.max(this.version, version);
  }

  /**
   * The table was read as a whole; what moved before is not known.
   *
   * @param doubtful Slots that may be ahead of `version`.
   */
  loaded(version: number, doubtful: readonly number[]): void {
    this.inForce(version);
    this.knownSince = this.version;
    for (const slotId of doubtful) this.#end(slotId, 0, 0);
  }

  /** A slot is given this owner now. */
  filled(fill: SlotFill): void {
    const { slotId } = fill;
    const last = this.#fills[slotId];
    this.#fills[slotId] = fill;
    if (last === undefined) return;
    const wasMoving = last.migrateFromAddr !== "";
    const isMoving = fill.migrateFromAddr !== "";
    const isSameMove = wasMoving && last.migrateFromAddr === fill.migrateFromAddr &&
      last.backendAddr === fill.backendAddr;
    if (isSameMove) return;
    if (wasMoving) this.#end(slotId, last.migrateFromGroupId, last.groupId);
    const first = isMoving ? fill.migrateFromAddr : fill.backendAddr;
    if (first === last.backendAddr) return;
    // Another server all at once: another master of the group, or steps that we have not seen.
    this.#end(slotId, last.groupId, isMoving ? fill.migrateFromGroupId : fill.groupId);
  }

  #end(slotId: number, from: number, to: number): void {
    const { version } = this;
    const kept = this.#ended[slotId]!.filter((move) => move.version > version - VERSIONS_KEPT);
    kept.push({ version, isBack: to <= from });
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
}

/** Whether a slot is on its way to a group that comes earlier. */
export function isMovingBack(slot: Slot): boolean {
  return slot.migrateFrom !== null && slot.groupId <= slot.migrateFromGroupId;
}
