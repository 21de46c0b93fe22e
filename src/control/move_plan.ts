/**
 * Whether a product can move to another coordinator now, and who goes over with it.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { helpFor } from "../api/dashboard_errors.ts";
import { isOnThisMachine } from "../base/process_life.ts";
import { decodeDashboard } from "../model/dashboard.ts";
import type { ProductMove, StoreAddress } from "../model/product_move.ts";
import type { ProxyRecord } from "../model/proxy.ts";
import { durableEntries } from "../store/dump.ts";
import { isEmptyStore } from "../store/etcd2.ts";
import { checkFences, loadFences } from "../store/fences.ts";
import { describeMove, isSameStore, loadMove, storeText } from "../store/moves.ts";
import { loadProxies } from "../store/proxies.ts";
import { checkUnused } from "../store/restore.ts";
import { readIfThere, type Store, StoreError } from "../store/store.ts";
import { FOREIGN_MS } from "./leadership.ts";
import { askProxy, causeOfFetch, type ProxyAnswer } from "./proxies.ts";

/** How often a dashboard is looked at that may be taking the lead, in milliseconds. */
const LOOK_MS = 50;

/** From where a product goes to where. */
export interface ProductMoveOptions {
  readonly source: Store;
  readonly from: StoreAddress;
  readonly target: Store;
  readonly to: StoreAddress;
  /** Says what is being done. */
  readonly tell: (text: string) => void;
  /** Asks a proxy for its stats. @default over HTTP */
  readonly ask?: (proxy: ProxyRecord) => Promise<ProxyAnswer>;
  /** How long processes may take to go over, in milliseconds. @default 30000 */
  readonly followMs?: number;
}

/** What is to be done. */
export interface ProductMovePlan {
  /** `new`: nothing has been done. `begun`: it was interrupted after the product had moved: it only goes on. */
  readonly stage: "new" | "begun";
  readonly entries: number;
  readonly proxies: readonly ProxyRecord[];
  /** Where the dashboard that leads is; empty: none does. */
  readonly dashboard: string;
}

/**
 * Finds out whether a product can go to another store now.
 *
 * @throws {StoreError} When it cannot; the message says why, and what to do.
 * @throws {CoordinatorError} When one of the two cannot be asked.
 */
export async function planMove(options: ProductMoveOptions): Promise<ProductMovePlan> {
  const { source, from, target, to } = options;
  if (isSameStore(from, to)) throw new StoreError(`both configs name ${storeText(from)}`);
  const [gone, there] = [await loadMove(source), await loadMove(target)];
  const entries = (await durableEntries(source)).size;
  const proxies = await loadProxies(source);
  const led = gone === undefined ? source : target;
  const dashboard = await readIfThere(led, led.paths.dashboard);
  const about = { entries, proxies, dashboard: dashboard ? decodeDashboard(dashboard).addr : "" };
  if (gone !== undefined) {
    if (gone.kind === "arriving" || !isSameStore(gone, to)) {
      throw new StoreError(describeMove(source.product, gone));
    }
    if (there?.kind === "moved") throw new StoreError(describeMove(target.product, there));
    if (await isEmptyStore(target)) {
      throw new StoreError(
        `product ${target.product} has moved to ${
          storeText(to)
        }, which has neither groups nor slots: is it the ` +
          "right server?",
      );
    }
    return { stage: "begun", ...about };
  }
  if (await isEmptyStore(source)) {
    throw new StoreError(`nothing is stored for product ${source.product} in ${storeText(from)}`);
  }
  await checkFollowers(options, proxies);
  await checkTarget(options, there);
  return { stage: "new", ...about };
}

/** @throws {StoreError} When somebody who works with the source would not go over. */
async function checkFollowers(options: ProductMoveOptions, proxies: readonly ProxyRecord[]) {
  const { source, to, ask = askProxy } = options;
  try {
    checkFences(await loadFences(source), proxies);
  } catch (error) {
    const { message } = error as Error;
    throw new StoreError(`${message}${helpFor(message)}`);
  }
  const dashboard = await foreignDashboard(source);
  if (dashboard !== undefined) {
    throw new StoreError(`a dashboard of Codis 2.0 works with it: ${dashboard}: stop that first`);
  }
  await Promise.all(proxies.map(async (proxy) => {
    let answer: ProxyAnswer;
    try {
      answer = await ask(proxy);
    } catch (error) {
      const cause = causeOfFetch(error);
      throw new StoreError(
        `proxy ${proxy.id} does not answer on ${proxy.debug_var_addr}: ${cause}`,
      );
    }
    if (answer.kind !== "ours" || answer.stats.follows_moves !== true) {
      throw new StoreError(
        `proxy ${proxy.id} is another program, or an older one, and would not follow: stop it, or replace it`,
      );
    }
    if (to.coordinator === "embedded" && !isOnThisMachine(proxy.description)) {
      throw new StoreError(
        `proxy ${proxy.id} is not surely on this machine, where the files of the embedded coordinator are, or a new ` +
          "process takes over from it at this moment",
      );
    }
  }));
}

/** The entry of a dashboard of Codis 2.0 that works with a store, if there is one. */
async function foreignDashboard(store: Store): Promise<string | undefined> {
  const { paths } = store;
  const endMs = performance.now() + FOREIGN_MS;
  for (;;) {
    const dashboard = await readIfThere(store, paths.dashboard);
    if (dashboard === undefined) return undefined;
    if (dashboard === await readIfThere(store, paths.dashboardEpoch)) return undefined;
    // One of ours that takes the lead at this moment writes the epoch right after its entry.
    if (performance.now() > endMs) return dashboard;
    await delay(LOOK_MS);
  }
}

/** @throws {StoreError} When the target has something that may be of use to somebody. */
async function checkTarget(
  { target, from, to }: ProductMoveOptions,
  there: ProductMove | undefined,
) {
  const where = storeText(to);
  if (there?.kind === "arriving" && !isSameStore(there, from)) {
    throw new StoreError(describeMove(target.product, there));
  }
  if (there !== undefined) {
    const [proxy] = await loadProxies(target);
    if (proxy === undefined) return;
    throw new StoreError(`proxy ${proxy.id} still works with ${where}: stop it first`);
  }
  await checkUnused(target);
  const entries = await durableEntries(target);
  const path = [...entries].find(([, data]) => data !== "")?.[0];
  if (path === undefined && await isEmptyStore(target)) return;
  throw new StoreError(
    `${where} has a product ${target.product} already (${
      path ?? "groups"
    }): a product can only go where there ` +
      "is none of its name",
  );
}
