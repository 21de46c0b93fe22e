/**
 * Repairs what has one right answer among what `check.ts` finds; all else an operator must decide.
 *
 * @module
 */

import { NoNodeError } from "../coordinator/errors.ts";
import { checkTree } from "./check.ts";
import { withLock } from "./lock.ts";
import type { Problem, Repair } from "./problem.ts";
import { loadTree } from "./product_tree.ts";
import { readIfThere, type Store, StoreError } from "./store.ts";

/**
 * Repairs a product's tree, while no dashboard can change it.
 *
 * @returns The problems that are gone, in the order in which they were found.
 * @throws {StoreError} When the lock is not free.
 * @throws {CoordinatorError} When the coordinator cannot be asked.
 */
export async function repairTree(store: Store): Promise<Problem[]> {
  return await withLock(store, "config check --fix", async () => {
    const problems = checkTree(await loadTree(store)).problems.filter(({ repairs }) => repairs);
    for (const { repairs = [] } of problems) {
      for (const repair of repairs) await carryOut(store, repair);
    }
    return problems;
  });
}

/**
 * Takes a record away that cannot be read, or that nobody reads: what of it is lost, an operator has decided.
 *
 * @returns What it held.
 * @throws {StoreError} When there is no such record, it can be read, or the lock is not free.
 * @throws {CoordinatorError} When the coordinator cannot be asked.
 */
export async function removeUnreadable(store: Store, path: string): Promise<string> {
  return await withLock(store, "config check --remove", async () => {
    const { problems } = checkTree(await loadTree(store));
    const isThere = problems.some((each) => each.path === path && each.isRemovable === true);
    const data = isThere ? await readIfThere(store, path) : undefined;
    if (data === undefined) {
      throw new StoreError(
        `nothing was removed: config check names no record at ${path} that may be removed`,
      );
    }
    await store.coordinator.deleteTree(path);
    return data;
  });
}

async function carryOut({ coordinator }: Store, { path, data }: Repair): Promise<void> {
  if (data === undefined) return await coordinator.deleteTree(path);
  try {
    await coordinator.write(path, data);
  } catch (error) {
    // Another one of its problems was repaired by deleting it.
    if (!(error instanceof NoNodeError)) throw error;
  }
}
