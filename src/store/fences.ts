/**
 * Fences in the store: the addresses at which a proxy may be serving.
 *
 *     set online ──► fence/<addr> ──► clean stop removes it
 *                         └──► a crash leaves it: nothing may change until that address is online again,
 *                              its process is known to be gone, or an operator removes the fence
 *
 * An entry holds the life (`base/process_life.ts`) of the process that made it, and whether that one steps
 * back when it is cut off (`failover_rule.ts`); those of Codis 2.0 are empty.
 *
 * @module
 */

import { BadVersionError, NoNodeError } from "../coordinator/errors.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { decodeFenceNote } from "./failover_rule.ts";
import {
  childrenIfThere,
  createIfMissing,
  deleteIfThere,
  LEAF,
  readIfThere,
  type Store,
  StoreError,
} from "./store.ts";

/** The addresses that are fenced. */
export function loadFences(store: Store): Promise<string[]> {
  return childrenIfThere(store, store.paths.fences);
}

/**
 * Fences an address; one that is fenced already stays so.
 *
 * @param note The life of the process that may be serving there, and what else `failover_rule.ts` puts there.
 * @returns Whether it was not fenced before.
 */
export async function createFence(store: Store, addr: string, note = ""): Promise<boolean> {
  return await createIfMissing(store, store.paths.fence(addr), note, LEAF);
}

/** What the fence of each address says. */
export async function loadFenceNotes(store: Store): Promise<Map<string, string>> {
  const addrs = await loadFences(store);
  const notes = await Promise.all(addrs.map((addr) => readIfThere(store, store.paths.fence(addr))));
  return new Map(addrs.flatMap((addr, i) => notes[i] === undefined ? [] : [[addr, notes[i]]]));
}

/**
 * Removes the fence of an address if the process that made it serves no client.
 *
 * @param isIdle Whether that is known of a life.
 * @returns Whether it was removed.
 */
export async function deleteFenceOf(
  store: Store,
  addr: string,
  isIdle: (life: string) => boolean,
): Promise<boolean> {
  try {
    const { data, version } = await store.coordinator.read(store.paths.fence(addr));
    if (!isIdle(decodeFenceNote(data).life)) return false;
    await store.coordinator.delete(store.paths.fence(addr), version);
    return true;
  } catch (error) {
    if (error instanceof NoNodeError || error instanceof BadVersionError) return false;
    throw error;
  }
}

/** Removes the fence of an address. */
export async function deleteFence(store: Store, addr: string): Promise<void> {
  await deleteIfThere(store, store.paths.fence(addr));
}

/** The fenced addresses at which no online proxy is. */
export function deadFences(fences: readonly string[], proxies: readonly ProxyRecord[]): string[] {
  const online = new Set(proxies.filter((p) => p.state === "online").map((p) => p.addr));
  return fences.filter((addr) => !online.has(addr));
}

/**
 * Checks that every proxy that may be serving can get a change.
 *
 * @throws {StoreError} When one cannot; the message names their addresses.
 */
export function checkFences(fences: readonly string[], proxies: readonly ProxyRecord[]): void {
  const dead = deadFences(fences, proxies);
  if (dead.length === 0) return;
  // Codis 2.0 text, byte for byte.
  throw new StoreError(
    `Some proxies may not stop cleanly:${dead.map((addr) => ` ${addr}`).join("")}`,
  );
}
