/**
 * The cluster and outage suites on ZooKeeper.
 *
 * @module
 */

import { remoteCoordination } from "./remote_coordination.ts";
import { testCluster } from "./cluster.ts";
import { testOutages } from "./outage.ts";

const start = remoteCoordination("zookeeper");

testCluster("zookeeper", start, (name, test) => Deno.test(name, test));
testOutages("zookeeper", start, (name, test) => Deno.test(name, test));
