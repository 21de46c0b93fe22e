/**
 * Proxies in the store.
 *
 * @module
 */

import { BadVersionError, NoNodeError } from "../coordinator/errors.ts";
import type { Watch } from "../coordinator/watch.ts";
import type { Entry } from "../coordinator/coordinator.ts";
import {
  decodeProxy,
  encodeProxy,
  isSameLife,
  PROXY_STATES,
  type ProxyRecord,
  type ProxyState,
} from "../model/proxy.ts";
import { SLOT_COUNT } from "../hash/slot_id.ts";
import { checkIsHere } from "./moves.ts";
import { checkSlotsServable, loadSlots } from "./slots.ts";
import {
  childrenIfThere,
  deleteIfThere,
  type ReadableStore,
  readIfThere,
  type Store,
  StoreError,
} from "./store.ts";
import { decodeAt, type OnUnreadable } from "./unreadable.ts";

/**
 * Registers a proxy for as long as this session with the coordinator lasts.
 *
 * @throws {NodeExistsError} When a proxy of that id is registered.
 */
export async function createProxy(store: Store, proxy: ProxyRecord): Promise<void> {
  await store.coordinator.create(store.paths.proxy(proxy.id), encodeProxy(proxy), "ephemeral");
}

/** Reads a proxy; `undefined` when none of that id is registered. */
export async function loadProxy(
  store: ReadableStore,
  proxyId: string,
): Promise<ProxyRecord | undefined> {
  const json = await readIfThere(store, store.paths.proxy(proxyId));
  return json === undefined ? undefined : decodeProxy(json);
}

/**
 * Reads every registered proxy, by id.
 *
 * @param onBad Takes those that cannot be read, which are left out: their fences have no proxy then.
 * @throws {RecordError} When one cannot be read and there is no `onBad`.
 */
export async function loadProxies(
  store: ReadableStore,
  onBad?: OnUnreadable,
): Promise<ProxyRecord[]> {
  const proxies: ProxyRecord[] = [];
  for (const id of await childrenIfThere(store, store.paths.proxies)) {
    const path = store.paths.proxy(id);
    const json = await readIfThere(store, path);
    if (json === undefined) continue;
    const proxy = decodeAt(path, () => decodeProxy(json), onBad);
    if (proxy !== undefined) proxies.push(proxy);
  }
  return proxies;
}

/** No proxy of this name is registered; a proxy that is started again is not for a moment. */
export class NotRegisteredError extends StoreError {
  constructor(proxyId: string) {
    // The beginning is Codis 2.0's text.
    super(`proxy ${proxyId} is not found: it is not registered, or is just being started again`);
  }
}

/** Ends a proxy's registration. */
export async function deleteProxy(store: Store, proxyId: string): Promise<void> {
  await deleteIfThere(store, store.paths.proxy(proxyId));
}

/**
 * Ends the registration of a proxy whose process is gone, before its session has ended.
 *
 * @param entry What is registered, as it was seen: anything newer stays.
 */
export async function deleteProxyOfGone(
  store: Store,
  proxyId: string,
  entry: Entry,
): Promise<void> {
  try {
    await store.coordinator.delete(store.paths.proxy(proxyId), entry.version);
  } catch (error) {
    if (!(error instanceof NoNodeError || error instanceof BadVersionError)) throw error;
  }
}

/** Watches the ids of all that are registered. */
export function watchProxyIds(store: Store): Watch<readonly string[]> {
  return store.coordinator.watchChildren(store.paths.proxies);
}

/** Watches what is registered under an id, as text; `undefined` while nothing is. */
export function watchProxy(store: Store, proxyId: string): Watch<Entry | undefined> {
  return store.coordinator.watchData(store.paths.proxy(proxyId));
}

/**
 * Writes a proxy's state, all else as it is.
 *
 * @throws {NotRegisteredError} When no such proxy is registered.
 * @throws {StoreError} When the state is not one, or it is `online` and a slot cannot be served.
 */
export async function changeProxyState(
  store: Store,
  proxyId: string,
  state: ProxyState,
): Promise<void> {
  await changeProxy(store, proxyId, async (proxy) => {
    if (!PROXY_STATES.includes(state)) {
      // Codis 2.0 text, byte for byte.
      throw new StoreError(`unknown status, should be (online offline), ${state}`);
    }
    if (state === "online") {
      await checkEverySlot(store);
      await checkIsHere(store);
    }
    return { ...proxy, state };
  });
}

/** Writes whose end proves a proxy's, if one of its life is registered. */
export function changeProxyLife(store: Store, proxy: ProxyRecord): Promise<void> {
  return changeOwnProxy(store, proxy, { description: proxy.description });
}

/** The same, and the registration lasts as long as this session with the coordinator from now on. */
export function adoptProxy(store: Store, proxy: ProxyRecord): Promise<void> {
  return changeOwnProxy(store, proxy, { description: proxy.description }, "adopt");
}

/** Writes that a proxy lets its clients go, if one of its life is registered. */
export function drainProxy(store: Store, proxy: ProxyRecord): Promise<void> {
  return changeOwnProxy(store, proxy, { draining: true });
}

async function changeOwnProxy(
  store: Store,
  proxy: ProxyRecord,
  words: Partial<ProxyRecord>,
  verb: "write" | "adopt" = "write",
): Promise<void> {
  const { id } = proxy;
  try {
    await changeProxy(store, id, (now) => {
      if (!isSameLife(now, proxy)) throw new StoreError(`proxy ${id} is another process`);
      return { ...now, ...words };
    }, verb);
  } catch (error) {
    if (!(error instanceof NoNodeError || error instanceof StoreError)) throw error;
  }
}

async function changeProxy(
  store: Store,
  proxyId: string,
  change: (proxy: ProxyRecord) => ProxyRecord | Promise<ProxyRecord>,
  verb: "write" | "adopt" = "write",
): Promise<void> {
  for (;;) {
    const entry = await readProxyEntry(store, proxyId);
    const changed = encodeProxy(await change(decodeProxy(entry.data)));
    try {
      await store.coordinator[verb](store.paths.proxy(proxyId), changed, entry.version);
      return;
    } catch (error) {
      // It was written, or has gone, since we read it, perhaps by the proxy itself: read it again.
      if (!(error instanceof BadVersionError || error instanceof NoNodeError)) throw error;
    }
  }
}

async function readProxyEntry(store: Store, proxyId: string): Promise<Entry> {
  try {
    return await store.coordinator.read(store.paths.proxy(proxyId));
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
    throw new NotRegisteredError(proxyId);
  }
}

async function checkEverySlot(store: Store): Promise<void> {
  const slots = await loadSlots(store);
  if (slots.length < SLOT_COUNT) {
    throw new StoreError(`only ${slots.length} of ${SLOT_COUNT} slots are initialized`);
  }
  checkSlotsServable(slots);
}
