/**
 * How a route is found: in the file of its noun, by method and path.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../../src/control/errors.ts";
import { type ApiRoute, change, findRoute, read } from "../../../../src/dashboard/api/route.ts";

const FOLDER = new URL("../../../../src/dashboard/api/", import.meta.url);
const done = () => Promise.resolve();
const ROUTES: readonly ApiRoute[] = [
  read("/api/slot/list", done),
  read("/api/slot/:id", done),
  change("DELETE", "/api/slot/:id", done),
  read("/api/redis/:addr/:slot/slotinfo", done),
];

function find(method: string, path: string) {
  const found = findRoute(ROUTES, method, new URL(path, "http://here"));
  if (found === undefined || "allow" in found) return found;
  return { row: ROUTES.indexOf(found.route), words: found.words };
}

Deno.test("findRoute() takes the first row of the method and path, and decodes its words", () => {
  assertEquals(find("GET", "/api/slot/list"), { row: 0, words: {} });
  assertEquals(find("GET", "/api/slot/5?x=1"), { row: 1, words: { id: "5" } });
  assertEquals(find("DELETE", "/api/slot/5"), { row: 2, words: { id: "5" } });
  assertEquals(
    find("GET", "/api/redis/%5B::1%5D:6379/7/slotinfo"),
    { row: 3, words: { addr: "[::1]:6379", slot: "7" } },
  );
  assertEquals(find("GET", "/api/slot/a%2Fb"), { row: 1, words: { id: "a/b" } });
});

Deno.test("findRoute() names the methods of a path, and knows nothing of other paths", () => {
  assertEquals(find("POST", "/api/slot/5"), { allow: "GET, DELETE" });
  for (const path of ["/api/slot/", "/api/slot", "/api/slot/5/6", "/api/SLOT/5", "/x/api/slot/5"]) {
    assertEquals(find("GET", path), undefined, path);
  }
});

Deno.test("findRoute() refuses a word that is not UTF-8", () => {
  assertThrows(() => find("GET", "/api/slot/%ff"), InputError, "path must be percent-encoded");
});

Deno.test("every route is in the file of its noun", async () => {
  let count = 0;
  for await (const { name } of Deno.readDir(FOLDER)) {
    const exports: Record<string, unknown> = await import(new URL(name, FOLDER).href);
    for (const [table, routes] of Object.entries(exports)) {
      if (!table.endsWith("_ROUTES")) continue;
      for (const { path } of routes as readonly ApiRoute[]) {
        const [first, second] = path.split("/").slice(1);
        const word = (first === "api" ? second : first)!; // those of Codis 3 have no /api
        assert(word.includes(name.replace(".ts", "")), `${path} in ${name}`);
        count++;
      }
    }
  }
  assert(count > 30, `${count} routes`);
});
