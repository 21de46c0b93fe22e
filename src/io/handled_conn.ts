/**
 * A `Deno.Conn` with a TCP handle beside it, for pieces that are small:
 *
 *     Deno.listen, Deno.connect ──► Deno.Conn ─┬─ read(), write(): a promise for each
 *                                              └─ addHandle() ──► readPiece(), writeNow(): a call for each
 *
 * Both have the same socket, and only one of them reads or writes at a time. The handle has a descriptor of its
 * own: a `Deno.Conn` that is closed ends the socket's sending direction, so it must stay open.
 *
 * @module
 */

import type { PieceOwner } from "./byte_source.ts";
import { holdToEnd } from "./hold_to_end.ts";
import { internalNumber } from "./internal_number.ts";
import { HandleConnection, SOCKET, tcpBinding } from "./tcp_handle.ts";
import type { WriteOwner } from "./write_batch.ts";

/** How many clients of this thread may have a handle; each takes a descriptor that no client needs. */
export const clientHandles = {
  max: 0,
  open: 0,
};

/** See the header. */
export class HandledConn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  /** As {@linkcode ByteReader.readPiece}; there with a handle. */
  readPiece: ((bytes: Uint8Array, owner: PieceOwner) => void) | undefined = undefined;
  /** As {@linkcode ByteSink.writeNow}; there when the handle has read a piece. */
  writeNow: ((bytes: Uint8Array, owner: WriteOwner) => number) | undefined = undefined;

  readonly #conn: Deno.TcpConn;
  readonly #isClient: boolean;
  #handle: HandleConnection | null = null;
  #isClosed = false;

  /** @param isClient Whether its handle is one of {@linkcode clientHandles}. */
  constructor(conn: Deno.TcpConn, isClient: boolean) {
    this.#conn = conn;
    this.#isClient = isClient;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
  }

  /** Opens the handle, if there is room and Deno has handles as they are known here. */
  addHandle(): void {
    if (this.#handle !== null || tcpBinding === undefined || this.#isClosed) return;
    if (this.#isClient && clientHandles.open >= clientHandles.max) return;
    const number = internalNumber(this.#conn, "rid");
    if (number === undefined) return;
    const handle = new tcpBinding.Tcp(SOCKET);
    if (handle.openFromRid(number) !== 0) {
      // No descriptor is left: those who are here are enough.
      if (this.#isClient) clientHandles.max = clientHandles.open;
      return handle.close(() => {});
    }
    this.#handle = HandleConnection.beside(this, handle);
    this.readPiece = readFirst;
    if (this.#isClient) clientHandles.open++;
  }

  /** The handle, which there must be. */
  get handle(): HandleConnection {
    return this.#handle!;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    return this.#conn.read(bytes);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  setNoDelay(isOn: boolean): void {
    this.#conn.setNoDelay(isOn);
  }

  setKeepAlive(isOn: boolean): void {
    this.#conn.setKeepAlive(isOn);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  holdToEnd(): void {
    holdToEnd(this.#conn);
  }

  /** @throws {Error} When it is closed already. */
  close(): void {
    if (!this.#isClosed && this.#handle !== null) {
      this.#handle.close();
      if (this.#isClient) clientHandles.open--;
    }
    this.#isClosed = true;
    this.#conn.close();
  }
}

function readFirst(this: HandledConn, bytes: Uint8Array, owner: PieceOwner): void {
  this.readPiece = readSecond;
  this.handle.readPiece(bytes, owner);
}

/** There was a piece before. A handle that has read none takes the end of what its peer sends for that of both. */
function readSecond(this: HandledConn, bytes: Uint8Array, owner: PieceOwner): void {
  this.readPiece = readPiece;
  this.writeNow = writeNow;
  this.handle.readPiece(bytes, owner);
}

function readPiece(this: HandledConn, bytes: Uint8Array, owner: PieceOwner): void {
  this.handle.readPiece(bytes, owner);
}

function writeNow(this: HandledConn, bytes: Uint8Array, owner: WriteOwner): number {
  return this.handle.writeNow(bytes, owner);
}
