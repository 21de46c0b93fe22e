/**
 * When a mistyped name is worth a suggestion.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { nearestName, suggestion } from "../../../src/base/nearest.ts";

const NAMES = ["product", "password", "proto", "zk"];

Deno.test("nearestName() finds the name a slip away and nothing for a stranger", () => {
  assertEquals(nearestName("prodcut", NAMES), "product");
  assertEquals(nearestName("PASSWORD", NAMES), "password");
  assertEquals(nearestName("zq", NAMES), "zk");
  assertEquals(nearestName("colour", NAMES), undefined);
  assertEquals(nearestName("x", []), undefined);
});

Deno.test("suggestion() is the tail of an error message", () => {
  assertEquals(suggestion("prot", NAMES), ', did you mean "proto"?');
  assertEquals(suggestion("colour", NAMES), "");
});
