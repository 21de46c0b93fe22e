/**
 * What the config key `zk` means to each coordinator.
 *
 * @module
 */

import { type Address, parseAddress } from "../base/address.ts";

/** Where ZooKeeper listens when nothing else is said. */
const ZOOKEEPER_PORT = 2181;

/** Where etcd does. */
const ETCD_PORT = 2379;

/** The servers of a ZooKeeper ensemble; a URL is none, and the config cannot have it. */
export function zookeeperServers(endpoints: readonly string[]): Address[] {
  return endpoints.map((endpoint) => parseAddress(withPort(endpoint, ZOOKEEPER_PORT)));
}

/** The URLs of etcd's endpoints; without a scheme they are `http://`, as in Codis 2.0. */
export function etcdUrls(endpoints: readonly string[]): string[] {
  return endpoints.map((endpoint) => {
    if (endpoint.includes("//")) return endpoint.replace(/\/$/, "");
    return `http://${withPort(endpoint, ETCD_PORT)}`;
  });
}

function withPort(endpoint: string, port: number): string {
  return /:\d+$/.test(endpoint) ? endpoint : `${endpoint}:${port}`;
}
