/**
 * How connections are made, and when that takes too long.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { dial } from "../../../src/io/dial.ts";
import { holdUp } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { FullBacklog } from "../../support/full_backlog.ts";

for (const mode of ["byob", "direct"] as const) {
  Deno.test(`dial() says why there is no connection, to be read by ${mode}`, async () => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) {
      await assertRejects(
        () => dial(host, freePort(), 1_000, undefined, mode),
        Error,
        "connection refused",
      );
    }
  });

  Deno.test(`dial() gives up in time when there is no answer, to be read by ${mode}`, async () => {
    using full = await FullBacklog.open();
    await assertRejects(
      () => dial("127.0.0.1", Number(full.addr.split(":")[1]), 200, undefined, mode),
      Error,
      "timeout after 200 ms",
    );
  });

  Deno.test(`dial() is not late with a connection that was made while the process was held up, to be read by ${mode}`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    for (const heldMs of [500, 150]) {
      const dialing = dial("127.0.0.1", listener.addr.port, 100, undefined, mode);
      holdUp(heldMs);
      const connection = await dialing;
      assertEquals((connection.remoteAddr as Deno.NetAddr).port, listener.addr.port);
      connection.close();
    }
  });
}

Deno.test("dial() connects by the handle where reads are direct, and nothing has TLS", async () => {
  using listener = Deno.listen({ hostname: "::1", port: 0 });
  const connection = await dial("::1", listener.addr.port, 1_000, undefined, "direct");
  assert(connection.readPiece !== undefined, "this Deno has no handle as it is known");
  const { hostname, port } = connection.remoteAddr as Deno.NetAddr;
  assertEquals([hostname, port], ["::1", listener.addr.port]);
  using peer = await listener.accept();
  await connection.write(new Uint8Array([1, 2, 3]));
  const bytes = new Uint8Array(10);
  assertEquals(await peer.read(bytes), 3);
  connection.close();
  assertEquals(await peer.read(bytes), null);
});
