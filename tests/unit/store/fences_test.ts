/**
 * Fences of proxies that did not stop cleanly are found.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import type { ProxyRecord } from "../../../src/model/proxy.ts";
import { checkFences, deadFences } from "../../../src/store/fences.ts";
import { StoreError } from "../../../src/store/store.ts";

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
