/**
 * How connections are made, and when that takes too long.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { dial } from "../../../src/io/dial.ts";
import { holdUp } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { FullBacklog } from "../../support/full_backlog.ts";

Deno.test("dial() says why there is no connection", async () => {
  await assertRejects(() => dial("127.0.0.1", freePort(), 1_000), Error, "connection refused");
});

Deno.test("dial() gives up in time when there is no answer", async () => {
  using full = await FullBacklog.open();
  await assertRejects(
    () => dial("127.0.0.1", Number(full.addr.split(":")[1]), 200),
    Error,
    "timeout after 200 ms",
  );
});

Deno.test("dial() is not late with a connection that was made while the process was held up", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dialing = dial("127.0.0.1", listener.addr.port, 100);
  holdUp(500);
  const connection = await dialing;
  assertEquals((connection.remoteAddr as Deno.NetAddr).port, listener.addr.port);
  connection.close();
});
