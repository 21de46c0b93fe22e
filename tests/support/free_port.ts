/**
 * Ports for servers that must be told theirs.
 *
 * @module
 */

/** Returns a TCP port of 127.0.0.1 that nobody listens on now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
