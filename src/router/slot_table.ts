/**
 * What the control side may do to the data plane's slots.
 *
 * @module
 */

import type { SlotRule } from "../hash/placement.ts";

/** A slot's owner, as the store says it. */
export interface SlotFill {
  readonly slotId: number;
  readonly groupId: number;
  /** `host:port` of the owner's master. */
  readonly backendAddr: string;
  /** `host:port` of the master that its keys are moved away from; empty when it is not migrating. */
  readonly migrateFromAddr: string;
  readonly migrateFromGroupId: number;
  /** Whether requests wait until the next fill (`pre_migrate`). */
  readonly isBlocked: boolean;
  /** `host:port` of each master that the slot may move to while it is blocked. */
  readonly nextAddrs?: readonly string[];
  /** `host:port` of each server that has failed: nothing in flight there is waited for. @default none */
  readonly failedAddrs?: readonly string[];
}

/** The servers of a group, for reads. */
export interface GroupServers {
  readonly groupId: number;
  /** `host:port` of its master. */
  readonly master: string;
  /** How far the master is from this proxy: the same machine, the same zone, elsewhere. */
  readonly distance: 0 | 1 | 2;
  readonly replicas: readonly { readonly address: string; readonly distance: 0 | 1 | 2 }[];
}

/** The slots of a proxy; every change waits for the slot's requests in flight, within a bound. */
export interface SlotTable {
  /** Puts a slot's owner in force; resolves when it serves and nothing old is in flight. */
  fillSlot(fill: SlotFill): Promise<void>;
  /** Takes a slot's owner away; resolves when nothing of it is in flight. */
  resetSlot(slotId: number): Promise<void>;
  /**
   * Resolves when no request of any slot is in flight that was sent before; within the bound of a slot's
   * change. For when requests are held.
   */
  settleAll(): Promise<void>;
  /**
   * Places keys by other rules; requests are held meanwhile, and none is in flight. What clients have
   * begun under the old rules ends: their transactions fail, and those with connections of their own are
   * closed.
   */
  setRules(rules: readonly SlotRule[]): Promise<void>;
  /** Which replicas there are now, of all groups. */
  setReplicas(groups: readonly GroupServers[]): void;
  /**
   * Every action up to this one is in force. All proxies of a product number alike, so that a SCAN
   * begun at one can go on at another.
   */
  inForce(version: number): void;
  /** All slots were filled from the store, as it was after this action or later. */
  loaded(version: number): void;
}
