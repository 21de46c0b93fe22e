/**
 * A small Redis client that hides nothing: it sends any bytes and shows every byte it gets.
 *
 * @module
 */

import { decodeReply, type RespValue } from "./resp_value.ts";

/** One reply: the bytes it came in and what they mean. */
export interface Reply {
  readonly raw: Uint8Array;
  readonly value: RespValue;
}

/** A word of a request. */
export type Word = string | number | Uint8Array;

const READ_TIMEOUT_MS = 10_000;
const READ_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/** Encodes requests as clients send them: arrays of bulk strings, one after the other. */
export function encodeRequests(requests: readonly (readonly Word[])[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const words of requests) {
    parts.push(encoder.encode(`*${words.length}\r\n`));
    for (const word of words) {
      const bytes = word instanceof Uint8Array ? word : encoder.encode(`${word}`);
      parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n"));
    }
  }
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One connection. `using client = await RespClient.connect(port)` closes it. */
export class RespClient implements Disposable {
  /** The connection itself, for tests that treat it badly. */
  readonly conn: Deno.TcpConn | Deno.TlsConn;
  /** What was received and not read yet is `#buffer[#start..#end)`. */
  #buffer = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;
  #isClosed = false;
  readonly #readMs: number;

  private constructor(conn: Deno.TcpConn | Deno.TlsConn, readMs: number) {
    this.conn = conn;
    this.#readMs = readMs;
    if ("setNoDelay" in conn) conn.setNoDelay(true);
  }

  /** Takes a connection that was opened elsewhere. */
  static on(conn: Deno.TcpConn | Deno.TlsConn): RespClient {
    return new RespClient(conn, READ_TIMEOUT_MS);
  }

  /**
   * Connects to a port of 127.0.0.1 or of another host.
   *
   * @param readMs Longest wait for a byte, in milliseconds.
   */
  static async connect(
    port: number,
    hostname = "127.0.0.1",
    readMs = READ_TIMEOUT_MS,
  ): Promise<RespClient> {
    return new RespClient(await Deno.connect({ hostname, port }), readMs);
  }

  /** Sends bytes as they are. */
  async sendRaw(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** Sends one request. */
  async send(...words: Word[]): Promise<void> {
    await this.sendRaw(encodeRequests([words]));
  }

  /** Reads one reply. Throws when the connection ends or nothing comes for too long. */
  async read(): Promise<Reply> {
    for (;;) {
      const received = this.#buffer.subarray(0, this.#end);
      const decoded = this.#start === this.#end ? undefined : decodeReply(received, this.#start);
      if (decoded !== undefined) {
        const raw = received.slice(this.#start, decoded.end);
        this.#start = decoded.end;
        return { raw, value: decoded.value };
      }
      if (!await this.#receive()) throw new Error("the connection was closed");
    }
  }

  /** Sends one request and returns its decoded reply; an error reply is a value too. */
  async call(...words: Word[]): Promise<RespValue> {
    await this.send(...words);
    return (await this.read()).value;
  }

  /** Sends requests at once and reads all their replies. */
  async pipeline(requests: readonly (readonly Word[])[]): Promise<Reply[]> {
    const sent = this.sendRaw(encodeRequests(requests));
    const replies: Reply[] = [];
    for (let i = 0; i < requests.length; i++) replies.push(await this.read());
    await sent;
    return replies;
  }

  /** Reads all that comes until the other side closes the connection. */
  async readToEnd(): Promise<Uint8Array> {
    while (await this.#receive());
    const bytes = this.#buffer.slice(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  /** Ends the sending direction and leaves the other open. */
  async closeWrite(): Promise<void> {
    await this.conn.closeWrite();
  }

  /** Returns false at the end of the connection. */
  async #receive(): Promise<boolean> {
    this.#makeRoom();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, this.#readMs);
    try {
      const count = await this.conn.read(this.#buffer.subarray(this.#end));
      if (count === null) return false;
      this.#end += count;
      return true;
    } catch (error) {
      if (isLate) throw new Error(`nothing was received for ${this.#readMs} ms`);
      if (error instanceof Deno.errors.ConnectionReset) return false;
      // A process that ends says no goodbye in TLS.
      if (error instanceof Deno.errors.UnexpectedEof) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #makeRoom(): void {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#buffer.length - this.#end >= READ_BYTES) return;
    const grown = new Uint8Array(this.#buffer.length * 2);
    grown.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = grown;
  }

  /** Closes the connection; may be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
