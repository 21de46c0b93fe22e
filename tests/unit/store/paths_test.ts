/**
 * Records are stored where Codis 2.0 stores them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { numberedName, storePaths } from "../../../src/store/paths.ts";

Deno.test("numberedName() takes a plain number behind the prefix only", () => {
  assertEquals(numberedName("slot_12", "slot_"), 12);
  for (const name of ["slot_", "slot_x", "slot_-1", "group_1", "12", "slot_1 "]) {
    assertEquals(numberedName(name, "slot_"), undefined);
  }
});

Deno.test("storePaths() are Codis 2.0's", () => {
  const paths = storePaths("demo");
  assertEquals(paths.slot(7), "/zk/codis/db_demo/slots/slot_7");
  assertEquals(paths.server(2, "h:1"), "/zk/codis/db_demo/servers/group_2/h:1");
  assertEquals(paths.fence("h:1"), "/zk/codis/db_demo/fence/h:1");
  assertEquals(paths.answer("0000000001", "p"), "/zk/codis/db_demo/ActionResponse/0000000001/p");
});
