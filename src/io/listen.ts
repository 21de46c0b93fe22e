/**
 * The listening socket.
 *
 * @module
 */

/**
 * Binds a TCP address.
 *
 * @param hostname Address to bind, without brackets; `0.0.0.0` for all.
 * @param port TCP port; 0 lets the system choose.
 * @param reusePort Lets several workers share the port; the kernel spreads connections over them.
 * @returns The listener.
 * @throws {Error} Naming the address and the reason, for example a port in use.
 */
export function listen(hostname: string, port: number, reusePort = false): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port, ...(reusePort ? { reusePort } : {}) });
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse
      ? "the address is in use by another process"
      : error instanceof Error
      ? error.message.replace(/ \(os error \d+\)$/, "")
      : String(error);
    throw new Error(`cannot listen on ${hostname}:${port}: ${reason}`, { cause: error });
  }
}
