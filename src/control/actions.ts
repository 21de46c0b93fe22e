/**
 * Operations on the actions that were sent: looked at, and removed when they are old.
 *
 * @module
 */

import type { ActionView } from "../api/cluster_view.ts";
import { NoNodeError } from "../coordinator/errors.ts";
import { RecordError } from "../model/record.ts";
import {
  deleteAction,
  findLostAnswers,
  loadAction,
  loadActionNames,
  loadAnswers,
} from "../store/actions.ts";
import { withLock } from "../store/lock.ts";
import { type Store, StoreError } from "../store/store.ts";
import { actionView, type Publisher } from "./publish.ts";

/** Codis 2.0 always keeps this many more than it is told to. */
const KEPT_BESIDES = 500;
/** Actions removed at once. */
const PARALLEL_MAX = 16;
/** Until an action follows the place for its answers, if it is to come at all, in milliseconds. */
const ACTION_FOLLOWS_MS = 10_000;

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
 * Removes all but the newest `keep` and 500 more, and answers that have no action.
 *
 * @returns How many actions were removed.
 */
export async function removeOldActions(store: Store, keep: number): Promise<number> {
  const oldOf = (names: readonly string[]) =>
    names.slice(0, Math.max(0, names.length - keep - KEPT_BESIDES));
  // Mostly there is nothing to do: nobody else has to wait for that.
  const isIdle = oldOf(await loadActionNames(store)).length === 0 &&
    (await lostAnswers(store)).length === 0;
  if (isIdle) return 0;
  return await withLock(store, "gc of actions", async () => {
    return await removeAll(store, oldOf(await loadActionNames(store)));
  });
}

/**
 * Removes all that are older than `seconds`, and answers that have no action.
 *
 * @returns How many actions were removed.
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

function lostAnswers(store: Store): Promise<string[]> {
  return findLostAnswers(store, Date.now() - ACTION_FOLLOWS_MS);
}

/** Removes actions with their answers, and answers that have no action. */
async function removeAll(store: Store, names: readonly string[]): Promise<number> {
  const waiting = [...names, ...await lostAnswers(store)];
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
