/**
 * The suite about a store that is set back, on ZooKeeper.
 *
 * @module
 */

import { testSetBack } from "./set_back.ts";

testSetBack("zookeeper", (name, test) => Deno.test(name, test));
