/**
 * A group has one master.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import type { ServerType } from "../../../src/model/server.ts";
import { masterOf } from "../../../src/store/groups.ts";
import { StoreError } from "../../../src/store/store.ts";

function group(...types: ServerType[]) {
  const servers = types.map((type, i) => ({ type, group_id: 1, addr: `h:${i + 1}` }));
  return { id: 1, product_name: "p", servers };
}

Deno.test("masterOf() finds the one master and refuses none or two", () => {
  assertEquals(masterOf(group("slave", "master", "offline")).addr, "h:2");
  assertThrows(() => masterOf(group("slave")), StoreError, "master not found: ");
  assertThrows(() => masterOf(group("master", "master")), StoreError, "two master not allowed: ");
  const empty = { id: 1, product_name: "p", servers: null };
  assertThrows(() => masterOf(empty), StoreError, "master not found: null");
});
