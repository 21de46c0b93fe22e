/**
 * Connections by the TCP handle that Deno has for node:net: it calls back when bytes are there. With
 * `read_mode = direct` they are made and accepted so, with `byob` they have one beside ({@linkcode HandledConn}).
 *
 *     HandleConnection ─┬─ pieces: a call for each, in the turn in which they come
 *                       └─ read(): a promise for one
 *
 * A `Deno.Conn` keeps a promise, and what belongs to it, for each read that waits. With a thousand clients that
 * outlives collections, which copy it; a handle that waits keeps nothing. It also writes at once what the system
 * takes. The handle is no documented interface: where it is not as it is known here, `Deno.listen` and
 * `Deno.connect` are used.
 *
 * @module
 */

import process from "node:process";
import type { PieceOwner } from "./byte_source.ts";
import { endPiece } from "./turn.ts";
import type { WriteOwner } from "./write_batch.ts";

/** What is used of Deno's `TCPWrap`; calls answer 0, or an error of the system as a negative number. */
export interface TcpHandle {
  owner: unknown;
  onread: (this: TcpHandle) => void;
  onconnection: (this: TcpHandle, status: number) => void;
  bindWithFlags(address: string, port: number, flags: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(request: HandleRequest, address: string, port: number): number;
  connect6(request: HandleRequest, address: string, port: number): number;
  listen(backlog: number): number;
  accept(client: TcpHandle): number;
  /** Takes a second descriptor of the connection that Deno knows under a number. */
  openFromRid(number: number): number;
  getsockname(to: SocketName): number;
  getpeername(to: SocketName): number;
  setNoDelay(isOn: boolean): number;
  setKeepAlive(isOn: boolean, seconds: number): number;
  /** Where the next reads put their bytes. */
  useUserBuffer(bytes: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number;
  shutdown(request: HandleRequest): number;
  close(closed: () => void): void;
}

/** What a handle answers later. */
export interface HandleRequest {
  /** Keeps what is written. */
  buffer?: Uint8Array | undefined;
  oncomplete: (status: number) => void;
}

/** What a handle tells of an address. */
export interface SocketName {
  address?: string;
  port?: number;
}

/** What Deno has for handles. */
export interface TcpBinding {
  readonly Tcp: new (kind: number) => TcpHandle;
  /** What the last call of a handle has done, by the places below. */
  readonly state: Int32Array;
}

/** Kind of a handle that is a connection, for `new Tcp()`. */
export const SOCKET = 0;
/** Places in the state. */
const READ_BYTES_OR_ERROR = 0;
const LAST_WRITE_WAS_ASYNC = 3;
/** What is read at the end. */
const END_OF_FILE = -4095;
const RESET = -104;
/** The system's errors that a connection may have, with the class and the words that Deno has for them. */
const ERRORS: Readonly<Record<number, () => Error>> = {
  [-24]: () => new Error("Too many open files"),
  [-32]: () => new Deno.errors.BrokenPipe("broken pipe"),
  [-99]: () => new Deno.errors.AddrNotAvailable("Cannot assign requested address"),
  [-101]: () => new Deno.errors.NetworkUnreachable("Network is unreachable"),
  [RESET]: () => new Deno.errors.ConnectionReset("connection reset by peer"),
  [-110]: () => new Deno.errors.TimedOut("Connection timed out"),
  [-111]: () => new Deno.errors.ConnectionRefused("connection refused"),
  [-113]: () => new Error("No route to host"),
};

const NOWHERE: Deno.NetAddr = { transport: "tcp", hostname: "0.0.0.0", port: 0 };

/** Bytes that are written at a time: the end of each is progress of a slow reader. */
const WRITE_BYTES_MAX = 64 * 1024;
/** `undefined` where handles are not as they are known here. */
export const tcpBinding = openBinding();

function openBinding(): TcpBinding | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const Tcp = binding("tcp_wrap").TCP as TcpBinding["Tcp"];
    const state = binding("stream_wrap").streamBaseState as Int32Array;
    const handle = new Tcp(SOCKET);
    const isKnown = state instanceof Int32Array && typeof handle.useUserBuffer === "function" &&
      typeof handle.bindWithFlags === "function" && typeof handle.writeBuffer === "function" &&
      typeof handle.connect === "function" && typeof handle.connect6 === "function" &&
      typeof handle.openFromRid === "function";
    handle.close(() => {});
    return isKnown ? { Tcp, state } : undefined;
  } catch {
    return undefined;
  }
}

/** The address of one end of a handle. @throws {Deno.errors.NotConnected} When there is none. */
export function socketAddress(ask: (to: SocketName) => number): Deno.NetAddr {
  const to: SocketName = {};
  if (ask(to) !== 0) throw new Deno.errors.NotConnected("the peer is gone");
  return { transport: "tcp", hostname: to.address!, port: to.port! };
}

function onRead(this: TcpHandle): void {
  (this.owner as HandleConnection).arrived(tcpBinding!.state[READ_BYTES_OR_ERROR]!);
}

function interrupted(): Error {
  return new Deno.errors.Interrupted("connection closed");
}

function errorOf(status: number): Error {
  return ERRORS[status]?.() ?? new Error(`the system's error ${-status}`);
}

/**
 * Connects to an address as `Deno.connect` does.
 *
 * @param signal Ends the attempt.
 * @throws {Error} What has failed, or why the attempt has ended.
 */
export function connectHandle(
  { Tcp }: TcpBinding,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<HandleConnection> {
  const handle = new Tcp(SOCKET);
  const { promise, resolve, reject } = Promise.withResolvers<HandleConnection>();
  const giveUp = (error: unknown) => {
    handle.close(() => {});
    reject(error);
  };
  const abort = () => giveUp(signal.reason);
  const oncomplete = (status: number) => {
    signal.removeEventListener("abort", abort);
    const connection = status === 0 ? HandleConnection.of(handle) : undefined;
    if (connection === undefined) giveUp(errorOf(status || RESET));
    else resolve(connection);
  };
  signal.addEventListener("abort", abort, { once: true });
  const failure = address.includes(":")
    ? handle.connect6({ oncomplete }, address, port)
    : handle.connect({ oncomplete }, address, port);
  if (failure !== 0) oncomplete(failure);
  return promise;
}

/** A connection that was accepted, or made. */
export class HandleConnection {
  readonly remoteAddr: Deno.Addr;

  readonly #handle: TcpHandle;
  #localAddr: Deno.Addr | undefined;
  /** Whether the handle reads. */
  #isReading = false;
  /** Where it reads to. */
  #buffer: Uint8Array | null = null;
  #isClosed = false;
  /** Who waits for a piece. */
  #pieceOwner: PieceOwner | null = null;
  /** Who waits for a read. */
  #reader: PromiseWithResolvers<number | null> | null = null;
  #writeOwner: WriteOwner | null = null;
  #writing = 0;
  readonly #request: HandleRequest;

  /** Takes the handle of a connection; `undefined` when the peer is gone already. */
  static of(handle: TcpHandle): HandleConnection | undefined {
    try {
      return new HandleConnection(handle);
    } catch {
      return undefined;
    }
  }

  /** Takes a handle that was opened beside a connection. */
  static beside(
    { remoteAddr }: Pick<Deno.Conn, "remoteAddr">,
    handle: TcpHandle,
  ): HandleConnection {
    return new HandleConnection(handle, remoteAddr);
  }

  private constructor(handle: TcpHandle, peer?: Deno.Addr) {
    this.#handle = handle;
    handle.owner = this;
    handle.onread = onRead;
    this.#request = { buffer: undefined, oncomplete: (status) => this.#wrote(status) };
    this.remoteAddr = peer ?? socketAddress((to) => handle.getpeername(to));
  }

  /** Asked of the system when it is wanted; no port of no address when the connection is gone by then. */
  get localAddr(): Deno.Addr {
    if (this.#localAddr === undefined) {
      try {
        this.#localAddr = socketAddress((to) => this.#handle.getsockname(to));
      } catch {
        return NOWHERE;
      }
    }
    return this.#localAddr;
  }

  setNoDelay(isOn: boolean): void {
    this.#handle.setNoDelay(isOn);
  }

  /** The system chooses the times. */
  setKeepAlive(isOn: boolean): void {
    this.#handle.setKeepAlive(isOn, 0);
  }

  // -- reading ----------------------------------------------------------------------------------

  /** Tells the owner of the next piece, of the end or of a failure; once. No other read is under way. */
  readPiece(bytes: Uint8Array, owner: PieceOwner): void {
    this.#pieceOwner = owner;
    this.#readTo(bytes);
  }

  read(bytes: Uint8Array): Promise<number | null> {
    this.#reader = Promise.withResolvers();
    const { promise } = this.#reader;
    this.#readTo(bytes);
    return promise;
  }

  #readTo(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#buffer !== bytes) {
      this.#buffer = bytes;
      this.#handle.useUserBuffer(bytes);
    }
    if (this.#isReading) return;
    this.#isReading = true;
    this.#handle.readStart();
  }

  /** Called by the handle. @param count Bytes that were read, or what has failed. */
  arrived(count: number): void {
    const owner = this.#pieceOwner;
    const reader = this.#reader;
    this.#pieceOwner = this.#reader = null;
    if (count < 0) this.#stopReading();
    if (owner !== null) {
      if (count > 0) {
        owner.pieceArrived(count);
        endPiece();
      } else if (count === END_OF_FILE) owner.pieceEnded();
      else owner.pieceFailed(errorOf(count));
    } else if (count >= 0) reader?.resolve(count);
    else if (count === END_OF_FILE) reader?.resolve(null);
    else reader?.reject(errorOf(count));
    // The handle would go on reading; mostly the next piece is wanted already.
    if (this.#pieceOwner === null && this.#reader === null) this.#stopReading();
  }

  #stopReading(): void {
    if (!this.#isReading || this.#isClosed) return;
    this.#isReading = false;
    this.#handle.readStop();
    // What follows may have moved the memory behind it.
    this.#buffer = null;
  }

  // -- writing ----------------------------------------------------------------------------------

  writeNow(bytes: Uint8Array, owner: WriteOwner): number {
    const request = this.#request;
    const part = bytes.length > WRITE_BYTES_MAX ? bytes.subarray(0, WRITE_BYTES_MAX) : bytes;
    if (this.#isClosed) {
      queueMicrotask(() => owner.writeEnded(new Deno.errors.BadResource("connection closed"), 0));
      return 0;
    }
    const failure = this.#handle.writeBuffer(request, part);
    if (failure !== 0) {
      queueMicrotask(() => owner.writeEnded(errorOf(failure), 0));
      return 0;
    }
    if (tcpBinding!.state[LAST_WRITE_WAS_ASYNC] === 0) return part.length;
    request.buffer = part;
    this.#writing = part.length;
    this.#writeOwner = owner;
    return 0;
  }

  #wrote(status: number): void {
    if (this.#isClosed) return; // it is told when the handle is closed
    const owner = this.#writeOwner;
    this.#writeOwner = null;
    this.#request.buffer = undefined;
    owner?.writeEnded(status === 0 ? null : errorOf(status), this.#writing);
  }

  write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const count = this.writeNow(bytes, {
      writeEnded: (error, written) => error === null ? resolve(written) : reject(error),
    });
    if (count > 0 || bytes.length === 0) resolve(count);
    return promise;
  }

  closeWrite(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const oncomplete = (status: number) => status === 0 ? resolve() : reject(errorOf(status));
    const failure = this.#isClosed ? RESET : this.#handle.shutdown({ oncomplete });
    if (failure !== 0) reject(errorOf(failure));
    return promise;
  }

  /** Closes it; what is under way fails. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close(() => {
      this.#reader?.reject(interrupted());
      this.#reader = this.#pieceOwner = this.#buffer = null;
      this.#writeOwner?.writeEnded(interrupted(), 0);
      this.#writeOwner = null;
    });
  }
}
