/**
 * The elements of an array are found without being decoded.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { elementsOf } from "../../../src/resp/elements.ts";
import { latin1, textOf } from "../../support/pieces.ts";

Deno.test("elementsOf() finds elements of any depth, and none in a reply that is no array", () => {
  const elements = ["$1\r\na\r\n", "*2\r\n:1\r\n*1\r\n_\r\n", "%1\r\n+k\r\n,1.5\r\n", "$-1\r\n"];
  const found = elementsOf(latin1(`*4\r\n${elements.join("")}`));
  assertEquals(found?.map(textOf), elements);
  assertEquals(elementsOf(latin1("*0\r\n")), []);
  assertEquals(elementsOf(latin1("*-1\r\n")), null);
  assertEquals(elementsOf(latin1(":1\r\n")), null);
  assertEquals(elementsOf(latin1("*2\r\n:1\r\n")), null);
});
