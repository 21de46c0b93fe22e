/**
 * What replacing the generated part of a document guarantees.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { replaceGeneratedSection } from "../../../src/base/generated_section.ts";

Deno.test("only what is between the two comments is replaced", () => {
  const document = "a\n<!-- keys -->\nold\n<!-- /keys -->\nb\n";
  const replaced = "a\n<!-- keys -->\n\nnew\n\n<!-- /keys -->\nb\n";
  assertEquals(replaceGeneratedSection(document, "keys", "new"), replaced);
  assertEquals(replaceGeneratedSection(replaced, "keys", "new"), replaced);
});

Deno.test("a document without its comments is not overwritten", () => {
  for (const document of ["", "<!-- /keys --><!-- keys -->", "<!-- keys -->"]) {
    assertThrows(() => replaceGeneratedSection(document, "keys", "new"), Error, "followed by");
  }
});
