/**
 * What the queue for private backends guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { LARGE_LOADS_MAX, Server } from "../../../../src/router/backends/server.ts";
import { testOptions } from "../../../support/router_server.ts";

/** Someone who counts how often it was called. */
class Waiter {
  calls = 0;

  resume(): void {
    this.calls++;
  }
}

Deno.test("a free private backend is offered to who still waits for one, once each", () => {
  const events = {
    backendReady() {},
    backendLost() {},
    circuitOpened() {},
    circuitClosed() {},
  };
  const server = new Server("127.0.0.1:1", testOptions(), events);
  const [gone, next, last] = [new Waiter(), new Waiter(), new Waiter()];
  const lent = Array.from(
    { length: LARGE_LOADS_MAX },
    () => server.borrowPrivate(0, 2, gone, true)!,
  );
  assert(lent.every((backend) => backend !== null));
  for (const waiter of [gone, next, next, last]) {
    assertEquals(server.borrowPrivate(0, 2, waiter, true), null);
  }
  server.leavePrivateQueue(gone); // its client has closed the connection
  server.returnPrivate(lent[0]!);
  server.returnPrivate(lent[1]!);
  assertEquals([gone.calls, next.calls, last.calls], [0, 1, 1]);
  server.close();
});
