/**
 * What the table of docs/commands.md guarantees.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../../src/command/command_table.ts";
import { formatCommandTable, replaceCommandTable } from "../../../src/command/supported.ts";

Deno.test("docs/commands.md holds the table that `deno task gen:docs` writes", async () => {
  const document = await Deno.readTextFile(new URL("../../../docs/commands.md", import.meta.url));
  assertEquals(replaceCommandTable(document), document);
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
