/**
 * Puts a dump back: first a plan, the difference to what is stored, then that.
 *
 *     dump ─┐
 *           ├─► plan ─► shown ─► lock ─► created, changed, deleted; slots last ─► compared
 *     store ┘
 *
 * Only while nobody works with the product. It is no single change; what was interrupted is done again, and
 * goes on.
 *
 * @module
 */

import { type Operation, OPERATIONS_MAX } from "../coordinator/coordinator.ts";
import { RecordError } from "../model/record.ts";
import { decodeSlot, NO_GROUP, type SlotRecord } from "../model/slot.ts";
import { type DumpEntries, DumpError, durableEntries, type ProductDump } from "./dump.ts";
import { loadFences } from "./fences.ts";
import { withLock } from "./lock.ts";
import { loadProxies } from "./proxies.ts";
import { sortSequence } from "./sequence.ts";
import { numberedName } from "./paths.ts";
import { createFolders, LEAF, readIfThere, type Store, StoreError } from "./store.ts";

/** Most text in a transaction: a quarter of what ZooKeeper takes. */
const TRANSACTION_LENGTH_MAX = 256 * 1024;

type WritingStep = Extract<Operation, { readonly data: string }>;

/** What restoring changes. */
export interface RestorePlan {
  /** Paths below the product's. */
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  /** Slots that another group serves afterwards: the keys that they have now do not come along. */
  readonly regrouped: readonly RegroupedSlot[];
}

/** A slot that another group serves once a dump is restored. */
export interface RegroupedSlot {
  readonly slotId: number;
  /** `-1`: none. */
  readonly from: number;
  readonly to: number;
}

/** Whether a plan changes nothing. */
export function isEmptyPlan({ created, changed, deleted }: RestorePlan): boolean {
  return created.length + changed.length + deleted.length === 0;
}

/**
 * What restoring a dump changes.
 *
 * @throws {DumpError} When a slot of the dump cannot be read. In the store, it may be what is to be repaired.
 */
export async function planRestore(store: Store, wanted: DumpEntries): Promise<RestorePlan> {
  const entries = await durableEntries(store);
  const { created, changed, deleted } = difference(
    splitTasks(store, entries),
    splitTasks(store, wanted),
  );
  const before = slotsIn(store, entries, () => {});
  const after = slotsIn(store, wanted, (path, { message }) => {
    throw new DumpError(`entry "${path}" of the file cannot be read: ${message}`);
  });
  // The next dashboard would finish that change: what it writes is of before.
  const isUnfinished = await readIfThere(store, store.paths.intent) !== undefined;
  const intent = store.paths.intent.slice(store.paths.root.length + 1);
  return {
    ...{ created, changed, deleted: isUnfinished ? [...deleted, intent] : deleted },
    regrouped: regrouped(before, after),
  };
}

/** The slots among entries. */
function slotsIn(
  { paths }: Store,
  entries: ReadonlyMap<string, string>,
  onBad: (path: string, error: RecordError) => void,
): SlotRecord[] {
  const prefix = `${paths.slots.slice(paths.root.length + 1)}/`;
  const slots: SlotRecord[] = [];
  for (const [path, json] of entries) {
    const isSlot = path.startsWith(prefix) &&
      numberedName(path.slice(prefix.length), "slot_") !== undefined;
    if (!isSlot) continue;
    try {
      slots.push(decodeSlot(json));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      onBad(path, error);
    }
  }
  return slots.sort((a, b) => a.id - b.id);
}

/** Entries, and apart from them the migration tasks: the coordinator gives those their names. */
interface SplitEntries {
  readonly others: ReadonlyMap<string, string>;
  /** By the names that they had; the oldest first. */
  readonly tasks: ReadonlyMap<string, string>;
}

function splitTasks({ paths }: Store, entries: ReadonlyMap<string, string>): SplitEntries {
  const prefix = `${paths.migrateTasks.slice(paths.root.length + 1)}/`;
  const isTask = (path: string) => path.startsWith(prefix);
  const names = [...entries.keys()].filter(isTask).map((path) => path.slice(prefix.length));
  return {
    others: new Map([...entries].filter(([path]) => !isTask(path))),
    tasks: new Map(
      sortSequence(names).map((name) => [prefix + name, entries.get(prefix + name)!]),
    ),
  };
}

function difference(
  stored: SplitEntries,
  wanted: SplitEntries,
): Omit<RestorePlan, "regrouped"> {
  const isSame = [...stored.tasks.values()].join("\n") === [...wanted.tasks.values()].join("\n");
  const inBoth = [...wanted.others.keys()].filter((path) => stored.others.has(path));
  const [oldTasks, newTasks] = isSame
    ? [[], []]
    : [[...stored.tasks.keys()], [...wanted.tasks.keys()]];
  return {
    created: [...subtract(wanted.others, stored.others), ...newTasks],
    changed: inBoth.filter((path) => stored.others.get(path) !== wanted.others.get(path)),
    deleted: [...subtract(stored.others, wanted.others).filter(isNoFolder(stored)), ...oldTasks],
  };
}

/** The folders that every product has stay: see `createFolders`. */
function isNoFolder({ others }: SplitEntries): (path: string) => boolean {
  return (path) => path.includes("/") || others.get(path) !== "";
}

function subtract(entries: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>) {
  return [...entries.keys()].filter((path) => !others.has(path));
}

function regrouped(stored: readonly SlotRecord[], wanted: readonly SlotRecord[]): RegroupedSlot[] {
  const groups = new Map(stored.map((slot) => [slot.id, slot.group_id]));
  return wanted.flatMap(({ id: slotId, group_id: to }) => {
    const from = groups.get(slotId) ?? NO_GROUP;
    return from === to || from === NO_GROUP ? [] : [{ slotId, from, to }];
  });
}

/**
 * Restores a dump.
 *
 * @returns What it has changed.
 * @throws {DumpError} When a slot of the dump cannot be read; nothing was changed then.
 * @throws {StoreError} When a dashboard or a proxy works with the product, or may; or when the store has
 * something else in the end, because somebody else has changed it.
 * @throws {CoordinatorError} When the coordinator cannot be asked.
 */
export async function restoreProduct(store: Store, dump: ProductDump): Promise<RestorePlan> {
  await createFolders(store);
  return await withLock(store, "config restore", async () => {
    await checkUnused(store);
    const plan = await makeLike(store, dump.entries);
    await checkNobodyCame(store);
    return plan;
  });
}

/**
 * Makes the store as in a dump; nobody else may work with it.
 *
 * @returns What it has changed.
 * @throws As {@linkcode restoreProduct}.
 */
export async function makeLike(store: Store, wanted: DumpEntries): Promise<RestorePlan> {
  const plan = await planRestore(store, wanted);
  await write(store, plan, splitTasks(store, wanted));
  const left = await planRestore(store, wanted);
  if (isEmptyPlan(left)) return plan;
  const path = [...left.created, ...left.changed, ...left.deleted][0];
  throw new StoreError(`${path} was changed by somebody else meanwhile: try again`);
}

/** @throws {StoreError} When somebody works with the product, or may. */
export async function checkUnused(store: Store): Promise<void> {
  const { paths } = store;
  if (await readIfThere(store, paths.dashboard) !== undefined) {
    throw new StoreError(
      "a dashboard works with it: stop it first (an entry of one that died ends soon)",
    );
  }
  const proxies = await loadProxies(store);
  if (proxies.length > 0) {
    const names = proxies.map(({ id }) => id).join(", ");
    throw new StoreError(`these proxies work with it: ${names}; stop them first`);
  }
  const fences = await loadFences(store);
  if (fences.length > 0) {
    throw new StoreError(
      `a proxy may still serve at ${
        fences.join(", ")
      }: if it is surely gone, codis-proxy config action ` +
        "remove-fence",
    );
  }
}

/** @throws {StoreError} When somebody has begun to work with the product while it was restored. */
async function checkNobodyCame(store: Store): Promise<void> {
  try {
    await checkUnused(store);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(
      `the file was restored, but somebody came meanwhile who may have read half of it: ${error.message}, ` +
        "and restore again",
      { cause: error },
    );
  }
}

/** Makes the store as wanted; slots last, so that nobody can serve before all is there. */
async function write(
  { coordinator, paths }: Store,
  { created, changed, deleted }: RestorePlan,
  wanted: SplitEntries,
): Promise<void> {
  const full = (path: string) => `${paths.root}/${path}`;
  // What is below goes first; before all, an unfinished change.
  for (const path of deleted.toReversed()) await coordinator.deleteTree(full(path));
  const isNew = new Set(created);
  for (const [path, data] of wanted.tasks) {
    if (!isNew.has(path)) continue;
    await coordinator.create(`${paths.migrateTasks}/`, data, "sequential", LEAF);
  }
  const steps = [...created, ...changed].filter((path) => wanted.others.has(path)).map((path) => ({
    path,
    isSlot: full(path).startsWith(`${paths.slots}/`),
    operation: stepFor(full(path), wanted.others.get(path)!, isNew.has(path)),
  }));
  steps.sort((a, b) => Number(a.isSlot) - Number(b.isSlot) || (a.path < b.path ? -1 : 1));
  for (const part of inParts(steps.map(({ operation }) => operation))) {
    await coordinator.transact(part);
  }
}

function stepFor(path: string, data: string, isNew: boolean): WritingStep {
  // A folder, such as a group, holds nothing itself.
  return isNew ? { create: path, data, isLeaf: data !== "" } : { write: path, data };
}

/** Transactions that every coordinator takes. */
function inParts(steps: readonly WritingStep[]): WritingStep[][] {
  const parts: WritingStep[][] = [];
  let bytes = Infinity;
  for (const step of steps) {
    bytes += step.data.length;
    if (bytes > TRANSACTION_LENGTH_MAX || parts.at(-1)!.length === OPERATIONS_MAX) {
      parts.push([]);
      bytes = step.data.length;
    }
    parts.at(-1)!.push(step);
  }
  return parts;
}
