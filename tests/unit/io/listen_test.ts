/**
 * What a listening socket guarantees before a client is accepted.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { listen, printAddress } from "../../../src/io/listen.ts";

/** More than Deno lets wait by itself. */
const CLIENTS = 700;
/** Before a client whose connection was dropped tries again, in milliseconds. */
const RETRY_MS = 1_000;

Deno.test("hundreds of clients that connect at once need not try again", async () => {
  using listener = listen("127.0.0.1", 0);
  const { port } = listener.addr as Deno.NetAddr;
  const startedMs = performance.now();
  const tookMs: number[] = [];
  const clients = await Promise.all(Array.from({ length: CLIENTS }, async () => {
    const client = await Deno.connect({ hostname: "127.0.0.1", port });
    tookMs.push(performance.now() - startedMs);
    return client;
  }));
  for (const client of clients) client.close();
  assertEquals(tookMs.filter((ms) => ms >= RETRY_MS).length, 0);
});

Deno.test("listen() names the address and the reason where it cannot", () => {
  using taken = listen("127.0.0.1", 0);
  const { port } = taken.addr as Deno.NetAddr;
  assertThrows(
    () => listen("127.0.0.1", port),
    Error,
    `cannot listen on 127.0.0.1:${port}: the address is in use by another process`,
  );
});

Deno.test("printAddress() puts IPv6 in brackets, and shows IPv4 as what it is", () => {
  const print = (hostname: string) => printAddress({ transport: "tcp", hostname, port: 1 });
  assertEquals(["1.2.3.4", "::ffff:1.2.3.4", "::1"].map(print), [
    "1.2.3.4:1",
    "1.2.3.4:1",
    "[::1]:1",
  ]);
});
