/**
 * The passwords of the servers that keys come from, or go to.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { FROM_PASSWORD_FILE } from "../../../../src/cli/import/flags.ts";
import { passwordFrom } from "../../../../src/cli/import/servers.ts";
import { parseSources } from "../../../../src/import/source/source_address.ts";

Deno.test("a password file is for the servers that have no password of their own", async () => {
  const passwords = async (file: string) => {
    const complete = await passwordFrom({ [FROM_PASSWORD_FILE.name]: file }, FROM_PASSWORD_FILE);
    return parseSources("redis://a:1,redis://user:own@b:1").flatMap((source) =>
      "server" in source ? [complete(source.server).password.reveal()] : []
    );
  };
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "from the file\nnot this\n");
    assertEquals(await passwords(file), ["from the file", "own"]);
    assertEquals(await passwords(""), ["", "own"]);
  } finally {
    await Deno.remove(file);
  }
  await assertRejects(() => passwords(file), Error, "cannot read --from-password-file");
});
