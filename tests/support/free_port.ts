/**
 * Ports for servers that must be told theirs.
 *
 *     tests/run_tests.ts ─► a range for each of the files that run at once ─► freePort
 *
 * @module
 */

/** So many ports, from the first on. */
export interface PortRange {
  readonly first: number;
  readonly count: number;
}

/** Below those that the system gives to outgoing connections: one could take a port before its server does. */
const PORTS: PortRange = { first: 10_240, count: 22_000 };

/** Names the ports that a process shares with nobody, as JSON. Without it, all are shared. */
export const PORTS_VARIABLE = "CODIS_TEST_PORTS";

/** Processes that start one after the other begin so far apart: a port may be free while its test starts anew on it. */
const APART = 100;

/** How many ports were tried. */
let tried = 0;

/** Divides all ports into equal ranges, and returns one of them. */
export function portRange(index: number, ranges: number): PortRange {
  const count = Math.floor(PORTS.count / ranges);
  return { first: PORTS.first + index * count, count };
}

/** Returns a TCP port of 127.0.0.1 that nobody listens on now. */
export function freePort(): number {
  const { first, count }: PortRange = JSON.parse(Deno.env.get(PORTS_VARIABLE) ?? "null") ?? PORTS;
  for (let tries = 0; tries < count; tries++) {
    const port = first + (Deno.pid * APART + tried++) % count;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("no port is free");
}
