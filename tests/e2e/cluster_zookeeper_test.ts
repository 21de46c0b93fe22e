/**
 * The cluster suite on ZooKeeper.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { testCluster } from "./cluster.ts";
import { remoteCoordination } from "./remote_coordination.ts";

testCluster(
  "zookeeper",
  remoteCoordination("zookeeper"),
  ["codis-server"],
  (name, test) => Deno.test(name, test),
);
