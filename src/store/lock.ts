/**
 * The lock of a product: one process at a time changes groups and slots.
 *
 * @module
 */

import type { HeldLock } from "../coordinator/coordinator.ts";
import { LockTimeoutError } from "../coordinator/errors.ts";
import { encodeLockOwner } from "../model/lock_owner.ts";
import { childrenIfThere, type Store, StoreError } from "./store.ts";

/** How long the lock is waited for, in milliseconds; Codis 2.0 does not wait at all. */
const WAIT_MS = 3_000;

/**
 * Does something under the lock. When it is not free within a few seconds this fails, as in Codis 2.0: the
 * process that has it may have died with it.
 *
 * @param desc What it is taken for, for operators who find it.
 * @throws {StoreError} When another process has it.
 */
export async function withLock<T>(store: Store, desc: string, body: () => Promise<T>): Promise<T> {
  const held = await takeLock(store, desc);
  try {
    return await body();
  } finally {
    await held.release();
  }
}

/** Removes the lock of every process that has it or waits for it; after a Codis 2.0 dashboard crashed. */
export async function removeLocks(store: Store): Promise<void> {
  for (const name of await childrenIfThere(store, store.paths.lock)) {
    await store.coordinator.deleteTree(`${store.paths.lock}/${name}`);
  }
}

async function takeLock(store: Store, desc: string): Promise<HeldLock> {
  const data = encodeLockOwner({ desc, hostname: Deno.hostname(), pid: Deno.pid });
  try {
    return await store.coordinator.lock(store.paths.lock, { data, waitMs: WAIT_MS });
  } catch (error) {
    if (!(error instanceof LockTimeoutError)) throw error;
    // Codis 2.0 text, byte for byte.
    throw new StoreError("zkutil: obtaining lock timed out", { cause: error });
  }
}
