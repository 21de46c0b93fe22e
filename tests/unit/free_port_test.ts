/**
 * Test files that run at once take no ports from each other.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { freePort, portRange, PORTS_VARIABLE } from "../support/free_port.ts";

/** Where the system begins to give ports to outgoing connections. */
const EPHEMERAL = 32_768;
const FILES = 6;

Deno.test("files that run at once have no port in common, and none that an outgoing connection gets", () => {
  const before = Deno.env.get(PORTS_VARIABLE);
  try {
    const ranges = Array.from({ length: FILES }, (_, index) => {
      Deno.env.set(PORTS_VARIABLE, JSON.stringify(portRange(index, FILES)));
      return Array.from({ length: 500 }, freePort);
    });
    const all = ranges.flat();
    assertEquals(new Set(all).size, all.length);
    assert(all.every((port) => port >= 10_240 && port < EPHEMERAL));
    // Wherever each begins, it stays within its own.
    for (const [index, ports] of ranges.entries()) {
      const { first, count } = portRange(index, FILES);
      assert(ports.every((port) => port >= first && port < first + count));
    }
  } finally {
    if (before === undefined) Deno.env.delete(PORTS_VARIABLE);
    else Deno.env.set(PORTS_VARIABLE, before);
  }
});
