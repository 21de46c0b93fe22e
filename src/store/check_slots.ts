/**
 * Rules that slots must keep.
 *
 * @module
 */

import { SLOT_COUNT } from "../hash/slot_id.ts";
import { encodeSlot, isUnderway, NO_GROUP, type SlotRecord } from "../model/slot.ts";
import type { DecodedTree } from "./decoded_tree.ts";
import type { ProductTree } from "./product_tree.ts";
import { CONFIG, type Problem, type Repair, type Severity, warningAt } from "./problem.ts";

/** What a rule finds about one slot; neighbours with the same finding become one problem. */
interface Finding {
  readonly severity: Severity;
  readonly problem: string;
  /** What to do, given the range as a command takes it: `3 9`. */
  fix(range: string): string;
  /** The record as it should be, where only one can be right. */
  readonly right?: SlotRecord;
}

type SlotRule = (slotId: number, slot: SlotRecord, product: DecodedTree) => Finding | undefined;

const BY_HAND = "in the coordinator";

/** All slots are there, or none. */
export function findMissingSlots(product: DecodedTree): Problem[] {
  if (product.slotIds.size === 0) return [];
  const missing = (slotId: number): Finding | undefined =>
    product.slotIds.has(slotId) ? undefined : {
      severity: "error",
      problem: "not stored, though others are",
      fix: (range) => `${rangeSet(range)}, of the group that has its keys`,
    };
  return foldFindings(product, Array.from({ length: SLOT_COUNT }, (_, id) => [id, missing(id)]));
}

/** A rule for single slots. */
function everySlot(rule: SlotRule): (product: DecodedTree) => Problem[] {
  return (product) =>
    foldFindings(product, [...product.slots].map(([id, slot]) => [id, rule(id, slot, product)]));
}

/** The record of a slot agrees with its path. */
export const findMisplacedSlots = everySlot((slotId, slot, { tree }) => {
  const [isId, isProduct] = [slot.id === slotId, slot.product_name === tree.product];
  if (isId && isProduct) return undefined;
  const wrong = isId ? `product_name is "${slot.product_name}"` : `id is ${slot.id}`;
  const right = isId ? `"${tree.product}"` : "the number in its name";
  const fix = () => `correct it ${BY_HAND}: a change of this slot would change another one`;
  const corrected = correctedSlot(slotId, slot, tree);
  return { severity: "error", problem: `${wrong}, not ${right}`, fix, right: corrected };
});

/** A record with all that has one right answer, so that every repair of it is the same. */
function correctedSlot(slotId: number, slot: SlotRecord, { product }: ProductTree): SlotRecord {
  const { state } = slot;
  const atRest = { ...state, migrate_status: { from: NO_GROUP, to: NO_GROUP } };
  const right = isUnderway(slot) ? state : atRest;
  return { ...slot, id: slotId, product_name: product, state: right };
}

/** A slot that is served has an owner. */
export const findUnownedSlots = everySlot((_slotId, slot, { groupIds }) => {
  const { group_id: groupId, state: { status } } = slot;
  if (status === "offline" || groupIds.has(groupId)) return undefined;
  if (groupId === NO_GROUP) {
    return { severity: "error", problem: `${status}, but owned by no group`, fix: rangeSet };
  }
  const fix = (range: string) =>
    `${CONFIG} server add ${groupId} <redis_addr> master, if its keys are there; or ${
      rangeSet(range)
    }`;
  return { severity: "error", problem: `owned by group ${groupId}, which is not there`, fix };
});

/** Where a slot comes from and goes to is set while it migrates, and then it makes sense. */
export const findBadMigrations = everySlot((slotId, slot, { tree, groupIds }) => {
  const { group_id: groupId, state: { status, migrate_status: { from, to } } } = slot;
  if (!isUnderway(slot)) {
    if (from === NO_GROUP && to === NO_GROUP) return undefined;
    const problem = `${status}, but migrate_status is from ${from} to ${to}, not -1 and -1`;
    const right = correctedSlot(slotId, slot, tree);
    return { severity: "warning", problem, fix: () => `set both to -1 ${BY_HAND}`, right };
  }
  const fix = (range: string) =>
    `${rangeSet(range, groupId)}, if its keys are there; until then this slot answers errors`;
  if (to !== groupId) {
    const problem = `migrates to group ${to}, but is owned by group ${groupId}`;
    // Only the owner counts: there its keys go.
    return { severity: "error", problem, fix: canMove(slot, groupIds) ? migrateFix(groupId) : fix };
  }
  if (from === to) {
    return { severity: "error", problem: `migrates from group ${from} to itself`, fix };
  }
  if (groupIds.has(from)) return undefined;
  const problem = `migrates from group ${from}, which is not there`;
  const other = `${CONFIG} server add ${from} <redis_addr> master, if keys are left there`;
  return { severity: "error", problem, fix: (range) => `${other}; or ${fix(range)}` };
});

/**
 * One slot that is offline keeps every new proxy from serving any. A product without a proxy is still being set up:
 * there all of them may be offline, or none stored.
 */
export function findOfflineSlots(product: DecodedTree): Problem[] {
  const { slots, slotIds, proxies, tree: { paths } } = product;
  const isFresh = [...slots.values()].every((slot) => slot.state.status === "offline");
  if (isFresh && proxies.length === 0) return [];
  if (slotIds.size === 0) {
    const problem = "no slots are stored: no proxy can be set online";
    return [warningAt(paths.slots, problem, `${CONFIG} slot init`)];
  }
  return everySlot((_slotId, slot) =>
    slot.state.status !== "offline" ? undefined : {
      severity: "warning",
      problem: `offline${isFresh ? "" : ", though others are not"}: no proxy can be set online`,
      fix: (range) => rangeSet(range),
    }
  )(product);
}

/** The command that gives slots to a group which nobody can serve as they are. */
function rangeSet(range: string, groupId: number | string = "<group_id>"): string {
  return `${CONFIG} slot range-set ${range} ${groupId} online`;
}

/** Whether a task can bring a slot that migrates to its owner. */
function canMove({ group_id, state }: SlotRecord, groupIds: ReadonlySet<number>): boolean {
  const { from } = state.migrate_status;
  return from !== group_id && groupIds.has(from) && groupIds.has(group_id);
}

/** The command that makes such a task. */
function migrateFix(target: number | string): (range: string) => string {
  return (range) => `${CONFIG} slot migrate ${range} ${target}`;
}

/** A slot that migrates has a task that ends it. Where none could, another rule says why, and what to do. */
export const findUnfinishedMigrations = everySlot((slotId, slot, { tasks, groupIds }) => {
  const { status, migrate_status: { from, to } } = slot.state;
  if (status !== "migrate" && status !== "pre_migrate") return undefined;
  if (status === "migrate" && (to !== slot.group_id || !canMove(slot, groupIds))) return undefined;
  const isEnding = tasks.some(({ record: { slot_id, new_group } }) =>
    slot_id === slotId && (status === "pre_migrate" || new_group === to || new_group === from)
  );
  if (isEnding) return undefined;
  const [problem, target] = status === "migrate"
    ? [`migrates to group ${to}, and no task will end it`, to]
    : ["pre_migrate, and no task will end it", "<group_id>"];
  return { severity: "warning", problem, fix: migrateFix(target) };
});

/** Joins neighbours with the same finding into one problem. */
function foldFindings(
  { tree }: DecodedTree,
  findings: readonly (readonly [slotId: number, finding: Finding | undefined])[],
): Problem[] {
  const ranges: { from: number; to: number; finding: Finding; right: SlotRecord[] }[] = [];
  for (const [slotId, finding] of findings) {
    if (finding === undefined) continue;
    const last = ranges.at(-1);
    if (last?.to !== slotId - 1 || last.finding.problem !== finding.problem) {
      ranges.push({ from: slotId, to: slotId, finding, right: [] });
    }
    ranges.at(-1)!.to = slotId;
    if (finding.right !== undefined) ranges.at(-1)!.right.push(finding.right);
  }
  return ranges.map(({ from, to, finding: { severity, problem, fix }, right }) => ({
    path: tree.paths.slot(from),
    severity,
    problem: `${from === to ? `slot ${from}` : `slots ${from}-${to}`}: ${problem}`,
    fix: fix(`${from} ${to}`),
    ...right.length > 0 && { repairs: right.map((slot) => repairOf(tree, slot)) },
  }));
}

function repairOf({ paths }: ProductTree, slot: SlotRecord): Repair {
  return { path: paths.slot(slot.id), data: encodeSlot(slot) };
}
