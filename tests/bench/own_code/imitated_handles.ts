/**
 * Sockets that are imitated: Deno's TCP handle as `src/io/tcp_handle.ts` uses it, without a system behind it. What
 * the proxy takes with these is its own code alone.
 *
 *     Clients.turn() ──requests──► client handle ─► proxy ─► server handle
 *                    ◄──replies──                          ◄── all that it was asked, once a turn
 *
 * A server is a real one until {@linkcode imitateServers}: what the proxy asks at its start is answered there.
 *
 * @module
 */

import process from "node:process";
import type { HandleRequest, SocketName, TcpHandle } from "../../../src/io/tcp_handle.ts";

const PORT = 1;
const READ_BYTES = 0;
const IS_WRITING = 3;
const READ_SIZE = 64 * 1024;
const NO_CONNECTION = -11;
const REFUSED = -111;
const UNKNOWN = -99;

/** The requests that clients send, and what each is answered; all of one length. */
export interface Exchange {
  readonly requestBytes: number;
  readonly reply: Uint8Array;
  /** Requests that a client sends together; the next ones when it has all replies. */
  readonly pipeline: number;
}

const state = new Int32Array(5);
/** Where the system would copy to. */
const copied = new Uint8Array(1024 * 1024);
const listeners: ImitatedHandle[] = [];
/** Handles of which bytes wait that nobody reads. */
let waiting: ImitatedHandle[] = [];

let exchange: Exchange | null = null;
let replies = new Uint8Array(0);
/** Servers that owe replies. */
let asked: ImitatedHandle[] = [];
/** Clients that have all their replies. */
let ready: ImitatedHandle[] = [];

class ImitatedHandle implements TcpHandle {
  owner: unknown;
  onread = (): void => {};
  onconnection = (_status: number): void => {};
  /** A server's connection, while servers are real. */
  #server: Deno.Conn | null = null;
  #isServer = false;
  #buffer = new Uint8Array(0);
  #isReading = false;
  #isClosed = false;
  #unread: Uint8Array[] = [];
  /** Bytes of a request that has come in part, of replies that have come, and requests without a reply. */
  #partBytes = 0;
  #replyBytes = 0;
  #owed = 0;
  static readonly clients: ImitatedHandle[] = [];
  static isExpected = 0;

  bindWithFlags(): number {
    return 0;
  }
  bind6(): number {
    return UNKNOWN;
  }
  listen(): number {
    if (!listeners.includes(this)) listeners.push(this);
    return 0;
  }
  accept(client: TcpHandle): number {
    if (ImitatedHandle.isExpected === 0) return NO_CONNECTION;
    ImitatedHandle.isExpected--;
    ImitatedHandle.clients.push(client as ImitatedHandle);
    return 0;
  }
  openFromRid(): number {
    return UNKNOWN;
  }
  getsockname(to: SocketName): number {
    Object.assign(to, { address: "127.0.0.1", port: PORT });
    return 0;
  }
  getpeername(to: SocketName): number {
    return this.getsockname(to);
  }
  setNoDelay(): number {
    return 0;
  }
  setKeepAlive(): number {
    return 0;
  }
  useUserBuffer(bytes: Uint8Array<ArrayBuffer>): void {
    this.#buffer = bytes;
  }
  readStart(): number {
    this.#isReading = true;
    return 0;
  }
  readStop(): number {
    this.#isReading = false;
    return 0;
  }
  shutdown(request: HandleRequest): number {
    queueMicrotask(() => request.oncomplete(0));
    return 0;
  }
  close(closed: () => void): void {
    this.#isClosed = true;
    this.#server?.close();
    this.#server = null;
    queueMicrotask(closed);
  }

  connect(request: HandleRequest, hostname: string, port: number): number {
    this.#isServer = true;
    Deno.connect({ hostname, port }).then((server) => {
      this.#server = server;
      request.oncomplete(0);
      return this.#passOn(server);
    }).catch(() => this.#isClosed || request.oncomplete(REFUSED));
    return 0;
  }
  connect6(): number {
    return UNKNOWN;
  }

  async #passOn(server: Deno.Conn): Promise<void> {
    const bytes = new Uint8Array(READ_SIZE);
    for (let n = await server.read(bytes); n !== null; n = await server.read(bytes)) {
      this.deliver(bytes.slice(0, n));
      await Promise.resolve();
      deliverWaiting();
    }
  }

  /** Gives the proxy bytes, as many at a time as its buffer takes; what it does not read waits. */
  deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.#isClosed;) {
      if (!this.#isReading || this.#unread.length > 0) {
        if (this.#unread.push(bytes.slice(at)) === 1) waiting.push(this);
        return;
      }
      const part = bytes.subarray(at, at + this.#buffer.length);
      this.#buffer.set(part);
      at += part.length;
      state[READ_BYTES] = part.length;
      this.onread();
    }
  }

  deliverUnread(): void {
    const unread = this.#unread;
    this.#unread = [];
    for (const bytes of unread) this.deliver(bytes);
  }

  writeBuffer(_request: HandleRequest, bytes: Uint8Array): number {
    state[IS_WRITING] = 0;
    if (exchange === null || (this.#isServer && !this.#isAsked(bytes))) {
      const copy = bytes.slice();
      this.#server?.write(copy).catch(() => {});
      return 0;
    }
    copied.set(bytes);
    if (this.#isServer) this.#countRequests(bytes.length, exchange);
    else this.#countReplies(bytes.length, exchange);
    return 0;
  }

  /** Whether it is asked for keys; not by a question of the proxy's own. */
  #isAsked(bytes: Uint8Array): boolean {
    // "*2\r\n$3\r\nGET" and "*3\r\n$3\r\nSET"; their second half may come first in a write.
    return this.#partBytes > 0 ||
      (bytes[5] === 51 && (bytes[8] === 71 /* G */ || bytes[8] === 83 /* S */));
  }

  #countRequests(bytes: number, { requestBytes }: Exchange): void {
    const total = this.#partBytes + bytes;
    this.#partBytes = total % requestBytes;
    if (this.#owed === 0) asked.push(this);
    this.#owed += (total - this.#partBytes) / requestBytes;
  }

  #countReplies(bytes: number, { reply, pipeline }: Exchange): void {
    this.#replyBytes += bytes;
    const due = pipeline * reply.length;
    if (this.#replyBytes > due) throw new Error("a client got more than it has asked for");
    if (this.#replyBytes < due) return;
    this.#replyBytes = 0;
    ready.push(this);
  }

  /** Answers all that it was asked. */
  answer({ reply }: Exchange): void {
    let left = this.#owed;
    this.#owed = 0;
    const together = Math.floor(replies.length / reply.length);
    for (; left > 0; left -= together) {
      this.deliver(replies.subarray(0, Math.min(left, together) * reply.length));
    }
  }
}

function deliverWaiting(): void {
  const handles = waiting;
  waiting = [];
  for (const handle of handles) handle.deliverUnread();
}

/** Has Deno give imitated handles to whoever asks for its binding from now on. */
export function imitateHandles(): void {
  const known = process as unknown as { binding(name: string): unknown };
  known.binding = (name) =>
    name === "tcp_wrap"
      ? { TCP: ImitatedHandle }
      : name === "stream_wrap"
      ? { streamBaseState: state }
      : {};
}

/** Whether the proxy listens. */
export function isListening(): boolean {
  return listeners.length > 0;
}

/** Lets clients connect; they are there some turns later. */
export function connectClients(count: number): void {
  ImitatedHandle.isExpected = count;
  listeners[0]!.onconnection(0);
}

/** How many clients are there. */
export function clientCount(): number {
  return ImitatedHandle.clients.length;
}

/** Sends requests of each client to servers that are real still. */
export function warmUp(requests: readonly Uint8Array[]): void {
  for (const [i, client] of ImitatedHandle.clients.entries()) {
    client.deliver(requests[i % requests.length]!);
  }
  deliverWaiting();
}

/** From now on servers are imitated, too; nothing may be under way. */
export function imitateServers(of: Exchange): void {
  exchange = of;
  replies = new Uint8Array(Math.max(READ_SIZE, of.reply.length));
  for (let at = 0; at + of.reply.length <= replies.length; at += of.reply.length) {
    replies.set(of.reply, at);
  }
  ready = [...ImitatedHandle.clients];
}

/** Every client that has its replies sends the next requests; returns how many requests that were. */
export function sendRequests(requests: readonly Uint8Array[], first: number): number {
  deliverWaiting();
  const clients = ready;
  ready = [];
  for (const [i, client] of clients.entries()) {
    client.deliver(requests[(first + i) % requests.length]!);
  }
  return clients.length * exchange!.pipeline;
}

/** Every server answers what it was asked. */
export function sendReplies(): void {
  const servers = asked;
  asked = [];
  for (const server of servers) server.answer(exchange!);
}
