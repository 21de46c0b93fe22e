/**
 * Fences in the store: the addresses at which a proxy may be serving.
 *
 *     register ──► fence/<addr> ──► clean stop removes it
 *                       └──► a crash leaves it: nothing may change until that address is online again,
 *                            or an operator removes the fence
 *
 * @module
 */

import type { ProxyRecord } from "../model/proxy.ts";
import {
  childrenIfThere,
  createIfMissing,
  deleteIfThere,
  LEAF,
  type Store,
  StoreError,
} from "./store.ts";

/** The addresses that are fenced. */
export function loadFences(store: Store): Promise<string[]> {
  return childrenIfThere(store, store.paths.fences);
}

/** Fences an address; one that is fenced already stays so. */
export async function createFence(store: Store, addr: string): Promise<void> {
  await createIfMissing(store, store.paths.fence(addr), "", LEAF);
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
 * Checks that every proxy that may be serving can be told of a change.
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
