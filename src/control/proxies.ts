/**
 * Operations on proxies: online and offline, their fences, and what they answer over HTTP.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import type { Secret } from "../base/secret.ts";
import { productFetch, refusedCertificate } from "../api/product_http.ts";
import {
  decodeCodis2Vars,
  decodeSighting,
  decodeStats,
  type ProxyStats,
} from "../api/proxy_stats.ts";
import { parseAddress } from "../base/address.ts";
import { SYSTEM_TIMERS, type Timers } from "../base/timers.ts";
import { dial } from "../io/dial.ts";
import { decodeProxy, isSameLife, type ProxyRecord, type ProxyState } from "../model/proxy.ts";
import { createFence, deadFences, deleteFence, loadFenceNotes } from "../store/fences.ts";
import { changeProxyState, loadProxies, loadProxy } from "../store/proxies.ts";
import { type Store, StoreError } from "../store/store.ts";
import type { Control } from "./control.ts";

/** Longest time that a proxy may take to answer over HTTP, in milliseconds. */
const ANSWER_MS = 2_000;
/** Longest time that it may take to say how it sees a server, in milliseconds. */
const SIGHTING_MS = 1_000;
/** Longest time that a refused connection may take, in milliseconds. */
const REFUSAL_MS = 300;

/** Longest time that a proxy may take to leave after it was marked offline, in milliseconds. */
export const LEAVE_MS = 15_000;

/** What a proxy answered to `/stats`, or a Codis 2.0 one to `/debug/vars`. */
export type ProxyAnswer =
  | { readonly kind: "ours"; readonly stats: ProxyStats }
  | { readonly kind: "codis2"; readonly ops: number; readonly version: string };

/**
 * Sets a proxy's state, and for `mark_offline` waits until it is gone; one that is not there is.
 *
 * @throws {StoreError} When it is not there, a slot is not fit to be served, or it does not go.
 */
export async function setProxyState(
  control: Control,
  proxyId: string,
  state: ProxyState,
): Promise<void> {
  const { store } = control;
  if (state !== "mark_offline") return await changeProxyState(store, proxyId, state);
  const proxy = await loadProxy(store, proxyId);
  if (proxy !== undefined) await takeOffline(store, proxy);
}

/**
 * Marks a proxy offline, and waits until it is gone or has written `offline` itself.
 *
 * @param leaveMs Longest time to wait, in milliseconds.
 * @throws {StoreError} When it is still there then.
 */
export async function takeOffline(
  store: Store,
  proxy: ProxyRecord,
  leaveMs: number = LEAVE_MS,
  timers: Timers = SYSTEM_TIMERS,
): Promise<void> {
  const now = await loadProxy(store, proxy.id);
  // Another process under this id is none of our business.
  if (now === undefined || !isSameLife(now, proxy)) return;
  await changeProxyState(store, proxy.id, "mark_offline");
  const watch = store.coordinator.watchData(store.paths.proxy(proxy.id));
  const cancel = timers.after(leaveMs, () => watch.close());
  try {
    for await (const entry of watch) {
      const own = entry === undefined ? undefined : decodeProxy(entry.data);
      if (own === undefined || !isSameLife(own, proxy) || own.state === "offline") return;
    }
  } finally {
    cancel();
    watch.close();
  }
  throw new StoreError(
    `proxy ${proxy.id} is marked offline and has not left within ${leaveMs} ms`,
  );
}

/** What the fence of another product's proxy says; no process of ours has that life. */
const OTHERS_NOTE = "a proxy of another product";

async function acceptsConnections(addr: string): Promise<boolean> {
  try {
    await tryToConnect(addr);
    return true;
  } catch {
    return false;
  }
}

async function tryToConnect(addr: string): Promise<void> {
  const { hostname, port } = parseAddress(addr);
  (await dial(hostname, port, REFUSAL_MS)).close();
}

/** Fences an address at which a proxy that does not hear of changes serves the same servers. */
export async function addFence(control: Control, addr: string): Promise<void> {
  if (await createFence(control.store, addr, OTHERS_NOTE)) {
    control.report("warning", `${addr} is fenced: nothing changes until its fence is removed`);
  }
}

/**
 * Removes the fences that no online proxy stands behind; returns their addresses. A record that cannot be read is no
 * proxy's: one of ours that serves writes its own anew, makes its fence again, and reads its table behind it.
 *
 * @throws {StoreError} When a proxy of another product still serves at one of them.
 */
export async function removeDeadFences(control: Control): Promise<string[]> {
  const { store } = control;
  const notes = await loadFenceNotes(store);
  const proxies = await loadProxies(
    store,
    ({ path, reason }) =>
      control.report("warning", `${path} cannot be read, so it holds no fence: ${reason}`),
  );
  const dead = deadFences([...notes.keys()], proxies);
  const others = dead.filter((addr) => notes.get(addr) === OTHERS_NOTE);
  const serving = await Promise.all(others.map(acceptsConnections));
  const alive = others.filter((_, i) => serving[i]);
  if (alive.length > 0) {
    throw new StoreError(
      `${
        alive.join(", ")
      } still accepts connections: a proxy that goes on serving there would not hear of ` +
        "changes, and write to the wrong server; stop it first",
    );
  }
  for (const addr of dead) {
    await deleteFence(store, addr);
    control.report("warning", `fence of ${addr} removed`);
  }
  return dead;
}

/**
 * Whether a proxy's HTTP port refuses connections: its process has ended, or a firewall refuses for it. A paused one still listens, and a machine that cannot be reached does not refuse.
 */
export async function refusesConnections({ debug_var_addr }: ProxyRecord): Promise<boolean> {
  try {
    await tryToConnect(debug_var_addr);
    return false;
  } catch (error) {
    return error instanceof Error && error.cause instanceof Deno.errors.ConnectionRefused;
  }
}

/**
 * Asks a proxy for its stats.
 *
 * @throws {Error} When it does not answer; the message says why.
 */
export async function askProxy(proxy: ProxyRecord): Promise<ProxyAnswer> {
  const response = await get(proxy, "/stats");
  if (response.ok) return { kind: "ours", stats: decodeStats(await response.text()) };
  await response.body?.cancel();
  const { router } = decodeCodis2Vars(await (await get(proxy, "/debug/vars")).text());
  return {
    kind: "codis2",
    ops: router?.ops ?? 0,
    version: router?.build?.version ?? "",
  };
}

/**
 * The answer of a proxy to `/debug/vars`, as it is.
 *
 * @throws {Error} When there is none.
 */
export async function proxyVars(proxy: ProxyRecord): Promise<unknown> {
  return await (await get(proxy, "/debug/vars")).json();
}

/** What a proxy that is late waits for, in words. */
export async function reasonOf(proxy: ProxyRecord): Promise<string> {
  let answer: ProxyAnswer;
  try {
    answer = await askProxy(proxy);
  } catch (error) {
    return `it does not answer on ${proxy.debug_var_addr}: ${causeOfFetch(error)}`;
  }
  if (answer.kind === "codis2") return "a Codis 2.0 proxy does not say why";
  const { draining, stale_seconds } = answer.stats;
  if (draining.length === 0) {
    return stale_seconds > 0
      ? `it has not been online at the coordinator for ${
        Math.round(stale_seconds)
      } s: its log says why`
      : "no request holds it up, and it has not confirmed yet: its log says what it does with the action";
  }
  const shown = draining.slice(0, 3).map(({ slot_id, backend, in_flight }) =>
    `slot ${slot_id} waits for ${countOf(in_flight, "request")} in flight at ${backend}`
  );
  const more = draining.length > 3 ? `, and ${draining.length - 3} more slots` : "";
  return `${shown.join("; ")}${more}`;
}

/**
 * For how long a proxy has not heard from a Redis server, in milliseconds; -1: it does not use it; undefined: it
 * is Codis 2.0's or an older one, and cannot say.
 *
 * @param breakMs From when on it breaks off what is in flight there.
 * @throws {Error} When it does not answer.
 */
export async function askSighting(
  proxy: ProxyRecord,
  addr: string,
  breakMs: number,
): Promise<number | undefined> {
  const path = `/sighting?addr=${encodeURIComponent(addr)}&break_ms=${breakMs}`;
  const response = await get(proxy, path, SIGHTING_MS);
  if (!response.ok) {
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw new Error(`it answers with status ${response.status}`);
  }
  return decodeSighting(await response.text()).silent_ms;
}

/**
 * What a proxy tells only those who may see what its clients have sent, and what is for everybody.
 *
 * @param token What the proxy may want to see.
 * @returns undefined: it is an older one, or Codis 2.0's, and has no such path.
 * @throws {Error} When it does not answer, or does not tell us; the message says why.
 */
export async function askPrivately<T>(
  proxy: ProxyRecord,
  path: string,
  token?: Secret,
): Promise<T | undefined> {
  const headers = token?.isSet ? { authorization: `Bearer ${token.reveal()}` } : {};
  const response = await get(proxy, path, ANSWER_MS, headers);
  if (response.ok) return await response.json() as T;
  const text = (await response.text()).trim();
  if (response.status === 404) return undefined;
  throw new Error(`it answers with status ${response.status}: ${text.slice(0, 200)}`);
}

async function get(
  { debug_var_addr: addr }: ProxyRecord,
  path: string,
  ms = ANSWER_MS,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await productFetch(addr, path, { signal: AbortSignal.timeout(ms), headers });
}

/** Why a fetch failed, without the library's decoration. */
export function causeOfFetch(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  if (error.name === "TimeoutError") return `no answer within ${ANSWER_MS} ms`;
  if (error.cause instanceof Error) return causeOfFetch(error.cause);
  const blocked = /\bport (\d+) (?:is|are) blocked/i.exec(error.message)?.[1];
  if (blocked !== undefined) {
    return `HTTP clients refuse port ${blocked}, as browsers do: have it listen on another port`;
  }
  const fault = refusedCertificate(error.message);
  if (fault !== undefined) return fault;
  const text = error.message.replace(/^error sending request for url \([^)]*\):? ?/, "");
  return /refused/i.test(text) ? "connection refused" : text.replace(/ \(os error \d+\)$/, "");
}
