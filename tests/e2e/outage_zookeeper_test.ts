/**
 * The outage suite on ZooKeeper.
 *
 * @module
 */

import { testOutages } from "./outage.ts";
import { remoteCoordination } from "./remote_coordination.ts";

testOutages("zookeeper", remoteCoordination("zookeeper"), (name, test) => Deno.test(name, test));
