/**
 * Which replica of a group is the best master, when the master is to be another one.
 *
 * @module
 */

import { loadGroup } from "../store/groups.ts";
import { StoreError } from "../store/store.ts";
import { LEAVE_OUT } from "../store/unreadable.ts";
import { infoNow } from "./auto_failover.ts";
import type { Control } from "./control.ts";
import { judgeReplicas } from "./fit_replica.ts";

/**
 * Of the replicas that are in touch with their master, the one with most of its changes.
 *
 * @throws {StoreError} When the group is not there, or has none.
 */
export async function successorIn(control: Control, groupId: number): Promise<string> {
  const group = await loadGroup(control.store, groupId, LEAVE_OUT);
  const ask = (addr: string) => infoNow(control, addr);
  const { fit: [best] } = await judgeReplicas(
    ask,
    group.servers ?? [],
    (_addr, _info, { isLinked }) => isLinked ? "" : "is not linked to its master",
  );
  if (best !== undefined) return best.addr;
  throw new StoreError(
    `group ${groupId} has no replica that answers and is linked to its master: add one, or wait ` +
      "until one has its first sync",
  );
}
