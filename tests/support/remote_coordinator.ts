/**
 * Coordinators on a real server that the tests of a file share, ZooKeeper's and etcd's alike.
 *
 * @module
 */

import { chunk } from "@std/collections/chunk";
import { Secret } from "../../src/base/secret.ts";
import { type Coordinator, OPERATIONS_MAX } from "../../src/coordinator/coordinator.ts";
import { EtcdCoordinator } from "../../src/coordinator/etcd/etcd.ts";
import { childOf, ROOT_PATH } from "../../src/coordinator/path.ts";
import { ZookeeperCoordinator } from "../../src/coordinator/zookeeper/zookeeper.ts";
import { PRODUCTS_ROOT } from "../../src/store/paths.ts";
import { EtcdServer } from "./etcd_server.ts";
import { ZookeeperServer } from "./zookeeper_server.ts";

/** How a test opens a session. */
export interface RemoteOptions {
  /** Ports of 127.0.0.1 to try; by default the server's own. */
  readonly ports?: readonly number[];
  /** By default {@linkcode RemoteCoordinator.sessionTimeoutMs}. */
  readonly sessionTimeoutMs?: number;
  readonly callTimeoutMs?: number;
  /** `user:password`. */
  readonly auth?: string;
}

/** A server and the sessions with it. */
export interface RemoteCoordinator {
  readonly name: "zookeeper" | "etcd";
  readonly server: ZookeeperServer | EtcdServer;
  /** Time after which a lost session ends; short, so that tests are. */
  readonly sessionTimeoutMs: number;
  /** Longest time until the entries of a killed process are gone. */
  readonly ownerEndMs: number;
  /** Digits of a sequential entry's number. */
  readonly sequenceDigits: number;
  /** The config.ini with which other processes open it. */
  readonly config: string;
  open(options?: RemoteOptions): Promise<Coordinator>;
  /** Deletes everything that earlier tests have stored. */
  empty(): Promise<void>;
}

const SESSION_TIMEOUT_MS = 3_000;

/**
 * The session timeout of who only looks at what others do, as by default in config.ini: a coordinator that is silent
 * for a third of it has lost us, and one on a busy machine may need a second for an answer.
 */
export const WATCHER_SESSION_MS = 30_000;

/** Starts a ZooKeeper. */
export async function startZookeeper(): Promise<RemoteCoordinator> {
  const server = await ZookeeperServer.start();
  return remote("zookeeper", server, 10, (options) => {
    const servers = (options.ports ?? [server.port]).map((port) => {
      return { hostname: "127.0.0.1", port };
    });
    return ZookeeperCoordinator.open({ servers, ...session(options) });
  });
}

/** Starts an etcd. */
export async function startEtcd(): Promise<RemoteCoordinator> {
  const server = await EtcdServer.start();
  return remote("etcd", server, 20, (options) => {
    const ports = options.ports ?? [server.port];
    const endpoints = ports.map((port) => `http://127.0.0.1:${port}`);
    return EtcdCoordinator.open({ endpoints, tls: {}, ...session(options) });
  });
}

function remote(
  name: RemoteCoordinator["name"],
  server: ZookeeperServer | EtcdServer,
  sequenceDigits: number,
  openWith: (options: RemoteOptions) => Promise<Coordinator>,
): RemoteCoordinator {
  const open = (options: RemoteOptions = {}) => openWith(options);
  return {
    name,
    server,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    ownerEndMs: 3 * SESSION_TIMEOUT_MS,
    sequenceDigits,
    config: [
      `coordinator = ${name}`,
      `zk = ${server.addr}`,
      `zk_session_timeout = ${SESSION_TIMEOUT_MS}`,
      "proxy_id = proxy_1",
      "dashboard_addr = localhost:18087",
    ].join("\n"),
    open,
    empty: async () => {
      const coordinator = await open({ sessionTimeoutMs: WATCHER_SESSION_MS });
      if (name === "zookeeper") await deleteSlots(coordinator);
      for (const child of await coordinator.children(ROOT_PATH)) {
        // ZooKeeper's own, which nobody may delete.
        if (child !== "zookeeper") await coordinator.deleteTree(childOf(ROOT_PATH, child));
      }
      await coordinator.close();
    },
  };
}

/** Deletes the slots of all products, many at once: a ZooKeeper takes long for a thousand calls. */
async function deleteSlots(coordinator: Coordinator): Promise<void> {
  const names = (path: string) => coordinator.children(path).catch(() => []);
  for (const product of await names(PRODUCTS_ROOT)) {
    const slots = `${PRODUCTS_ROOT}/${product}/slots`;
    const paths = (await names(slots)).map((name) => childOf(slots, name));
    for (const some of chunk(paths, OPERATIONS_MAX)) {
      // What cannot be deleted so is deleted with the tree.
      await coordinator.transact(some.map((path) => ({ delete: path }))).catch(() => {});
    }
  }
}

function session({ sessionTimeoutMs, callTimeoutMs, auth }: RemoteOptions) {
  return {
    sessionTimeoutMs: sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
    auth: new Secret(auth ?? ""),
    ...(callTimeoutMs === undefined ? {} : { callTimeoutMs }),
  };
}
