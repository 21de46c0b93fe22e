/**
 * A connection with TLS on it, read and written as one without.
 *
 *     session, backend ◄─ read, write ─► TlsConnection ── node:tls ── SocketStream ◄─ TCP ─► peer
 *
 * `Deno.listenTls` asks for no client certificates and keeps its certificate for life; node:tls does both.
 * It stands on a stream over our own connection, so that listening, accepting and dialing are the same with
 * and without TLS.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ByteReader } from "./byte_source.ts";
import { holdToEnd } from "./hold_to_end.ts";
import type { ByteSink } from "./write_batch.ts";

/** Bytes that are read at first, and at most, at a time. */
const READ_BYTES = { min: 1024, max: 64 * 1024 };
/** Bytes that are encrypted at a time: the end of each is progress of a slow reader. */
const WRITE_BYTES_MAX = 64 * 1024;
/** How long the last bytes of a connection that is closed may take, in milliseconds. */
const CLOSE_MS = 1_000;

/** What TLS is put on: a TCP connection. */
export interface RawConnection extends ByteReader, ByteSink {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  closeWrite(): Promise<void>;
  close(): void;
}

/** A TCP connection as the stream that node:tls wants. */
export class SocketStream extends Duplex {
  readonly #raw: RawConnection;
  #buffer = new Uint8Array(READ_BYTES.min);
  /** Whether the peer has sent anything. */
  hasRead = false;
  /** Whether nobody takes what would be read. */
  #isHeld = false;
  #isWanted = false;
  #isClosed = false;

  /** Takes the connection: it is closed with the stream. */
  constructor(raw: RawConnection) {
    super({ allowHalfOpen: true, readableHighWaterMark: READ_BYTES.max });
    this.#raw = raw;
    // Whoever uses the stream is told by TLS; without a listener, an error would end the process.
    this.on("error", () => {});
  }

  /**
   * Reads no more until it is released. The socket of node:tls itself must not pause: it forgets an end
   * that comes meanwhile.
   */
  hold(): void {
    this.#isHeld = true;
  }

  /** Reads on. */
  release(): void {
    this.#isHeld = false;
    if (this.#isWanted) this._read();
  }

  override _read(): void {
    this.#isWanted = this.#isHeld;
    if (this.#isHeld) return;
    this.#raw.read(this.#buffer).then(
      (count) => {
        if (count === null) return this.push(null);
        this.hasRead = true;
        const chunk = Buffer.from(this.#buffer.subarray(0, count)); // a copy
        if (count === this.#buffer.length && count < READ_BYTES.max) {
          this.#buffer = new Uint8Array(count * 4);
        } else if (count < READ_BYTES.min / 2 && this.#buffer.length > READ_BYTES.min) {
          this.#buffer = new Uint8Array(READ_BYTES.min);
        }
        this.push(chunk);
      },
      (error) => this.destroy(error),
    );
  }

  override _write(bytes: Uint8Array, encoding: string, done: (error?: Error) => void): void {
    this.#raw.write(bytes).then((count) => {
      if (count === bytes.length) done();
      else this._write(bytes.subarray(count), encoding, done);
    }, done);
  }

  override _final(done: () => void): void {
    this.#raw.closeWrite().then(done, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      try {
        this.#raw.close();
      } catch {
        // The system has closed it.
      }
    }
    done(error);
  }
}

/** See the header. */
export class TlsConnection implements RawConnection {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  readonly certificateName: string | undefined;
  readonly isTls = true;
  readonly #raw: object;
  readonly #socket: TLSSocket;
  readonly #stream: SocketStream;
  /** Bytes that came and were not asked for yet; few, for reading is held while there are some. */
  readonly #arrived: Uint8Array[] = [];
  /** The one read that waits. */
  #reading: {
    readonly bytes: Uint8Array;
    resolve(count: number | null): void;
    reject(error: Error): void;
  } | null = null;
  #writeFailed: ((error: Error) => void) | null = null;
  #hasEnded = false;
  #failure: Error | null = null;
  #isClosing = false;

  /** Takes a socket whose handshake is done, and the stream on which it stands. */
  constructor(
    socket: TLSSocket,
    stream: SocketStream,
    raw: Pick<RawConnection, "localAddr" | "remoteAddr">,
    certificateName?: string,
  ) {
    this.#raw = raw;
    this.#socket = socket;
    this.#stream = stream;
    this.localAddr = raw.localAddr;
    this.remoteAddr = raw.remoteAddr;
    this.certificateName = certificateName;
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.on("end", () => this.#ended());
    socket.on("error", (error: Error) => this.#failed(error));
    socket.on("close", () => this.#failed(new Error("connection closed")));
  }

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#arrived.length > 0) return Promise.resolve(this.#give(bytes));
    if (this.#hasEnded) return Promise.resolve(null);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#reading = { bytes, resolve, reject };
      this.#stream.release();
    });
  }

  #take(chunk: Uint8Array): void {
    this.#arrived.push(chunk);
    const reading = this.#reading;
    if (reading !== null) {
      this.#reading = null;
      reading.resolve(this.#give(reading.bytes));
    }
    // Whoever reads one piece after another asks for the next one before anything was read.
    this.#stream.hold();
  }

  #give(bytes: Uint8Array): number {
    const chunk = this.#arrived[0]!;
    const count = Math.min(chunk.length, bytes.length);
    if (count === chunk.length) {
      bytes.set(chunk);
      this.#arrived.shift();
    } else {
      bytes.set(chunk.subarray(0, count));
      this.#arrived[0] = chunk.subarray(count);
    }
    return count;
  }

  #ended(): void {
    this.#hasEnded = true;
    this.#reading?.resolve(null);
    this.#reading = null;
  }

  #failed(error: Error): void {
    this.#failure ??= error;
    this.#reading?.reject(this.#failure);
    this.#reading = null;
    this.#writeFailed?.(this.#failure);
    this.#writeFailed = null;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const piece = bytes.length > WRITE_BYTES_MAX ? bytes.subarray(0, WRITE_BYTES_MAX) : bytes;
    return new Promise((resolve, reject) => {
      this.#writeFailed = reject;
      this.#socket.write(piece, (error) => {
        if (error) return reject(error);
        this.#writeFailed = null;
        resolve(piece.length);
      });
    });
  }

  holdToEnd(): void {
    holdToEnd(this.#raw);
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  /** Says goodbye to the peer, as far as it takes that at once, and closes. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const socket = this.#socket;
    if (this.#failure !== null || this.#writeFailed !== null) return void socket.destroy();
    const late = setTimeout(() => socket.destroy(), CLOSE_MS);
    socket.on("close", () => clearTimeout(late));
    socket.destroySoon();
  }
}
