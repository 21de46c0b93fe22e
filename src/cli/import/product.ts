/**
 * The product that an import writes to, read from its store: proxies, servers, where keys are placed.
 *
 * @module
 */

import { type Address, parseAddress } from "../../base/address.ts";
import type { TargetServers } from "../../import/target/target.ts";
import { rdbVersionOf } from "../../redis/rdb_version.ts";
import { databasesIn, keysIn, readInfo, type RedisInfo, runIdIn } from "../../redis/info.ts";
import { isOlder } from "../../base/version.ts";
import { loadGroups, masterOf } from "../../store/groups.ts";
import { loadProxies } from "../../store/proxies.ts";
import { loadPlacement } from "../../store/slot_rules.ts";
import type { Store } from "../../store/store.ts";
import type { CommandContext } from "../parts/context.ts";
import type { Destination } from "./destination.ts";
import { openServer } from "../parts/redis_servers.ts";

/** See the header. */
export interface ProductDestination extends Destination {
  /**
   * What is a source, by its INFO, that has the keys of the product itself: a master of it, or a replica of one.
   * What is written here would come back from there, and be written again.
   */
  isOwn(source: RedisInfo): boolean;
}

/**
 * Reads it, and asks the master of each group for its version.
 *
 * @param proxy The proxy to use; undefined: all that are online.
 * @throws {Error} When no proxy is online, or a master cannot be asked.
 */
export async function readProduct(
  context: CommandContext,
  proxy: Address | undefined,
): Promise<ProductDestination> {
  const config = await context.config();
  const store = await context.store();
  const proxies = async () => proxy === undefined ? await onlineProxies(store) : [proxy];
  if ((await proxies()).length === 0) {
    throw new Error(
      `no proxy of product "${config.product}" is online: keys are written through one; start it, or name one with --to`,
    );
  }
  const infos = async () => {
    const found: RedisInfo[] = [];
    for (const group of await loadGroups(store)) {
      if ((group.servers ?? []).length === 0) continue;
      using redis = await openServer(config, parseAddress(masterOf(group).addr));
      found.push(await readInfo(redis));
    }
    return found;
  };
  let oldest: TargetServers | undefined;
  let keys = 0;
  const own = new Set<string>();
  for (const info of await infos()) {
    keys += keysIn(info);
    for (const id of identitiesIn(info)) own.add(id);
    const version = info["redis_version"] ?? "";
    const rdbVersion = rdbVersionOf(info);
    if (oldest === undefined || isOlder(version, oldest.version)) oldest = { version, rdbVersion };
  }
  if (oldest === undefined) throw new Error(`product "${config.product}" has no servers`);
  return {
    name: config.product,
    title: `product "${config.product}"`,
    access: { what: "proxy", addresses: proxies, user: "", password: config.password },
    servers: oldest,
    placement: await loadPlacement(store),
    keys,
    isOwn: (source) => identitiesIn(source).some((id) => own.has(id)),
    databases: async () => {
      const all = (await infos()).flatMap(databasesIn).map(({ database }) => database);
      return [...new Set(all)].sort((a, b) => a - b);
    },
  };
}

/** Of a server and of the history that it shares with its replicas; without what INFO does not have. */
function identitiesIn(info: RedisInfo): string[] {
  return [runIdIn(info), info["master_replid"] ?? ""].filter((id) => id !== "");
}

async function onlineProxies(store: Store): Promise<Address[]> {
  const proxies = await loadProxies(store);
  return proxies.filter(({ state }) => state === "online").map(({ addr }) => parseAddress(addr));
}
