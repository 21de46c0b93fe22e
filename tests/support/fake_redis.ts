/**
 * A Redis server that does what a test tells it: any bytes, silence, a broken connection.
 *
 * @module
 */

import { decodeReply } from "./resp_value.ts";

/** A connection that somebody opened to the fake server. */
export interface FakeConnection {
  /** Counts from 0 in the order of arrival. */
  readonly id: number;
  /** Sends bytes as they are. */
  send(data: string | Uint8Array): Promise<void>;
  /** Breaks the connection. */
  close(): void;
}

/**
 * Answers one request: bytes to send as they are, or `hang` to send nothing, or `disconnect`.
 */
export type FakeReply = string | Uint8Array | "hang" | "disconnect";

/** The script of a fake server. */
export type FakeScript = (
  words: string[],
  connection: FakeConnection,
) => FakeReply | Promise<FakeReply>;

/** Does what every backend must do before the scripted part: greetings succeed, keys are absent. */
export function answerNothing([name]: string[]): FakeReply {
  switch (name?.toUpperCase()) {
    case "PING":
      return "+PONG\r\n";
    case "HELLO":
      return "%1\r\n+proto\r\n:3\r\n";
    case "AUTH":
    case "SELECT":
      return "+OK\r\n";
    case "GET":
      return "$-1\r\n";
  }
  return `-ERR unknown command '${name}'\r\n`;
}

/** The same of a codis-server, which says in which slot a key is. */
export function answerLikeCodis(words: string[]): FakeReply {
  return words[0] === "SLOTSHASHKEY" ? "*1\r\n:0\r\n" : answerNothing(words);
}

/** A scripted server on a free port; `await using fake = new FakeRedis(script)`. */
export class FakeRedis implements AsyncDisposable {
  readonly port: number;
  /** `host:port`, as config.ini writes it. */
  readonly addr: string;
  /** Every request that arrived on any connection, as text. */
  readonly received: string[][] = [];
  /** How many connections were opened so far. */
  connectionCount = 0;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #script: FakeScript;
  readonly #accepting: Promise<void>;
  readonly #waiters: (() => void)[] = [];

  /** Starts listening at once. */
  constructor(script: FakeScript = answerNothing, port = 0) {
    this.#script = script;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.port = this.#listener.addr.port;
    this.addr = `127.0.0.1:${this.port}`;
    this.#accepting = this.#accept();
  }

  /** Waits until at least `count` requests have arrived. */
  async waitForRequests(count: number): Promise<void> {
    while (this.received.length < count) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Breaks every open connection; new ones are accepted. */
  disconnectAll(): void {
    for (const conn of [...this.#open]) this.#close(conn);
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const conn of this.#listener) serving.push(this.#serve(conn));
    await Promise.all(serving);
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    this.#open.add(conn);
    const connection: FakeConnection = {
      id: this.connectionCount++,
      send: (data) => sendAll(conn, data),
      close: () => this.#close(conn),
    };
    try {
      for await (const words of requestsOf(conn)) {
        this.received.push(words);
        for (const wake of this.#waiters.splice(0)) wake();
        const reply = await this.#script(words, connection);
        if (reply === "disconnect") break;
        if (reply !== "hang") await sendAll(conn, reply);
      }
    } catch (error) {
      // The peer, or the test, has broken the connection: that is what this server is for.
      if (
        this.#open.has(conn) && !(error instanceof Deno.errors.ConnectionReset) &&
        !(error instanceof Deno.errors.BrokenPipe)
      ) throw error;
    } finally {
      this.#close(conn);
    }
  }

  #close(conn: Deno.TcpConn): void {
    if (this.#open.delete(conn)) conn.close();
  }

  /** Stops listening and breaks every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.disconnectAll();
    await this.#accepting;
  }
}

async function sendAll(conn: Deno.TcpConn, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Yields the requests of a connection; they look like arrays of bulk strings. */
async function* requestsOf(conn: Deno.TcpConn): AsyncGenerator<string[]> {
  let received = new Uint8Array(0);
  const chunk = new Uint8Array(64 * 1024);
  for (;;) {
    const request = received.length === 0 ? undefined : decodeReply(received, 0);
    if (request !== undefined) {
      received = received.slice(request.end);
      yield (request.value as string[]).map(String);
      continue;
    }
    const count = await conn.read(chunk);
    if (count === null) return;
    const grown = new Uint8Array(received.length + count);
    grown.set(received);
    grown.set(chunk.subarray(0, count), received.length);
    received = grown;
  }
}
