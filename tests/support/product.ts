/**
 * A product that is ready to be served, in any coordinator.
 *
 * @module
 */

import { parseConfig } from "../../src/config/config.ts";
import type { Coordinator } from "../../src/coordinator/coordinator.ts";
import { NodeExistsError } from "../../src/coordinator/errors.ts";
import { planStore } from "../../src/store/bootstrap.ts";
import { type Store, storeOf } from "../../src/store/store.ts";

/**
 * Fills an empty product as `servers = …` fills an embedded store: one group for each server, slots
 * spread evenly and online, and the directories that a Codis 2.0 product has from its first day on.
 *
 * @param servers As in config.ini: `host:port,host:port`.
 */
export async function fillProduct(
  coordinator: Coordinator,
  servers: string,
  product = "test",
): Promise<Store> {
  const store = storeOf(coordinator, product);
  const { paths } = store;
  const addresses = parseConfig(`servers = ${servers}`, "test").config.servers;
  const directories = [paths.slots, paths.proxies, paths.fences, paths.actions, paths.responses];
  for (const path of [...directories, paths.lock]) await createIfMissing(coordinator, path);
  const inSlots: Promise<string>[] = [];
  for (const { path, data } of planStore(paths, product, addresses)) {
    const creating = coordinator.create(path, data);
    // Parents before children, but slots all at once.
    if (path.startsWith(`${paths.slots}/`)) inSlots.push(creating);
    else await creating;
  }
  await Promise.all(inSlots);
  return store;
}

async function createIfMissing(coordinator: Coordinator, path: string): Promise<void> {
  try {
    await coordinator.create(path, "");
  } catch (error) {
    if (!(error instanceof NodeExistsError)) throw error;
  }
}
