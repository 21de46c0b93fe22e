/**
 * Outgoing connections with a deadline, with TLS where it is asked for.
 *
 * @module
 */

import { HELD_UP_MS } from "../base/clock.ts";
import type { ByteReader } from "./byte_source.ts";
import { secureDialed, type TlsToServers } from "./tls.ts";
import type { ByteSink } from "./write_batch.ts";

/** An open connection as the rest of the program sees it. */
export interface Connection extends ByteReader, ByteSink {
  close(): void;
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
}

/**
 * Connects to a TCP address.
 *
 * @param hostname Name or address literal, without brackets.
 * @param port TCP port.
 * @param timeoutMs How long to try, in milliseconds.
 * @param tls How to speak TLS; without it, none is spoken.
 * @returns The connection, with Nagle's algorithm off.
 * @throws {Error} With a short cause as message: `connection refused`, `timeout after 1000 ms`, …
 */
export async function dial(
  hostname: string,
  port: number,
  timeoutMs: number,
  tls?: TlsToServers,
): Promise<Connection> {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => {
      reject(new Error(`timeout after ${timeoutMs} ms`));
      abort.abort();
    };
    const dueMs = performance.now() + timeoutMs;
    timer = setTimeout(() => {
      if (performance.now() - dueMs < HELD_UP_MS) return giveUp();
      // It may be open for long, and its event has not been handled yet.
      timer = setTimeout(giveUp, HELD_UP_MS);
    }, timeoutMs);
  });
  const dialing = Deno.connect({ hostname, port, signal: abort.signal } as Deno.ConnectOptions);
  // A connection that comes after the deadline is closed.
  dialing.then((conn) => abort.signal.aborted && conn.close(), () => {});
  try {
    const conn = await Promise.race([dialing, late]);
    conn.setNoDelay(true);
    if (tls === undefined) return conn;
    late.catch(() => hangUp(conn));
    return await Promise.race([secureDialed(conn, hostname, tls), late]);
  } catch (error) {
    throw new Error(causeOf(error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Writes all bytes, however many writes that takes. Borrows them until it resolves. */
export async function writeAll(connection: ByteSink, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Closes a connection that the system may have closed already. */
export function hangUp(connection: { close(): void }): void {
  try {
    connection.close();
  } catch {
    // It is what was wanted.
  }
}

/** A system error in the words an operator knows, without the system's decoration. */
export function causeOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the address is in use by another process";
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  if (error instanceof Deno.errors.ConnectionReset) return "connection reset by peer";
  if (error instanceof Deno.errors.BrokenPipe) return "broken pipe";
  if (error instanceof Error) return error.message.replace(/ \(os error \d+\)$/, "");
  return String(error);
}
