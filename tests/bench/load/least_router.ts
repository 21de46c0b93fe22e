/**
 * The least that a proxy of this kind does: finds requests, places each by its key at one of the servers, over a
 * connection that all clients share, and gives each client its replies in order. It checks, counts and watches
 * nothing, knows requests with a key and replies of one line or bulk, and ends when a server does.
 *
 *     deno run --allow-net tests/bench/load/least_router.ts PORT SERVER_PORT SERVER_PORT…
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { copyBytes } from "../../../src/io/copy_bytes.ts";
import { SOCKET, tcpBinding, type TcpHandle } from "../../../src/io/tcp_handle.ts";
import { keyHashOf, SLOT_COUNT } from "../../../src/hash/slot_id.ts";

const { Tcp, state } = tcpBinding!;
const LISTENER = 1;
const READ_BYTES = 0;
const IS_WRITING = 3;
const BUFFER_BYTES = 64 * 1024;
const CR = 13;
const DOLLAR = 36;
/** Requests that a client, and replies that a server may have under way: powers of two. */
const CLIENT_REQUESTS = 1_024;
const SERVER_REQUESTS = 1 << 17;
/** The longest reply that may wait for its turn. */
const HELD_BYTES = 128;
const REFUSAL = new TextEncoder().encode("-ERR no such command\r\n");
const WRITE = { oncomplete() {} };

/** Bytes that are written at the end of the turn. */
class Output {
  #bytes = new Uint8Array(BUFFER_BYTES);
  #length = 0;

  constructor(readonly handle: TcpHandle) {}

  append(bytes: Uint8Array, start: number, end: number): void {
    if (this.#length === 0 && outputs.push(this) === 1) setImmediate(flushAll);
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    copyBytes(this.#bytes, this.#length, bytes, start, end);
    this.#length = length;
  }

  flush(): void {
    this.handle.writeBuffer(WRITE, this.#bytes.subarray(0, this.#length));
    if (state[IS_WRITING] !== 0) this.#bytes = new Uint8Array(this.#bytes.length);
    this.#length = 0;
  }
}

let outputs: Output[] = [];

function flushAll(): void {
  const all = outputs;
  outputs = [];
  for (const output of all) output.flush();
}

/** Reads from a handle; `take` returns how many of the bytes it has used. */
function read(handle: TcpHandle, take: (bytes: Uint8Array, length: number) => number): void {
  let bytes = new Uint8Array(BUFFER_BYTES);
  let length = 0;
  handle.onread = () => {
    if (state[READ_BYTES]! <= 0) return handle.close(() => {});
    length += state[READ_BYTES]!;
    const used = take(bytes, length);
    const rest = length - used;
    if (used === 0 && rest === bytes.length) {
      const larger = new Uint8Array(2 * rest);
      larger.set(bytes);
      bytes = larger;
    } else if (rest > 0) bytes.copyWithin(0, used, length);
    length = rest;
    handle.useUserBuffer(bytes.subarray(length));
  };
  handle.useUserBuffer(bytes);
  handle.readStart();
}

/** Where the number that ends with CR LF ends, and what it is; the end is behind `length` where it has not all come. */
function numberAt(bytes: Uint8Array, at: number, length: number): number {
  number = 0;
  while (at < length && bytes[at] !== CR) number = 10 * number + bytes[at++]! - 48;
  return at + 2;
}

let number = 0;

class Client {
  readonly output: Output;
  asked = 0;
  answered = 0;
  readonly #held = new Uint8Array(CLIENT_REQUESTS * HELD_BYTES);
  readonly #heldBytes = new Int32Array(CLIENT_REQUESTS);

  constructor(handle: TcpHandle) {
    this.output = new Output(handle);
  }

  replied(request: number, bytes: Uint8Array, start: number, end: number): void {
    if (request !== this.answered) {
      const place = request & (CLIENT_REQUESTS - 1);
      if (end - start > HELD_BYTES || request - this.answered >= CLIENT_REQUESTS) {
        throw new Error("more than this program holds");
      }
      copyBytes(this.#held, place * HELD_BYTES, bytes, start, end);
      this.#heldBytes[place] = end - start;
      return;
    }
    this.output.append(bytes, start, end);
    for (;;) {
      const place = ++this.answered & (CLIENT_REQUESTS - 1);
      const held = this.#heldBytes[place]!;
      if (held === 0) return;
      this.#heldBytes[place] = 0;
      this.output.append(this.#held, place * HELD_BYTES, place * HELD_BYTES + held);
    }
  }

  /** Sends on all whole requests; returns how many bytes they have. */
  sent(bytes: Uint8Array, length: number): number {
    let start = 0;
    for (;;) {
      let at = numberAt(bytes, start + 1, length);
      let hash = -1;
      for (let left = number, i = 0; i < left && at < length; i++) {
        const key = numberAt(bytes, at + 1, length);
        if (i === 1 && key + number <= length) hash = keyHashOf(bytes, key, key + number);
        at = key + number + 2;
      }
      if (start >= length || at > length) return start;
      const isConfig = bytes[start + 8] === 67; // what redis-benchmark asks first
      if (isConfig) this.output.append(REFUSAL, 0, REFUSAL.length);
      else servers[(hash & (SLOT_COUNT - 1)) % servers.length]!.ask(this, bytes, start, at);
      start = at;
    }
  }
}

class Server {
  readonly #output: Output;
  readonly #clients: (Client | null)[] = Array.from({ length: SERVER_REQUESTS }, () => null);
  readonly #requests = new Int32Array(SERVER_REQUESTS);
  #first = 0;
  #next = 0;

  constructor(handle: TcpHandle) {
    this.#output = new Output(handle);
  }

  ask(client: Client, bytes: Uint8Array, start: number, end: number): void {
    const place = this.#next++ & (SERVER_REQUESTS - 1);
    this.#clients[place] = client;
    this.#requests[place] = client.asked++;
    this.#output.append(bytes, start, end);
  }

  answered(bytes: Uint8Array, length: number): number {
    let start = 0;
    while (start < length) {
      let end = numberAt(bytes, start + 1, length);
      if (bytes[start] === DOLLAR && number >= 0) end += number + 2;
      if (end > length) break;
      const place = this.#first++ & (SERVER_REQUESTS - 1);
      this.#clients[place]!.replied(this.#requests[place]!, bytes, start, end);
      start = end;
    }
    return start;
  }
}

const servers: Server[] = [];

async function connect(port: number): Promise<void> {
  const handle = new Tcp(SOCKET);
  await new Promise<void>((resolve) => {
    handle.connect({ oncomplete: () => resolve() }, "127.0.0.1", port);
  });
  handle.setNoDelay(true);
  const server = new Server(handle);
  servers.push(server);
  read(handle, (bytes, length) => server.answered(bytes, length));
}

const [port, ...serverPorts] = Deno.args.map(Number);
for (const serverPort of serverPorts) await connect(serverPort);
const listener = new Tcp(LISTENER);
listener.bindWithFlags("127.0.0.1", port!, 0);
listener.onconnection = () => {
  const handle = new Tcp(SOCKET);
  listener.accept(handle);
  handle.setNoDelay(true);
  const client = new Client(handle);
  read(handle, (bytes, length) => client.sent(bytes, length));
};
listener.listen(4_096);
console.log("ready");
