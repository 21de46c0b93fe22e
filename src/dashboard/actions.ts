/**
 * Operations on the actions that were sent: looked at, and removed when they are old.
 *
 * @module
 */

import type { ActionView } from "../api/cluster_view.ts";
import { NoNodeError } from "../coordinator/errors.ts";
import { RecordError } from "../model/record.ts";
import { deleteAction, loadAction, loadActionNames, loadAnswers } from "../store/actions.ts";
import { withLock } from "../store/lock.ts";
import { type Store, StoreError } from "../store/store.ts";
import { actionView, type Publisher } from "./publish.ts";

/** Codis 2.0 always keeps this many more than it is told to. */
const KEPT_BESIDES = 500;
/** Actions removed at once. */
const PARALLEL_MAX = 16;

/** The newest actions, newest first. */
export async function actionViews(
  store: Store,
  publisher: Publisher,
  count: number,
): Promise<ActionView[]> {
  const names = (await loadActionNames(store)).slice(-count).reverse();
  const views = await Promise.all(names.map(async (name) => {
    try {
      const [action, answers] = await Promise.all([
        loadAction(store, name),
        loadAnswers(store, name),
      ]);
      return [actionView(name, action, answers, publisher.afterMs(name))];
    } catch (error) {
      // Removed meanwhile, or not one of ours.
      if (error instanceof StoreError || error instanceof RecordError) return [];
      throw error;
    }
  }));
  return views.flat();
}

/**
 * Removes all but the newest `keep` and 500 more.
 *
 * @returns How many were removed.
 */
export async function removeOldActions(store: Store, keep: number): Promise<number> {
  return await withLock(store, "gc of actions", async () => {
    const names = await loadActionNames(store);
    return await removeAll(store, names.slice(0, Math.max(0, names.length - keep - KEPT_BESIDES)));
  });
}

/**
 * Removes all that are older than `seconds`.
 *
 * @returns How many were removed.
 */
export async function removeActionsBefore(store: Store, seconds: number): Promise<number> {
  return await withLock(store, "gc of actions", async () => {
    const oldest = Date.now() / 1000 - seconds;
    const old: string[] = [];
    for (const name of await loadActionNames(store)) {
      const action = await loadAction(store, name).catch(() => undefined);
      if (action !== undefined && Number(action.ts) >= oldest) break;
      old.push(name);
    }
    return await removeAll(store, old);
  });
}

async function removeAll(store: Store, names: readonly string[]): Promise<number> {
  const waiting = [...names];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      try {
        await deleteAction(store, name);
      } catch (error) {
        if (!(error instanceof NoNodeError)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_MAX }, work));
  return names.length;
}
