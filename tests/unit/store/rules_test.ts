/**
 * The rules that stored records must keep.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import type { ProxyRecord } from "../../../src/model/proxy.ts";
import type { ServerType } from "../../../src/model/server.ts";
import { slotIn, type SlotStatus } from "../../../src/model/slot.ts";
import { checkFences, deadFences } from "../../../src/store/fences.ts";
import { masterOf } from "../../../src/store/groups.ts";
import { numberedName, storePaths } from "../../../src/store/paths.ts";
import { checkSlot } from "../../../src/store/slots.ts";
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

Deno.test("checkSlot() refuses a status or an id that is not one", () => {
  checkSlot(slotIn("p", 1023, 1, "migrate"));
  assertThrows(
    () => checkSlot(slotIn("p", 1, 1, "lost" as SlotStatus)),
    StoreError,
    "unknown slot status, slot status should be (online, offline, migrate, pre_migrate)",
  );
  assertThrows(() => checkSlot(slotIn("p", 1024, 1, "online")), StoreError, "invalid slot id 1024");
});

Deno.test("checkFences() names every fenced address without an online proxy", () => {
  const proxy = (addr: string, state: string) => ({ addr, state }) as ProxyRecord;
  const proxies = [proxy("a:1", "online"), proxy("b:1", "offline")];
  assertEquals(deadFences(["a:1"], proxies), []);
  checkFences(["a:1"], proxies);
  assertThrows(
    () => checkFences(["a:1", "b:1", "c:1"], proxies),
    StoreError,
    "Some proxies may not stop cleanly: b:1 c:1",
  );
});

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
