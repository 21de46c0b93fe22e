/**
 * The lock of every coordinator: a queue of numbered entries, the first of which has it.
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { logger } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import type { Coordinator, HeldLock, LockOptions } from "./coordinator.ts";
import { ConnectionLossError, LockTimeoutError, NoNodeError } from "./errors.ts";
import { nameOf } from "./path.ts";

/** What a waiter's name begins with; Codis 2.0's own, so that its dashboard queues with us. */
const PREFIX = "lock-";

/** Waits between two tries to leave a queue that cannot be reached. */
const RETRY = { firstMs: 100, maxMs: 2_000 };

const log = logger("coordinator");

/**
 * Queues for the lock at `path`, and leaves the queue when it does not come in time.
 *
 * @throws {LockTimeoutError} When the lock is not ours within `options.waitMs`.
 */
export async function takeQueueLock(
  coordinator: Coordinator,
  path: string,
  options: LockOptions,
): Promise<HeldLock> {
  const own = await coordinator.create(`${path}/${PREFIX}`, options.data, "ephemeral_sequential");
  try {
    await waitUntilFirst(coordinator, path, own, options.waitMs);
  } catch (error) {
    await leaveQueue(coordinator, own);
    throw error;
  }
  return { path: own, release: () => leaveQueue(coordinator, own) };
}

async function waitUntilFirst(
  coordinator: Coordinator,
  path: string,
  own: string,
  waitMs: number,
): Promise<void> {
  const queue = coordinator.watchChildren(path);
  // Closing the watch ends the loop below: time is up.
  const timer = waitMs > 0 ? setTimeout(() => queue.close(), waitMs) : undefined;
  try {
    let first = "another one";
    for await (const names of queue) {
      first = names[0] ?? first;
      if (first === nameOf(own)) return;
      if (!names.includes(nameOf(own))) {
        throw new LockTimeoutError(path, `cannot lock "${path}": "${own}" was removed`);
      }
      if (waitMs === 0) break;
    }
    throw new LockTimeoutError(
      path,
      `cannot lock "${path}" within ${waitMs} ms: "${first}" has it`,
    );
  } finally {
    clearTimeout(timer);
    queue.close();
  }
}

/** Leaves at once, or as soon as the coordinator can be reached; else no other ever gets the lock. */
async function leaveQueue(coordinator: Coordinator, own: string): Promise<void> {
  try {
    await leaveOnce(coordinator, own);
  } catch (error) {
    if (!(error instanceof ConnectionLossError)) throw error;
    log.warn("lock {own} not released, trying again: {error}", { own, error });
    leaveLater(coordinator, own);
  }
}

async function leaveLater(coordinator: Coordinator, own: string): Promise<void> {
  const backoff = new Backoff(RETRY);
  for (;;) {
    await changeOfState(coordinator, backoff.nextMs());
    // A session that has ended took the entry with it.
    if (coordinator.state === "closed" || coordinator.state === "expired") return;
    if (coordinator.state !== "connected") continue;
    try {
      return await leaveOnce(coordinator, own);
    } catch (error) {
      log.debug("lock {own} not released, trying again: {error}", { own, error });
    }
  }
}

async function leaveOnce(coordinator: Coordinator, own: string): Promise<void> {
  try {
    await coordinator.delete(own);
  } catch (error) {
    // The lock was removed by force: it is not ours either way.
    if (!(error instanceof NoNodeError)) throw error;
  }
}

/** Waits until the coordinator changes its state, but no longer than `ms`. */
function changeOfState(coordinator: Coordinator, ms: number): Promise<void> {
  const changed = new AbortController();
  const stop = coordinator.onState(() => changed.abort());
  return sleep(ms, changed.signal).finally(stop);
}
