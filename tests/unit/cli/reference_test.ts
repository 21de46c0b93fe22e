/**
 * What the tables of docs/command-line.md guarantee.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../../../src/cli/commands.ts";
import { type CommandGroup, isGroup, type Subcommand } from "../../../src/cli/parts/subcommand.ts";
import { formatCommandLine, replaceCommandLine } from "../../../src/cli/reference.ts";

Deno.test("docs/command-line.md holds the tables that `deno task gen:docs` writes", async () => {
  const url = new URL("../../../docs/command-line.md", import.meta.url);
  const document = await Deno.readTextFile(url);
  assertEquals(replaceCommandLine(document), document);
});

Deno.test("the tables name every command and every flag", () => {
  const text = formatCommandLine();
  const visit = (command: Subcommand | CommandGroup, words: readonly string[]) => {
    for (const { name } of command.flags) {
      assertStringIncludes(text, name.length === 1 ? `| \`-${name}` : `| \`--${name}`);
    }
    if (isGroup(command)) {
      for (const child of command.commands) visit(child, [...words, child.name]);
    } else assertStringIncludes(text, words.join(" "));
  };
  visit(ROOT, []);
});
