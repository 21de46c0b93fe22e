/**
 * The outage suite on etcd.
 *
 * @module
 */

import { testOutages } from "./outage.ts";
import { remoteCoordination } from "./remote_coordination.ts";

testOutages("etcd", remoteCoordination("etcd"), (name, test) => Deno.test(name, test));
