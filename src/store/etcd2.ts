/**
 * A product that Codis 2.0 keeps in etcd 2's keys, where we read etcd 3's: found, named, and read.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { readEtcd2 } from "../coordinator/open.ts";
import { storePaths } from "./paths.ts";
import { childrenIfThere, type ReadableStore, StoreError } from "./store.ts";

/**
 * Reads what Codis 2.0 keeps of the config's product in etcd 2's keys: groups, slots and proxies.
 *
 * @returns Nothing when there are neither groups nor slots there, or another coordinator is used.
 * @throws {CoordinatorError} When etcd cannot be asked.
 */
export async function loadEtcd2Store(config: Config): Promise<ReadableStore | undefined> {
  const { product } = config;
  const paths = storePaths(product);
  const coordinator = await readEtcd2(config, [paths.servers, paths.slots, paths.proxies]);
  if (coordinator === undefined) return undefined;
  const store = { coordinator, product, paths };
  return await isEmptyStore(store) ? undefined : store;
}

/** Whether a product has neither groups nor slots. */
export async function isEmptyStore(store: ReadableStore): Promise<boolean> {
  const groups = await childrenIfThere(store, store.paths.servers);
  return groups.length === 0 && (await childrenIfThere(store, store.paths.slots)).length === 0;
}

/**
 * The problem of a product that is in etcd 2's keys and not in etcd 3's; undefined in any other case, also
 * when etcd does not answer.
 */
export async function etcd2Problem(
  config: Config,
  coordinator: Coordinator,
): Promise<{ readonly problem: string; readonly fix: string } | undefined> {
  const { product } = config;
  if (config.coordinator !== "etcd") return undefined;
  const store = { coordinator, product, paths: storePaths(product) };
  // A check that fails must not keep the process from starting.
  if (!await isEmptyStore(store).catch(() => false)) return undefined;
  if (await loadEtcd2Store(config).catch(() => undefined) === undefined) return undefined;
  return {
    problem: `the groups and slots of product ${product} are in etcd 2's keys, where Codis 2.0 ` +
      "keeps them; in etcd 3's keys, which are used here, there are none",
    fix: "with a dashboard running, codis-proxy config server import config.ini --slots takes " +
      "them over",
  };
}

/**
 * Keeps a proxy from waiting for slots that are somewhere else.
 *
 * @throws {StoreError} When the product is in etcd 2's keys and not in etcd 3's.
 */
export async function refuseEtcd2(config: Config, coordinator: Coordinator): Promise<void> {
  const found = await etcd2Problem(config, coordinator);
  if (found !== undefined) throw new StoreError(`${found.problem}: ${found.fix}`);
}
