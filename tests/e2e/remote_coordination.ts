/**
 * Coordinators that are servers of their own, as the cluster and outage suites want them.
 *
 * @module
 */

import { StoreServer } from "../support/store.ts";
import { startEtcd, startZookeeper } from "../support/remote_coordinator.ts";
import type { StartFragile } from "./outage.ts";

/** Starts a server for each test. */
export function remoteCoordination(name: "zookeeper" | "etcd"): StartFragile {
  return async (servers) => {
    const remote = await (name === "zookeeper" ? startZookeeper() : startEtcd());
    const place = await StoreServer.make(remote);
    return {
      store: await place.openFilled(servers.map(({ addr }) => addr).join(",")),
      config: { coordinator: name, zk: remote.server.addr },
      stop: () => remote.server.stop(),
      restart: () => remote.server.restart(),
      [Symbol.asyncDispose]: async () => {
        await place[Symbol.asyncDispose]();
        await remote.server[Symbol.asyncDispose]();
      },
    };
  };
}
