/**
 * What zk = … means to each coordinator.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { parseConfig } from "../../../src/config/load.ts";
import { etcdUrls, zookeeperServers } from "../../../src/coordinator/endpoints.ts";

function endpoints(zk: string): readonly string[] {
  return parseConfig(`coordinator = embedded\nzk = ${zk}`, "test").config.coordinatorEndpoints;
}

Deno.test("ZooKeeper's hosts have port 2181 when they name none", () => {
  assertEquals(zookeeperServers(endpoints("zk-1, zk-2:2182,10.0.0.1,[::1],[::1]:7")), [
    { hostname: "zk-1", port: 2181 },
    { hostname: "zk-2", port: 2182 },
    { hostname: "10.0.0.1", port: 2181 },
    { hostname: "::1", port: 2181 },
    { hostname: "::1", port: 7 },
  ]);
});

Deno.test("etcd's endpoints are URLs when they say so, and http on port 2379 otherwise", () => {
  assertEquals(etcdUrls(endpoints("etcd-1,etcd-2:1,http://etcd-3,https://etcd-4:2379/,[::1]")), [
    "http://etcd-1:2379",
    "http://etcd-2:1",
    "http://etcd-3",
    "https://etcd-4:2379",
    "http://[::1]:2379",
  ]);
});
