/**
 * Operations on the actions that were sent: reads them for the page, and removes old ones.
 *
 * @module
 */

import type { ActionView } from "../api/cluster_view.ts";
import { logger } from "../base/log.ts";
import { repeat } from "../base/repeat.ts";
import { NoNodeError } from "../coordinator/errors.ts";
import type { ActionRecord } from "../model/action.ts";
import { decodeProxy } from "../model/proxy.ts";
import { RecordError } from "../model/record.ts";
import {
  deleteAction,
  findLostAnswers,
  loadAction,
  loadActionNames,
  loadAnswers,
} from "../store/actions.ts";
import { withLock } from "../store/lock.ts";
import { logFailure, type Store, StoreError } from "../store/store.ts";

/** Codis 2.0 always keeps this many more actions than its command asks for. */
const KEPT_BESIDES = 500;
/** Time between two clean-ups, in milliseconds. */
const CLEAN_UP_MS = 60_000;
/** Actions removed at once. */
const PARALLEL_MAX = 16;
/** Longest time between creating the folder for answers and storing the action, in milliseconds. */
const ACTION_FOLLOWS_MS = 10_000;

const log = logger("dashboard");

/**
 * The newest actions, newest first.
 *
 * @param afterMs How long after an action each proxy confirmed it, in milliseconds, by proxy.
 */
export async function actionViews(
  store: Store,
  afterMs: (action: string) => ReadonlyMap<string, number>,
  count: number,
): Promise<ActionView[]> {
  const names = (await loadActionNames(store)).slice(-count).reverse();
  const views = await Promise.all(names.map(async (name) => {
    try {
      const [action, answers] = await Promise.all([
        loadAction(store, name),
        loadAnswers(store, name),
      ]);
      return [actionView(name, action, answers, afterMs(name))];
    } catch (error) {
      // It was removed while we read, or it is not a valid action.
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
  // Mostly there is nothing to do: then the lock is not taken.
  const isIdle = oldOf(await loadActionNames(store)).length === 0 &&
    (await lostAnswers(store)).length === 0;
  if (isIdle) return 0;
  return await withLock(store, "gc of actions", async () => {
    return await removeAll(store, oldOf(await loadActionNames(store)));
  });
}

/**
 * Removes all but the newest actions every minute, as {@linkcode removeOldActions}.
 *
 * @returns A function that ends it.
 */
export function keepNewestActions(store: Store, keep: number): () => void {
  return repeat(CLEAN_UP_MS, async () => {
    try {
      await removeOldActions(store, keep);
    } catch (error) {
      logFailure(store, log, "old actions were not removed", error);
    }
  });
}

/**
 * Removes all that are older than `seconds`, but the newest, and answers that have no action. The newest says
 * how far actions are numbered: proxies that do not find it take the store for an older copy.
 *
 * @returns How many actions were removed.
 */
export async function removeActionsBefore(store: Store, seconds: number): Promise<number> {
  return await withLock(store, "gc of actions", async () => {
    const oldest = Date.now() / 1000 - seconds;
    const old: string[] = [];
    for (const name of (await loadActionNames(store)).slice(0, -1)) {
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

function actionView(
  name: string,
  action: ActionRecord,
  answers: readonly string[],
  afterMs: ReadonlyMap<string, number>,
): ActionView {
  return {
    name,
    type: action.type,
    summary: summaryOf(action),
    created_at: Number(action.ts) * 1000,
    receivers: (action.receivers ?? []).map(idOf),
    answers: answers.map((proxy_id) => ({ proxy_id, after_ms: afterMs.get(proxy_id) ?? null })),
  };
}

/** The status of the slots of an action that joins many, by its `desc`. */
const STATUS_OF: Readonly<Record<string, string>> = {
  slot_premigrate: "pre_migrate",
  slot_migrate: "migrate",
};

function idOf(receiver: string): string {
  try {
    return decodeProxy(receiver).id;
  } catch {
    return receiver; // Codis 2.0 takes a bare id as well
  }
}

function summaryOf(action: ActionRecord): string {
  switch (action.type) {
    case "slot_changed":
    case "slot_premigrate":
    case "slot_migrate": {
      const { id, group_id, state } = action.target;
      const from = state.status === "migrate" ? ` from group ${state.migrate_status.from}` : "";
      return `slot ${id}: group ${group_id}, ${state.status}${from}`;
    }
    case "multi_slot_changed": {
      const { from, to, group_id, status } = action.target;
      return `slots ${from} to ${to}: group ${group_id}, ${STATUS_OF[action.desc] ?? status}`;
    }
    case "group_changed": {
      const { id, servers } = action.target;
      const master = servers?.find(({ type }) => type === "master")?.addr ?? "none";
      return `group ${id}: master ${master}`;
    }
    case "group_remove":
      return `group ${action.target.id} removed`;
    case "slot_rules":
      return action.target.pending === null
        ? `slot rules: ${action.target.rules?.length ?? 0} in force`
        : "slot rules are about to change: requests wait";
    case "redis_users":
      return `Redis users changed: ${action.target.names?.join(", ") ?? ""}`;
  }
}
