/**
 * Actions and their answers in the store.
 *
 *     dashboard                                         proxy
 *     create ActionResponse/<seq>  ── the number ──┐
 *     create actions/<seq>  ───────────────────────┴──► sees it, applies it
 *     waits for every receiver  ◄────────────────────── create ActionResponse/<seq>/<proxy_id>
 *
 * @module
 */

import { NodeExistsError } from "../coordinator/errors.ts";
import { nameOf } from "../coordinator/path.ts";
import type { Watch } from "../coordinator/watch.ts";
import { type ActionRecord, decodeAction, encodeAction } from "../model/action.ts";
import { encodeProxy, type ProxyRecord } from "../model/proxy.ts";
import { compareSequence, sortSequence } from "./sequence.ts";
import {
  childrenIfThere,
  createIfMissing,
  deleteIfThere,
  LEAF,
  readIfThere,
  type Store,
  StoreError,
  withPaths,
} from "./store.ts";

/** The names of every action, oldest first; a name is never re-spelled. */
export async function loadActionNames(store: Store): Promise<string[]> {
  return sortSequence(await childrenIfThere(store, store.paths.actions));
}

/** Watches the names of every action, in no order. */
export function watchActionNames(store: Store): Watch<readonly string[]> {
  return store.coordinator.watchChildren(store.paths.actions);
}

/**
 * Reads an action.
 *
 * @throws {StoreError} When it is not there.
 * @throws {RecordError} When it is there and not an action.
 */
export async function loadAction(store: Store, name: string): Promise<ActionRecord> {
  const json = await loadActionText(store, name);
  if (json === undefined) throw new StoreError(`action ${name} is not found`);
  return decodeAction(json);
}

/** Reads an action as it is stored; `undefined` when it is not there. */
export function loadActionText(store: Store, name: string): Promise<string | undefined> {
  return readIfThere(store, store.paths.action(name));
}

/**
 * Stores an action, where every proxy sees it, under a number above all that are there: a lower one would be
 * taken for an older action. The coordinator counts anew when `ActionResponse` was removed.
 *
 * @returns Its name.
 */
export async function createAction(store: Store, action: ActionRecord): Promise<string> {
  const json = encodeAction(action);
  const { paths, coordinator } = store;
  // The folder for answers comes first: a proxy that sees the action must be able to answer it.
  const [response, names] = await Promise.all([
    createNumbered(store, json),
    loadActionNames(store),
  ]);
  const newest = names.at(-1);
  let name = response === undefined ? "" : nameOf(response);
  const isTaken = response === undefined;
  if (isTaken || (newest !== undefined && compareSequence(name, newest) <= 0)) {
    if (!isTaken) await deleteIfThere(store, response);
    name = await createAbove(store, newest, json);
  }
  await coordinator.create(paths.action(name), json, "persistent", LEAF);
  return name;
}

/** Makes the folder for answers with the coordinator's next number; nothing when somebody has taken that one. */
async function createNumbered(
  { coordinator, paths }: Store,
  json: string,
): Promise<string | undefined> {
  try {
    return await coordinator.create(`${paths.responses}/`, json, "sequential");
  } catch (error) {
    if (error instanceof NodeExistsError) return undefined;
    throw error;
  }
}

/** Makes the folder for answers with the first number above an action and all answers; returns its name. */
async function createAbove(
  store: Store,
  action: string | undefined,
  json: string,
): Promise<string> {
  const { coordinator, paths } = store;
  const taken = [...await childrenIfThere(store, paths.responses), action ?? ""];
  const newest = sortSequence(taken).at(-1) ?? "";
  for (let number = BigInt(newest) + 1n;; number++) {
    const name = `${number}`.padStart(newest.length, "0");
    try {
      await coordinator.create(paths.response(name), json);
      return name;
    } catch (error) {
      if (!(error instanceof NodeExistsError)) throw error;
    }
  }
}

/**
 * Those of some actions that a proxy has not answered, and that are for it.
 *
 * @param isFor Whether an action is for it.
 */
export async function findUnanswered(
  store: Store,
  names: readonly string[],
  proxyId: string,
  isFor: (action: ActionRecord) => boolean,
): Promise<string[]> {
  const isOpen = await withPaths(names, async (name) => {
    const json = await loadActionText(store, name);
    if (json === undefined || !isForProxy(json, isFor)) return false;
    return await readIfThere(store, store.paths.answer(name, proxyId)) === undefined;
  });
  return names.filter((_, i) => isOpen[i]);
}

function isForProxy(json: string, isFor: (action: ActionRecord) => boolean): boolean {
  try {
    return isFor(decodeAction(json));
  } catch {
    return false;
  }
}

/** Deletes an action and its answers. */
export async function deleteAction(store: Store, name: string): Promise<void> {
  await store.coordinator.deleteTree(store.paths.action(name));
  await store.coordinator.deleteTree(store.paths.response(name));
}

/**
 * The folders for answers that have no action: the process that made one died before it stored the action,
 * or while it deleted both. A new folder may be about to get its action.
 *
 * @param beforeMs When it must have been made, in milliseconds since 1970.
 * @returns Their names.
 */
export async function findLostAnswers(store: Store, beforeMs: number): Promise<string[]> {
  const { paths } = store;
  const responses = await childrenIfThere(store, paths.responses);
  const actions = new Set(await childrenIfThere(store, paths.actions));
  const lost: string[] = [];
  for (const name of responses) {
    if (actions.has(name)) continue;
    const json = await readIfThere(store, paths.response(name));
    if (json !== undefined && madeMs(json) < beforeMs) lost.push(name);
  }
  return lost;
}

/** When an action was made; what cannot be read is as old as can be. */
function madeMs(json: string): number {
  try {
    return Number(decodeAction(json).ts) * 1000 || 0;
  } catch {
    return 0;
  }
}

/** The ids of the proxies that have answered an action. */
export function loadAnswers(store: Store, name: string): Promise<string[]> {
  return childrenIfThere(store, store.paths.response(name));
}

/** Answers an action; a second answer changes nothing. */
export async function answerAction(store: Store, name: string, proxy: ProxyRecord): Promise<void> {
  const path = store.paths.answer(name, proxy.id);
  await createIfMissing(store, path, encodeProxy(proxy), LEAF);
}
