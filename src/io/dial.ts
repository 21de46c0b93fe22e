/**
 * Outgoing connections with a deadline, with TLS where it is asked for.
 *
 * @module
 */

import { HELD_UP_MS } from "../base/clock.ts";
import type { ByteReader, ReadMode } from "./byte_source.ts";
import { HandledConn } from "./handled_conn.ts";
import { lookUp } from "./lookup.ts";
import { connectHandle, type HandleConnection, tcpBinding } from "./tcp_handle.ts";
import { secureDialed, type TlsToServers } from "./tls.ts";
import type { ByteSink } from "./write_batch.ts";

/** An open connection as the rest of the program sees it. */
export interface Connection extends ByteReader, ByteSink {
  close(): void;
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
}

/** The longest time after which the next address of a name is tried beside those before; milliseconds. */
const NEXT_ADDRESS_MS = 250;

/**
 * Connects to a TCP address. A name is looked up each time; its addresses are tried one after the other,
 * the next one when the one before has failed or has not answered for a while. The first that answers is
 * taken.
 *
 * @param hostname Name or address literal, without brackets.
 * @param port TCP port.
 * @param timeoutMs How long to try, lookup and all addresses together, in milliseconds.
 * @param tls How to speak TLS; without it, none is spoken.
 * @param mode How it is to be read by who wants to be told of pieces by a call, where that is possible; without it,
 * it is read by promises.
 * @returns The connection, with Nagle's algorithm off.
 * @throws {Error} With a short cause as message: `connection refused`, `timeout after 1000 ms`, …
 */
export async function dial(
  hostname: string,
  port: number,
  timeoutMs: number,
  tls?: TlsToServers,
  mode?: ReadMode,
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
      // It may be open for long, and its event has not been handled yet.
      const isLate = performance.now() - dueMs > HELD_UP_MS;
      timer = setTimeout(giveUp, isLate ? HELD_UP_MS : 0);
    }, timeoutMs);
  });
  // TLS is put on a connection that is read by promises, and so are BYOB readers.
  const isDirect = mode === "direct" && tls === undefined;
  const connect = isDirect ? connectDirectly : connectByDeno;
  const dialing = dialName(hostname, port, timeoutMs, connect, abort.signal);
  // A connection that comes after the deadline is closed.
  dialing.then((conn) => abort.signal.aborted && conn.close(), () => {});
  try {
    const conn = await Promise.race([dialing, late]);
    conn.setNoDelay(true);
    if (tls === undefined) return mode === "byob" ? withHandle(conn as Deno.TcpConn) : conn;
    late.catch(() => hangUp(conn));
    return await Promise.race([secureDialed(conn, hostname, tls), late]);
  } catch (error) {
    throw new Error(causeOf(error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function withHandle(conn: Deno.TcpConn): HandledConn {
  const handled = new HandledConn(conn, false);
  handled.addHandle();
  return handled;
}

async function dialName(
  hostname: string,
  port: number,
  timeoutMs: number,
  connect: Connect,
  signal: AbortSignal,
): Promise<Dialed> {
  const addresses = await lookUp(hostname);
  signal.throwIfAborted();
  const [only] = addresses;
  if (addresses.length === 1) return await connect(only!, port, signal);
  const pauseMs = Math.min(NEXT_ADDRESS_MS, timeoutMs / (addresses.length + 1));
  return await new FirstOf(addresses, port, pauseMs, connect, signal).connected;
}

/** Without TLS yet. */
type Dialed = Deno.TcpConn | HandleConnection;
/** Connects to one address. */
type Connect = (address: string, port: number, signal: AbortSignal) => Promise<Dialed>;

const connectByDeno: Connect = (address, port, signal) =>
  Deno.connect({ hostname: address, port, signal } as Deno.ConnectOptions);

/** A handle knows no zones (`fe80::1%eth0`). */
const connectDirectly: Connect = (address, port, signal) =>
  tcpBinding === undefined || address.includes("%")
    ? connectByDeno(address, port, signal)
    : connectHandle(tcpBinding, address, port, signal);

/** Tries several addresses for one connection. */
class FirstOf {
  /** The first connection; rejects when there is none at any of them. */
  readonly connected: Promise<Dialed>;
  readonly #left: string[];
  readonly #port: number;
  readonly #pauseMs: number;
  readonly #connect: Connect;
  readonly #end = new AbortController();
  readonly #failures: string[] = [];
  #trying = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #resolve!: (conn: Dialed) => void;
  #reject!: (error: Error) => void;

  constructor(
    addresses: readonly string[],
    port: number,
    pauseMs: number,
    connect: Connect,
    signal: AbortSignal,
  ) {
    this.#left = [...addresses];
    this.#port = port;
    this.#pauseMs = pauseMs;
    this.#connect = connect;
    this.connected = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal.addEventListener("abort", () => this.#stop());
    this.#tryNext();
  }

  #tryNext(): void {
    clearTimeout(this.#timer);
    const address = this.#left.shift();
    if (address === undefined) {
      if (this.#trying === 0) this.#reject(new Error(this.#failures.join(", ")));
      return;
    }
    this.#trying++;
    this.#timer = setTimeout(() => this.#tryNext(), this.#pauseMs);
    this.#connect(address, this.#port, this.#end.signal).then(
      (conn) => this.#end.signal.aborted ? hangUp(conn) : this.#succeed(conn),
      (error) => {
        this.#trying--;
        if (this.#end.signal.aborted) return;
        this.#failures.push(`${causeOf(error)} at ${address}`);
        this.#tryNext();
      },
    );
  }

  #succeed(conn: Dialed): void {
    this.#stop();
    this.#resolve(conn);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#end.abort();
  }
}

/** Writes all bytes, however many writes that takes. Borrows them until it resolves. */
export async function writeAll(connection: ByteSink, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** The address that a connection leads to, without its port. */
export function remoteHost({ remoteAddr }: Pick<Connection, "remoteAddr">): string {
  return remoteAddr.transport === "tcp" ? remoteAddr.hostname : "";
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
