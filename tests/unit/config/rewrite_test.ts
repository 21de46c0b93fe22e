/**
 * CONFIG REWRITE changes the lines of what was set, and no others.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { rewriteConfig } from "../../../src/config/rewrite.ts";

function rewritten(text: string, values: Record<string, string>): string {
  return rewriteConfig(text, new Map(Object.entries(values)));
}

Deno.test("the line of a key is written anew, comments and order stay", () => {
  const text = "# mine\n  max_clients=5\n\n# more\nproduct = a # no comment\n";
  assertEquals(
    rewritten(text, { max_clients: "7" }),
    "# mine\nmax_clients = 7\n\n# more\nproduct = a # no comment\n",
  );
});

Deno.test("of a key that is set twice the line that counts is written", () => {
  assertEquals(rewritten("a = 1\na = 2\nb = 3", { a: "4" }), "a = 1\na = 4\nb = 3");
});

Deno.test("a key that only an example names comes behind it, any other at the end", () => {
  const text = "# help\n# password =\nproduct = a\n";
  assertEquals(
    rewritten(text, { password: "a=b#c", zone: "z" }),
    "# help\n# password =\npassword = a=b#c\nproduct = a\nzone = z\n",
  );
  assertEquals(rewritten("product = a", { zone: "z" }), "product = a\nzone = z\n");
  assertEquals(rewritten("", { zone: "z" }), "zone = z\n");
});

Deno.test("a file of Windows stays one", () => {
  assertEquals(
    rewritten("a = 1\r\n# b = 2\r\n", { a: "3", b: "4", c: "5" }),
    "a = 3\r\n# b = 2\r\nb = 4\r\nc = 5\r\n",
  );
  assertEquals(rewritten("a = 1\r\nb = 2", { c: "5" }), "a = 1\r\nb = 2\r\nc = 5\r\n");
});

Deno.test("what one key is called is not found in another", () => {
  assertEquals(
    rewritten("max_clients_x = 1\n", { max_clients: "2" }),
    "max_clients_x = 1\nmax_clients = 2\n",
  );
});
