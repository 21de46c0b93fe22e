/**
 * Ports for servers that must be told theirs.
 *
 * @module
 */

/** Below those that the system gives to outgoing connections: one could take a port before its server does. */
const PORTS = { first: 10_240, count: 22_000 };

/** Processes that start one after the other begin so far apart: a port may be free while its test starts anew on it. */
const APART = 100;

let next = Deno.pid * APART % PORTS.count;

/** Returns a TCP port of 127.0.0.1 that nobody listens on now. */
export function freePort(): number {
  for (let tries = 0; tries < PORTS.count; tries++) {
    const port = PORTS.first + next++ % PORTS.count;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("no port is free");
}
