/**
 * The cluster and outage suites on etcd.
 *
 * @module
 */

import { remoteCoordination } from "./remote_coordination.ts";
import { testCluster } from "./cluster.ts";
import { testOutages } from "./outage.ts";

const start = remoteCoordination("etcd");

testCluster("etcd", start, (name, test) => Deno.test(name, test));
testOutages("etcd", start, (name, test) => Deno.test(name, test));
