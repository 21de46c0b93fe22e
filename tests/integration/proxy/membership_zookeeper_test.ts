/**
 * A proxy's life with ZooKeeper.
 *
 * @module
 */

import { startZookeeper } from "../../support/remote_coordinator.ts";
import { testRemoteMembership } from "./membership_faults.ts";

testRemoteMembership(await startZookeeper(), (name, body) => Deno.test(name, body));
