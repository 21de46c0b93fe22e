/**
 * The suite about a store that is set back, on etcd.
 *
 * @module
 */

import { testSetBack } from "./set_back.ts";

testSetBack("etcd", (name, test) => Deno.test(name, test));
