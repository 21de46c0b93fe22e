/**
 * Sockets in folders, over which processes of one user on this machine talk.
 *
 * @module
 */

/**
 * Listens at a path that is free; the system lets nobody else connect but this user, and root.
 *
 * @throws {Error} When that is not possible.
 */
export function listenLocally(path: string): Deno.UnixListener {
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  return listener;
}

/**
 * Connects to one.
 *
 * @throws {Error} When nobody listens there, or it is another user's.
 */
export function connectLocally(path: string): Promise<Deno.UnixConn> {
  return Deno.connect({ transport: "unix", path });
}
