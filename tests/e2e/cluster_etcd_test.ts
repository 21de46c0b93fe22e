/**
 * The cluster suite on etcd.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { testCluster } from "./cluster.ts";
import { remoteCoordination } from "./remote_coordination.ts";

testCluster(
  "etcd",
  remoteCoordination("etcd"),
  ["stock Redis"],
  (name, test) => Deno.test(name, test),
);
