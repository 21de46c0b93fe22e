/**
 * Questions to a source whose connection is lost.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Secret } from "../../../../src/base/secret.ts";
import { SourceControl } from "../../../../src/import/source/source_control.ts";

Deno.test("what a lost connection has not answered is asked again", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  // Answers once on each connection, then closes it at the next question.
  const served = (async () => {
    for (const text of [":1\r\n", ":2\r\n"]) {
      using connection = await listener.accept();
      await connection.read(new Uint8Array(1024));
      await connection.write(new TextEncoder().encode(text));
      await connection.read(new Uint8Array(1024));
    }
  })();
  const address = { hostname: "127.0.0.1", port };
  const server = { address, user: "", password: new Secret(""), isTls: false };
  const control = new SourceControl(server, undefined);
  assertEquals(await control.call("DBSIZE"), 1);
  assertEquals(await control.call("DBSIZE"), 2);
  control.close();
  await served;
});
