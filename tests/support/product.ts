/**
 * A product that is ready to be served, in any coordinator.
 *
 * @module
 */

import { parseConfig } from "../../src/config/load.ts";
import { type Coordinator, OPERATIONS_MAX } from "../../src/coordinator/coordinator.ts";
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
  const plan = planStore(paths, product, addresses);
  const isSlot = ({ path }: { path: string }) => path.startsWith(`${paths.slots}/`);
  for (const { path, data } of plan.filter((entry) => !isSlot(entry))) {
    await coordinator.create(path, data);
  }
  const slots = plan.filter(isSlot);
  for (let at = 0; at < slots.length; at += OPERATIONS_MAX) {
    const part = slots.slice(at, at + OPERATIONS_MAX);
    await coordinator.transact(
      part.map(({ path, data }) => ({ create: path, data, isLeaf: true })),
    );
  }
  return store;
}

async function createIfMissing(coordinator: Coordinator, path: string): Promise<void> {
  try {
    await coordinator.create(path, "");
  } catch (error) {
    if (!(error instanceof NodeExistsError)) throw error;
  }
}
