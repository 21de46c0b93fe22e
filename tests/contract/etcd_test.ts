/**
 * Holds the etcd coordinator to the contract, on a real etcd.
 *
 * @module
 */

import { startEtcd } from "../support/remote_coordinator.ts";
import { testRemoteCoordinator } from "./coordinator_faults.ts";

testRemoteCoordinator(await startEtcd(), (name, body) => Deno.test(name, body));
