/**
 * Holds the ZooKeeper coordinator to the contract, on a real ZooKeeper.
 *
 * @module
 */

import { startZookeeper } from "../support/remote_coordinator.ts";
import { testRemoteCoordinator } from "./coordinator_faults.ts";

testRemoteCoordinator(await startZookeeper(), (name, body) => Deno.test(name, body));
