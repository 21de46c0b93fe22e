/**
 * What can be wrong with what is stored: rules over the whole tree of a product.
 *
 *     loadTree ─► decodeTree ─► every rule, over everything ─► problems, with what to do about them
 *
 * The `dashboard` entry of a dashboard that died looks like that of one that lives.
 *
 * @module
 */

import {
  findBadTasks,
  findDoubleTasks,
  findMasterCounts,
  findMisplacedServers,
  findServersInTwoGroups,
} from "./check_groups.ts";
import {
  findDeadFences,
  findLocks,
  findMigratePause,
  findMisplacedProxies,
  findMixedClusterModes,
  findSentinelProblems,
  findUnfinishedChange,
  findUnpairedActions,
  findWriteHolds,
} from "./check_processes.ts";
import { findBadRecords } from "./check_records.ts";
import {
  findBadMigrations,
  findMisplacedSlots,
  findMissingSlots,
  findOfflineSlots,
  findUnfinishedMigrations,
  findUnownedSlots,
} from "./check_slots.ts";
import {
  findDifferentLibraries,
  findMastersThatFollow,
  findReplicasThatStray,
  findReplicasThatTakeWrites,
  findServersThatRefuseClients,
  findServersUnderTwoNames,
  findUnfitServers,
} from "./check_servers.ts";
import {
  findBadSlotRules,
  findPendingSlotRules,
  findWhoIgnoresSlotRules,
} from "./check_slot_rules.ts";
import { type DecodedTree, decodeTree, type FactsByAddr } from "./decoded_tree.ts";
import { CONFIG, errorAt, type Problem } from "./problem.ts";
import type { ProductTree } from "./product_tree.ts";

/** Every rule, in the order in which its problems are listed. */
const RULES: readonly ((product: DecodedTree) => readonly Problem[])[] = [
  ({ problems }) => problems,
  findBadRecords,
  findMissingSlots,
  findMisplacedSlots,
  findUnownedSlots,
  findBadMigrations,
  findUnfinishedMigrations,
  findOfflineSlots,
  findMasterCounts,
  findMisplacedServers,
  findServersInTwoGroups,
  findServersUnderTwoNames,
  findUnfitServers,
  findMastersThatFollow,
  findReplicasThatStray,
  findReplicasThatTakeWrites,
  findServersThatRefuseClients,
  findDifferentLibraries,
  findBadTasks,
  findDoubleTasks,
  findMisplacedProxies,
  findMixedClusterModes,
  findDeadFences,
  findUnpairedActions,
  findLocks,
  findUnfinishedChange,
  findMigratePause,
  findWriteHolds,
  findSentinelProblems,
  findBadSlotRules,
  findPendingSlotRules,
  findWhoIgnoresSlotRules,
];

/** What was found. */
export interface CheckResult {
  readonly problems: readonly Problem[];
}

/**
 * Finds everything that is wrong with a tree.
 *
 * @param facts What its servers reported about themselves; left out: the rules about that are not checked.
 */
export function checkTree(tree: ProductTree, facts: FactsByAddr = new Map()): CheckResult {
  if (!tree.isThere) {
    const fix = `check product and coordinator in config.ini; ${CONFIG} slot init begins a product`;
    const problem = `nothing is stored for product ${tree.product}`;
    return { problems: [errorAt(tree.paths.root, problem, fix)] };
  }
  const product = decodeTree(tree, facts);
  return { problems: RULES.flatMap((rule) => rule(product)) };
}
