/**
 * The one place that knows which coordinators there are. Each is loaded when it is asked for: the others need not
 * wait for it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { etcdTlsFiles } from "../config/tls.ts";
import { readTlsFiles } from "../io/tls_files.ts";
import type { Coordinator, ReadableTree } from "./coordinator.ts";
import { EmbeddedCoordinator } from "./embedded/embedded.ts";
import { CoordinatorPlace, type EphemeralPlace } from "./ephemeral_place.ts";
import { etcdUrls, zookeeperServers } from "./endpoints.ts";
import type { EtcdTls } from "./etcd/client.ts";
import type { ZookeeperOptions } from "./zookeeper/zookeeper.ts";

/**
 * Opens the coordinator that the config names.
 *
 * @param signal Gives up opening it.
 * @param mustExist Whether an embedded one that is not there is an error; else it is made.
 * @throws {KeyError} When a file that the config names cannot be used.
 * @throws {CoordinatorError} When it cannot be opened, or was given up.
 */
export async function openCoordinator(
  config: Config,
  signal?: AbortSignal,
  mustExist = false,
): Promise<Coordinator> {
  const { coordinatorEndpoints, coordinatorAuth: auth, zkSessionTimeoutMs } = config;
  const session = { auth, sessionTimeoutMs: zkSessionTimeoutMs, signal };
  switch (config.coordinator) {
    case "embedded":
      return await EmbeddedCoordinator.open({ dir: config.embeddedDir, mustExist });
    case "zookeeper":
      return await openZookeeper(coordinatorEndpoints, session);
    case "etcd": {
      const [endpoints, tls] = [etcdUrls(coordinatorEndpoints), (await readEtcdTls(config))!];
      const { EtcdCoordinator } = await import("./etcd/etcd.ts");
      return await EtcdCoordinator.open({ endpoints, tls, ...session });
    }
  }
}

/**
 * Opens the ZooKeeper or etcd that Jodis clients read.
 *
 * @param signal Gives up opening it.
 * @param gone Called when an entry there has gone by itself.
 * @throws {KeyError | CoordinatorError} When it cannot be opened, or was given up.
 */
export async function openJodis(
  config: Config,
  signal: AbortSignal,
  gone: () => void,
): Promise<EphemeralPlace> {
  const { jodisName, jodisServers, jodisAuth: auth, zkSessionTimeoutMs: sessionTimeoutMs } = config;
  if (jodisName === "zookeeper") {
    const session = await openZookeeper(jodisServers, { auth, sessionTimeoutMs, signal });
    return new CoordinatorPlace(session, gone);
  }
  const [endpoints, tls] = [etcdUrls(jodisServers), (await readEtcdTls(config))!];
  const { Etcd2Entry } = await import("./etcd/etcd2_entry.ts");
  return new Etcd2Entry({ endpoints, tls, auth }, sessionTimeoutMs, gone);
}

async function openZookeeper(
  endpoints: readonly string[],
  session: Omit<ZookeeperOptions, "servers">,
): Promise<Coordinator> {
  const servers = zookeeperServers(endpoints);
  const { ZookeeperCoordinator } = await import("./zookeeper/zookeeper.ts");
  return await ZookeeperCoordinator.open({ servers, ...session });
}

/**
 * Reads folders of etcd 2's keys, where Codis 2.0 keeps its tree; nothing when there are none of them.
 *
 * @throws {KeyError | CoordinatorError} When etcd cannot be asked.
 */
export async function readEtcd2(
  config: Config,
  folders: readonly string[],
): Promise<ReadableTree | undefined> {
  if (config.coordinator !== "etcd") return undefined;
  const [endpoints, tls] = [etcdUrls(config.coordinatorEndpoints), (await readEtcdTls(config))!];
  const { Etcd2Tree } = await import("./etcd/etcd2_tree.ts");
  return await Etcd2Tree.load({ endpoints, tls, auth: config.coordinatorAuth }, folders);
}

/**
 * Reads the files for TLS to etcd.
 *
 * @returns `undefined` when etcd is not spoken to.
 * @throws {KeyError} When they cannot be used.
 */
export async function readEtcdTls(config: Config): Promise<EtcdTls | undefined> {
  const files = etcdTlsFiles(config);
  if (files === undefined) return undefined;
  const { ca, cert, key } = await readTlsFiles(files);
  return { ca: ca || undefined, cert: cert || undefined, key: key || undefined };
}
