/**
 * A connection to a proxy, and replies that come in pieces.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { Secret } from "../../../../src/base/secret.ts";
import { Lane, NOT_THERE } from "../../../../src/import/target/lane.ts";
import { latin1Bytes } from "../../../../src/resp/latin1.ts";

/** What a lane that sends `PERSIST key`, which must change something, tells when the replies come in these pieces. */
async function troubleAfter(pieces: readonly string[]): Promise<(string | undefined)[]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const served = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(1024));
    for (const piece of pieces) {
      await connection.write(latin1Bytes(piece));
      await delay(20); // so that it is a read of its own
    }
    await connection.read(new Uint8Array(1)).catch(() => null);
  })();
  const addresses = () => Promise.resolve([{ hostname: "127.0.0.1", port }]);
  const lane = new Lane({ what: "proxy", addresses, user: "", password: new Secret("") }, 0);
  await lane.open();
  lane.begin(0).request(2).word("PERSIST").word("key").mustChange();
  await lane.drain();
  const trouble = lane.takeTrouble();
  lane.close();
  await served;
  return trouble.map(({ error }) => error);
}

Deno.test("a request that has changed nothing, and must have, is told wherever its reply is cut", async () => {
  const replies = "+OK\r\n:0\r\n";
  for (let at = 1; at < replies.length; at++) {
    assertEquals(
      await troubleAfter([replies.slice(0, at), replies.slice(at)]),
      [NOT_THERE],
      `${at}`,
    );
  }
});

Deno.test("a request that has changed something is not repeated, wherever its reply is cut", async () => {
  const replies = "+OK\r\n:1\r\n";
  for (let at = 1; at < replies.length; at++) {
    assertEquals(await troubleAfter([replies.slice(0, at), replies.slice(at)]), [], `${at}`);
  }
  assertEquals(await troubleAfter([replies]), []);
});
