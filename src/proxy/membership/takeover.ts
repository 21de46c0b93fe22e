/**
 * How a proxy takes its id over from an earlier process of the same id.
 *
 *     entry of the earlier process ─┬─ ends with its session ───────────────────► free: register
 *                                   ├─ process surely gone: its entry is removed ─► free: register
 *                                   └─ still there after takeoverMs ─► StoreError
 *
 * @module
 */

import { logger } from "../../base/log.ts";
import { forgetLife, isSurelyGone } from "../../base/process_life.ts";
import { sleep } from "../../base/sleep.ts";
import type { Timers } from "../../base/timers.ts";
import type { Entry } from "../../coordinator/coordinator.ts";
import { decodeProxy } from "../../model/proxy.ts";
import { deleteFenceOf } from "../../store/fences.ts";
import { deleteProxyOfGone } from "../../store/proxies.ts";
import { StoreError } from "../../store/store.ts";
import type { OwnEntry } from "./own_entry.ts";

/** Time between two checks whether an earlier process is gone, in milliseconds. */
const GONE_CHECK_MS = 100;

const log = logger("proxy");

/** How an id is taken over. */
export interface TakeoverOptions {
  /** How long the earlier process may take to leave, in milliseconds. */
  readonly takeoverMs: number;
  /** Gives up. */
  readonly signal: AbortSignal;
  readonly timers: Timers;
  /** Registers the proxy: its id is free. */
  register(): Promise<void>;
}

/**
 * Waits until the id is free, removes the fence that a dead process has left at our address, and registers.
 * Does nothing more when it is given up.
 *
 * @throws {StoreError} When another proxy has the id, and keeps it for `takeoverMs`.
 * @throws {CoordinatorError} When the coordinator cannot be reached.
 */
export async function takeOver(own: OwnEntry, options: TakeoverOptions): Promise<void> {
  const { signal, timers } = options;
  const gone = new Set<string>();
  const watch = own.watch();
  const close = () => watch.close();
  const cancel = timers.after(options.takeoverMs, close);
  signal.addEventListener("abort", close);
  let holder: Entry | undefined;
  let checking = new AbortController();
  try {
    for await (holder of watch) {
      checking.abort();
      if (holder === undefined) return await takePlace(own, gone, options.register);
      checking = new AbortController();
      log.info("waiting for the earlier {id} to end: {data}", {
        id: own.record.id,
        data: holder.data,
      });
      removeGone(own, holder, gone, AbortSignal.any([checking.signal, signal]), timers);
    }
  } finally {
    checking.abort();
    cancel();
    signal.removeEventListener("abort", close);
    close();
  }
  if (!signal.aborted) {
    throw new StoreError(`proxy_id "${own.record.id}" is taken: ${holder?.data}`);
  }
}

async function takePlace(
  own: OwnEntry,
  gone: Set<string>,
  register: () => Promise<void>,
): Promise<void> {
  const { addr } = own.record;
  const isGone = (life: string) => isSurelyGone(life) && gone.add(life).size > 0;
  if (await deleteFenceOf(own.store, addr, isGone)) {
    log.info("removed the fence of {addr}: its process is gone", { addr });
  }
  await register();
  for (const life of gone) forgetLife(life);
}

/** Removes the entry of an earlier process as soon as that process is surely gone. */
async function removeGone(
  own: OwnEntry,
  holder: Entry,
  gone: Set<string>,
  signal: AbortSignal,
  timers: Timers,
): Promise<void> {
  const life = lifeIn(holder.data);
  const { id } = own.record;
  while (!signal.aborted) {
    try {
      if (isSurelyGone(life)) {
        log.info("the process of the earlier {id} is gone: removing its entry", { id });
        gone.add(life);
        return await deleteProxyOfGone(own.store, id, holder);
      }
    } catch (error) {
      log.debug("entry of the earlier {id} not removed: {error}", { id, error });
    }
    await sleep(GONE_CHECK_MS, signal, timers);
  }
}

/** The life in a proxy's entry; empty when there is none. */
function lifeIn(json: string): string {
  try {
    return decodeProxy(json).description;
  } catch {
    return "";
  }
}
