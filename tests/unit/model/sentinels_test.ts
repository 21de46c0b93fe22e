/**
 * The record of the sentinels is Codis 3.2's, and so are the names of the masters.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeSentinels,
  encodeSentinels,
  groupOfMasterName,
  masterNameOf,
} from "../../../src/model/sentinels.ts";
import { RecordError } from "../../../src/model/record.ts";

Deno.test("sentinels are read and written as Codis 3.2 does", () => {
  const record = { servers: ["a:26379", "[::1]:26379"], out_of_sync: true };
  const json = '{"servers":["a:26379","[::1]:26379"],"out_of_sync":true}';
  assertEquals(encodeSentinels(record), json);
  assertEquals(decodeSentinels(json), record);
  // Go leaves an empty list out.
  assertEquals(decodeSentinels('{"out_of_sync":false}'), { servers: [], out_of_sync: false });
  assertThrows(() => decodeSentinels('{"servers":[1]}'), RecordError, "sentinels.servers[0]");
  assertThrows(() => decodeSentinels("x"), RecordError, "sentinels is not JSON");
});

Deno.test("a master's name is the product's and the group's, and no other product's", () => {
  assertEquals(masterNameOf("test", 12), "test-12");
  for (
    const [name, groupId] of [
      ...[["test-12", 12], ["test-0", 0], ["test-", undefined], ["test", undefined]] as const,
      // Of the products `test-1`, `test2` and `other`.
      ...[["test-1-3", undefined], ["test2-1", undefined], ["other-1", undefined]] as const,
    ]
  ) assertEquals(groupOfMasterName("test", name), groupId, name);
});
