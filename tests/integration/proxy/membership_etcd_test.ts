/**
 * A proxy's life with etcd.
 *
 * @module
 */

import { startEtcd } from "../../support/remote_coordinator.ts";
import { testRemoteMembership } from "./membership_faults.ts";

testRemoteMembership(await startEtcd(), (name, body) => Deno.test(name, body));
