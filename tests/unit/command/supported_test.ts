/**
 * Promises of the README's table of commands.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { COMMANDS } from "../../../src/command/command_table.ts";
import { formatCommandTable, replaceCommandTable } from "../../../src/command/supported.ts";

Deno.test("the README tells what the proxy does with each command", async () => {
  const readme = await Deno.readTextFile(new URL("../../../README.md", import.meta.url));
  assertEquals(replaceCommandTable(readme), readme, "run: deno task gen:readme");
});

Deno.test("the table of commands names each command once", () => {
  const names = formatCommandTable().split(/[|,\n]/).map((name) =>
    name.replace(/ \(.*\)/, "").trim()
  );
  for (const command of COMMANDS) {
    if (command.origin === "http" || command.isContainer) continue;
    const name = command.name.toUpperCase().replace("|", " ");
    assertEquals(names.filter((other) => other === name).length, 1, name);
  }
});

Deno.test("a README without markers is not overwritten", () => {
  assertThrows(() => replaceCommandTable("# codis-proxy\n"), Error, "README has no");
  assert(replaceCommandTable("a<!-- commands --><!-- /commands -->b").endsWith("b"));
});
