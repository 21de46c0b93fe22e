/**
 * The listening socket.
 *
 * @module
 */

import type { Acceptable, Listener } from "./acceptor.ts";
import type { ReadMode } from "./byte_source.ts";
import { causeOf, type Connection } from "./dial.ts";
import { HandledConn } from "./handled_conn.ts";
import { listenByHandle } from "./handle_listener.ts";

/** What is listened at. */
interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** A client's connection. */
export interface AcceptedConnection extends Connection {
  /** Ends the sending direction; the client sees end-of-file. */
  closeWrite(): Promise<void>;
  /** What is written from now on and the end reach the client together, where the system can be told so. */
  holdToEnd?(): void;
  /**
   * The common name of the client's certificate, which was verified; `""` when it has none, `undefined`
   * without a certificate.
   */
  readonly certificateName?: string | undefined;
  /** Whether the client speaks TLS. @default false */
  readonly isTls?: boolean;
}

/**
 * Connections that may wait to be accepted; the system's limit is mostly lower (`net.core.somaxconn`). Clients beyond
 * it try again after one second, then after two more: those of a whole fleet come back at once.
 */
const BACKLOG = 65_535;

/** Which IP versions to listen with; the value of config key `proto`. */
export type ListenProto = "tcp" | "tcp4" | "tcp6";

/** The addresses that only this machine can connect to. */
export const LOOPBACK: Readonly<Record<ListenProto, readonly string[]>> = {
  tcp: ["127.0.0.1", "::1"],
  tcp4: ["127.0.0.1"],
  tcp6: ["::1"],
};

/** Opens a socket, or throws the system's error. */
type Open<Socket> = (
  options: Deno.TcpListenOptions & { port: number; tcpBacklog: number },
) => Socket;

/** A client's connection that was just accepted. */
export type ClientConnection = AcceptedConnection & Acceptable;

const openByDeno: Open<Deno.TcpListener> = (options) => Deno.listen(options);
/** By the way in which they are read. */
const OPEN_FOR_CLIENTS: Readonly<Record<ReadMode, Open<Listener<ClientConnection>>>> = {
  byob: (options) => {
    const listener = openByDeno(options);
    const take = (conn: Deno.TcpConn) => new HandledConn(conn, true);
    return {
      addr: listener.addr,
      accept: () => listener.accept().then(take),
      close: () => listener.close(),
    };
  },
  direct: (options) => listenByHandle(options) ?? openByDeno(options),
};

/**
 * Binds a TCP address.
 *
 * @param hostname Address to bind, without brackets; empty for every interface of `proto`.
 * @param port TCP port; 0 lets the system choose.
 * @param proto Which IP versions an empty hostname stands for; `tcp` is both where there are both.
 * @param reusePort Lets others share the port; the kernel spreads connections over them.
 * @returns The listener.
 * @throws {Error} Naming the address and the reason, for example a port in use.
 */
export function listen(
  hostname: string,
  port: number,
  proto: ListenProto = "tcp",
  reusePort = false,
): Deno.TcpListener {
  return bindAny({ hostname, port }, proto, reusePort, openByDeno);
}

function bindAny<Socket>(
  { hostname, port }: Place,
  proto: ListenProto,
  reusePort: boolean,
  open: Open<Socket>,
): Socket {
  if (hostname !== "") return bind(hostname, port, reusePort, open);
  if (proto === "tcp4") return bind("0.0.0.0", port, reusePort, open);
  try {
    return bind("::", port, reusePort, open);
  } catch (error) {
    const isBusy = error instanceof Error && error.cause instanceof Deno.errors.AddrInUse;
    if (proto === "tcp6" || isBusy) throw error;
    return bind("0.0.0.0", port, reusePort, open); // a machine without IPv6
  }
}

/**
 * Binds a TCP address that other sockets may share: those of workers, and of the process that takes over.
 *
 * @param isBeside Whether another socket is to be there; if not, and one is, shared or not, that is an error.
 * @throws {Error} As {@linkcode listen}.
 */
export function listenShared(
  place: Place,
  proto: ListenProto = "tcp",
  isBeside = false,
): Deno.TcpListener {
  return bindShared(place, proto, isBeside, openByDeno);
}

/**
 * Binds as {@linkcode listenShared} does, for thousands of clients that ask for little at a time.
 *
 * @param mode How they are read.
 */
export function listenForClients(
  mode: ReadMode,
  place: Place,
  proto: ListenProto = "tcp",
  isBeside = false,
): Listener<ClientConnection> {
  return bindShared(place, proto, isBeside, OPEN_FOR_CLIENTS[mode]);
}

function bindShared<Socket>(
  place: Place,
  proto: ListenProto,
  isBeside: boolean,
  open: Open<Socket>,
): Socket {
  if (!canSharePort()) return bindAny(place, proto, false, open);
  const { hostname, port } = place;
  const free = isBeside ? port : findFree(hostname, port, proto).port;
  return bindAny({ hostname, port: free }, proto, true, open);
}

/**
 * Finds out that nobody else has an address: one that others share looks free to who shares it, too.
 *
 * @returns The address, with the port that the system chose for 0.
 * @throws {Error} As {@linkcode listen}.
 */
export function findFree(hostname: string, port: number, proto: ListenProto): Deno.NetAddr {
  const alone = listen(hostname, port, proto);
  alone.close();
  return alone.addr as Deno.NetAddr;
}

/**
 * Whether workers can share a port with {@linkcode listen}: elsewhere than on Linux, one socket would get
 * all connections.
 */
export function canSharePort(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    bind("127.0.0.1", 0, true, openByDeno).close();
    return true;
  } catch {
    return false;
  }
}

function bind<Socket>(
  hostname: string,
  port: number,
  reusePort: boolean,
  open: Open<Socket>,
): Socket {
  try {
    const options = { hostname, port, tcpBacklog: BACKLOG };
    return open(reusePort ? { ...options, reusePort } : options);
  } catch (error) {
    const lacks = hostname === "127.0.0.1" && error instanceof Deno.errors.AddrNotAvailable;
    const why = lacks
      ? `this machine has no 127.0.0.1; with IPv6 alone, set proto = tcp6, or name [::1]:${port}`
      : causeOf(error);
    throw new Error(`cannot listen on ${hostname}:${port}: ${why}`, { cause: error });
  }
}

/** An address as `host:port`, IPv6 literals in brackets; empty for what is no TCP address. */
export function printAddress(address: Deno.Addr): string {
  if (!("hostname" in address)) return "";
  // A socket for both IP versions shows IPv4 clients in IPv6 dress.
  const hostname = address.hostname.replace(/^::ffff:(?=\d+\.)/, "");
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${address.port}`;
}
