/**
 * HTTP with limits: `Deno.serve`, which knows none, behind an acceptor that has them.
 *
 *     browser ──► acceptor ──► HttpConnection ═══ bytes ═══► Deno.serve ──► handler
 *                 how many?     how long?                     HTTP itself
 *
 * `Deno.serve` takes connections until the process has no descriptors left, lets each wait for ever for
 * the rest of a request, and its `finished` rejects when it cannot accept, which ends a process that
 * does not expect it. So it sees only connections from here, each one by a server of its own
 * (`http_hand_over.ts`).
 *
 * A connection waits for its client, or has requests that are being answered. One that waits may be closed
 * to make room for another one: clients that hold connections, and send nothing, half of a request, or take
 * no answer, keep no other client out.
 *
 * @module
 */

import { countOf } from "../base/count_of.ts";
import { logger } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import { Acceptor } from "./acceptor.ts";
import { causeOf, hangUp } from "./dial.ts";
import { HTTP_DEADLINES, HttpConnection, type HttpDeadlines } from "./http_connection.ts";
import { handOver } from "./http_hand_over.ts";
import { type AcceptedConnection, type ListenProto, listenShared, printAddress } from "./listen.ts";
import type { TlsIdentity } from "./tls.ts";
import { GATE_LIMITS, TlsGate } from "./tls_gate.ts";

/** How long a server that is shut down waits for what it answers, in milliseconds. */
const SHUTDOWN_MS = 5_000;
/** Time between two checks whether all has been sent, in milliseconds. */
const FLUSH_MS = 5;
/** Longest body of a request, in bytes. */
const BODY_BYTES_MAX = 1024 * 1024;
/** Bodies of all requests that are being answered, in bytes; past it, only those up to the second are taken. */
const BODIES_BYTES_MAX = 64 * BODY_BYTES_MAX;
const SMALL_BODY_BYTES = 64 * 1024;
/** Most requests of one connection at one time. HTTP/2 would let each of them have a body. */
const REQUESTS_MAX = 4;

const log = logger("http");

/** The answer to a connection above the limit. */
const TOO_MANY = new TextEncoder().encode(
  "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 21\r\nretry-after: 1\r\n" +
    "connection: close\r\n\r\ntoo many connections\n",
);

/** Answers a request; `remote` is the address that it came from, without port. */
export type HttpHandler = (request: Request, remote: string) => Response | Promise<Response>;

/** Where and how HTTP is served. */
export interface HttpOptions {
  /** Addresses to listen on, without brackets; an empty one is every interface. */
  readonly hostnames: readonly string[];
  /** 0 for any free port. */
  readonly port: number;
  /** Whether the process that this one takes over from listens there, too. @default no */
  readonly isBeside?: boolean;
  /** The IP versions of an empty hostname. @default "tcp", both */
  readonly proto?: ListenProto;
  /** Most connections at one time. */
  readonly connectionsMax: number;
  /** The certificate of a server that speaks TLS; without it, none is spoken. */
  readonly tls?: TlsIdentity | undefined;
  /** @default HTTP_DEADLINES */
  readonly deadlines?: HttpDeadlines;
}

/** A running server. */
export interface HttpServer {
  /** The first address that it listens on. */
  readonly addr: Deno.NetAddr;
  /**
   * Meets clients that connect from now on with another certificate.
   *
   * @throws {Error} When it cannot be used; the one before stays.
   */
  renewTls(identity: TlsIdentity): void;
  /** Ends it: no new connections, and those that wait are closed; answers may take five seconds. */
  shutdown(): Promise<void>;
}

/**
 * Serves until it is shut down.
 *
 * @throws {Error} Naming the address, when it cannot be bound.
 */
export function serveHttp(options: HttpOptions, handler: HttpHandler): HttpServer {
  return new BoundedServer(options, handler);
}

class BoundedServer implements HttpServer {
  readonly addr: Deno.NetAddr;
  readonly #handler: HttpHandler;
  readonly #connectionsMax: number;
  readonly #deadlines: HttpDeadlines;
  readonly #acceptors: readonly Acceptor[];
  readonly #gate: TlsGate | undefined;
  readonly #connections = new Set<HttpConnection>();
  /** Aborted when all is over. */
  readonly #ended = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStopped = false;
  /** Bytes of bodies that are held. */
  #bodyBytes = 0;

  constructor(options: HttpOptions, handler: HttpHandler) {
    const { hostnames, port, proto, connectionsMax, tls, deadlines = HTTP_DEADLINES } = options;
    const gate = this.#gate = tls && this.#gateFor(tls, connectionsMax);
    this.#handler = handler;
    this.#connectionsMax = connectionsMax;
    this.#deadlines = deadlines;
    const listeners = bindAll(hostnames, port, proto, options.isBeside);
    this.addr = listeners[0]!.addr as Deno.NetAddr;
    this.#acceptors = listeners.map((listener) =>
      new Acceptor(listener, {
        take: (socket) => gate === undefined ? this.#take(socket) : gate.take(socket),
        refuse: gate === undefined ? refuse : () => Promise.resolve(),
        onFailure: (error, times) =>
          log.warn("accepting connections failed {times}: {cause}", {
            times: countOf(times, "time"),
            cause: causeOf(error),
          }),
      })
    );
    for (const acceptor of this.#acceptors) acceptor.run();
  }

  // -- connections ----------------------------------------------------------------------------

  #gateFor(identity: TlsIdentity, connectionsMax: number): TlsGate {
    const limits = { ...GATE_LIMITS, handshakesMax: connectionsMax };
    return new TlsGate({ identity, certificates: "no" }, {
      take: (connection) => this.#take(connection),
      onFailure: (remote, cause) =>
        log.debug("TLS client {remote} was cut: {cause}", { remote: printAddress(remote), cause }),
    }, limits);
  }

  renewTls(identity: TlsIdentity): void {
    this.#gate?.renew(identity);
  }

  #take(socket: AcceptedConnection): void {
    if (this.#connections.size >= this.#connectionsMax && !this.#closeOneThatWaits()) {
      refuse(socket).catch(() => {}).finally(() => hangUp(socket));
      return;
    }
    const connection: HttpConnection = new HttpConnection(socket, this.#deadlines, {
      handOver: () =>
        handOver((request, info) => this.#answer(request, info, connection), onHandlerError),
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), this.#deadlines.tickMs);
    connection.run(TOO_MANY);
  }

  /** Closes the connection that has waited longest for a request; false when none waits. */
  #closeOneThatWaits(): boolean {
    let longest: HttpConnection | undefined;
    for (const connection of this.#connections) {
      if (!connection.isWaiting) continue;
      if (longest === undefined || connection.quietSinceMs < longest.quietSinceMs) {
        longest = connection;
      }
    }
    longest?.close();
    return longest !== undefined;
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.tick(nowMs);
    if (this.#connections.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  // -- requests -------------------------------------------------------------------------------

  async #answer(
    request: Request,
    { completed }: Deno.ServeHandlerInfo,
    connection: HttpConnection,
  ): Promise<Response> {
    connection.requestBegins();
    let bytes = 0;
    const hold = (more: number, length: number): boolean => {
      bytes += more;
      this.#bodyBytes += more;
      return length <= SMALL_BODY_BYTES || this.#bodyBytes <= BODIES_BYTES_MAX;
    };
    completed.catch(() => {}).finally(() => {
      this.#bodyBytes -= bytes;
      connection.requestEnds();
    });
    if (connection.requests > REQUESTS_MAX) {
      connection.bodyEnds();
      return lastAnswer(`a connection has at most ${REQUESTS_MAX} requests at one time`, 503);
    }
    const whole = await this.#whole(request, hold).finally(() => connection.bodyEnds());
    return whole instanceof Response ? whole : await this.#handler(whole, connection.remote);
  }

  /** The request as the handler gets it, or why it is refused. */
  async #whole(request: Request, hold: HoldBody): Promise<Request | Response> {
    if (FORBIDDEN_METHODS.includes(request.method)) return lastAnswer("no such method", 405);
    const url = httpUrlOf(request, this.#gate === undefined ? "http" : "https");
    if (url === undefined) return lastAnswer("the Host header is not a host", 400);
    return await withBody(request, url, this.#deadlines.bodyMs, hold);
  }

  // -- the end --------------------------------------------------------------------------------

  async shutdown(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const acceptor of this.#acceptors) acceptor.stop();
    this.#gate?.stop();
    // Ends each connection behind the answer that is being given, and those that wait at once.
    for (const connection of this.#connections) connection.finish();
    const late = setTimeout(() => this.#ended.abort(), SHUTDOWN_MS);
    await this.#flush();
    clearTimeout(late);
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.close();
  }

  /** Waits until clients have what was answered. */
  async #flush(): Promise<void> {
    while (this.#connections.size > 0 && !this.#ended.signal.aborted) {
      await sleep(FLUSH_MS, this.#ended.signal);
    }
  }
}

/**
 * Binds every address; the port of the first one where any will do. One that this machine does not have
 * is left out, if it is not the first.
 */
function bindAll(
  hostnames: readonly string[],
  port: number,
  proto: ListenProto | undefined,
  isBeside: boolean | undefined,
): Deno.TcpListener[] {
  const listeners: Deno.TcpListener[] = [];
  try {
    for (const hostname of hostnames) {
      const first = listeners[0]?.addr as Deno.NetAddr | undefined;
      try {
        listeners.push(listenShared({ hostname, port: first?.port ?? port }, proto, isBeside));
      } catch (error) {
        const isBusy = (error as Error).cause instanceof Deno.errors.AddrInUse;
        if (first === undefined || isBusy) throw error;
      }
    }
    return listeners;
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
}

async function refuse(socket: AcceptedConnection): Promise<void> {
  await socket.write(TOO_MANY);
}

function onHandlerError(error: unknown): Response {
  log.error("request not answered: {error}", { error });
  return text(`${causeOf(error)}\n`, 500);
}

/** What is asked for, as the client put it; nothing when its Host is no host. */
function httpUrlOf({ url, headers }: Request, scheme: "http" | "https"): string | undefined {
  // With a path or a user in it, the request would be another one than a server in front of us let pass.
  const host = headers.get("host");
  if (host !== null && /[/\\?#@\s]/.test(host)) return undefined;
  // Over such a socket it is `http+unix:`, with the socket's path where the client names no host.
  const whole = url.replace(/^http\+unix:\/\/([^/?]*)/, (_, authority: string) => {
    const named = authority.includes("%") ? "localhost" : authority;
    return `${scheme}://${host ?? named}`;
  });
  return URL.canParse(whole) ? whole : undefined;
}

/** Methods of which no `Request` can be made. */
const FORBIDDEN_METHODS = ["CONNECT", "TRACE", "TRACK"];

/** Counts bytes of a body that has come to a length; false when there is no room for them. */
type HoldBody = (more: number, length: number) => boolean;

/** The request at its URL with all of its body, or why there is none. */
async function withBody(
  request: Request,
  url: string,
  bodyMs: number,
  hold: HoldBody,
): Promise<Request | Response> {
  const { method, headers } = request;
  if (request.body === null) return new Request(url, { method, headers });
  const reader = request.body.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = Number(request.headers.get("content-length") ?? 0);
  if (length > BODY_BYTES_MAX) return tooLong();
  length = 0;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, bodyMs);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (isLate) return lastAnswer("the body took too long", 408);
      if (done) break;
      length += value.length;
      if (length > BODY_BYTES_MAX) return tooLong();
      if (!hold(value.length, length)) return lastAnswer("too many large requests at once", 503);
      chunks.push(value as Uint8Array<ArrayBuffer>);
    }
  } catch {
    return lastAnswer("the body ends too early", 400); // nobody may be left to read that
  } finally {
    clearTimeout(timer);
  }
  const body = method === "GET" || method === "HEAD" ? null : new Blob(chunks);
  return new Request(url, { method, headers, body });
}

function tooLong(): Response {
  return lastAnswer(`a body has at most ${BODY_BYTES_MAX} bytes`, 413);
}

/** An answer that ends the connection: bytes that are not wanted may still come. */
function lastAnswer(why: string, status: number): Response {
  const response = text(`${why}\n`, status);
  response.headers.set("connection", "close");
  return response;
}

function text(body: string, status: number): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
