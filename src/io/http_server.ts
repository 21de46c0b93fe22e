/**
 * HTTP with limits: `Deno.serve`, which knows none, behind an acceptor that has them.
 *
 *     browser ──► acceptor ──► HttpConnection ═══ bytes ═══► Deno.serve on 127.0.0.1 ──► handler
 *                 how many?     how long?                     HTTP itself
 *
 * `Deno.serve` takes connections until the process has no descriptors left, lets each wait for ever for
 * the rest of a request, and its `finished` rejects when it cannot accept, which ends a process that
 * does not expect it. So it sees only connections from here. It is told whose they are by the port
 * that they come from; what comes from elsewhere is refused. Where it ends, it is started again.
 *
 * A connection waits for a request, or has some that are being answered. One that waits may be closed
 * to make room for another one: whoever holds connections and sends nothing keeps nobody out.
 *
 * @module
 */

import { Backoff } from "../base/backoff.ts";
import { roomLogger } from "../base/log.ts";
import { sleep } from "../base/sleep.ts";
import { Acceptor } from "./acceptor.ts";
import { causeOf, hangUp } from "./dial.ts";
import { HTTP_DEADLINES, HttpConnection, type HttpDeadlines } from "./http_connection.ts";
import { listen, type ListenProto } from "./listen.ts";

/** How long a server that is shut down waits for what it answers, in milliseconds. */
const SHUTDOWN_MS = 5_000;
/** How often it is looked whether all has been sent, in milliseconds. */
const FLUSH_MS = 5;
/** Longest body of a request, in bytes. */
const BODY_BYTES_MAX = 1024 * 1024;
/** Pauses before a `Deno.serve` that has ended is replaced. */
const RESTART = { firstMs: 20, maxMs: 5_000 };

const log = roomLogger("http");

/** What a connection that there is no room for is told. */
const NO_ROOM = new TextEncoder().encode(
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
  /** The IP versions of an empty hostname. @default "tcp", both */
  readonly proto?: ListenProto;
  /** Most connections at one time. */
  readonly connectionsMax: number;
  /** @default HTTP_DEADLINES */
  readonly deadlines?: HttpDeadlines;
}

/** A running server. */
export interface HttpServer {
  /** The first address that it listens on. */
  readonly addr: Deno.NetAddr;
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
  readonly #connections = new Set<HttpConnection>();
  /** By the port that they come to `Deno.serve` from. */
  readonly #byPort = new Map<number, HttpConnection>();
  #inner: Deno.HttpServer<Deno.NetAddr>;
  /** Aborted when all is over. */
  readonly #ended = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStopped = false;

  constructor(options: HttpOptions, handler: HttpHandler) {
    const { hostnames, port, proto, connectionsMax, deadlines = HTTP_DEADLINES } = options;
    this.#handler = handler;
    this.#connectionsMax = connectionsMax;
    this.#deadlines = deadlines;
    const listeners = bindAll(hostnames, port, proto);
    this.addr = listeners[0]!.addr as Deno.NetAddr;
    this.#acceptors = listeners.map((listener) =>
      new Acceptor(listener, {
        take: (socket) => this.#take(socket),
        refuse: refuse,
        onFailure: (error, times) =>
          log.warn("connections could not be accepted, {times} times by now: {cause}", {
            times,
            cause: causeOf(error),
          }),
      })
    );
    this.#inner = this.#serve();
    this.#keepServing();
    for (const acceptor of this.#acceptors) acceptor.run();
  }

  // -- connections ----------------------------------------------------------------------------

  #take(socket: Deno.TcpConn): void {
    if (this.#connections.size >= this.#connectionsMax && !this.#makeRoom()) {
      refuse(socket).catch(() => {}).finally(() => hangUp(socket));
      return;
    }
    const connection = new HttpConnection(socket, this.#deadlines, {
      dial: async () => {
        const { hostname, port } = this.#inner.addr;
        const inner = await Deno.connect({ hostname, port });
        this.#byPort.set(inner.localAddr.port, connection);
        return inner;
      },
      onClose: (port) => {
        this.#connections.delete(connection);
        if (port !== undefined) this.#byPort.delete(port);
      },
    });
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), this.#deadlines.tickMs);
    connection.run(NO_ROOM);
  }

  /** Closes the connection that has waited longest for a request; false when none waits. */
  #makeRoom(): boolean {
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

  #serve(): Deno.HttpServer<Deno.NetAddr> {
    return Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
      onError(error) {
        log.error("request failed: {error}", { error });
        return text(`${causeOf(error)}\n`, 500);
      },
    }, (request, info) => this.#answer(request, info));
  }

  async #keepServing(): Promise<void> {
    const backoff = new Backoff(RESTART);
    while (!this.#isStopped) {
      const startedMs = performance.now();
      try {
        await this.#inner.finished;
      } catch (error) {
        log.error("HTTP is served anew: {cause}", { cause: causeOf(error) });
      }
      if (performance.now() - startedMs > RESTART.maxMs) backoff.reset();
      if (this.#isStopped) return;
      do await sleep(backoff.nextMs(), this.#ended.signal); while (
        !this.#isStopped && !this.#serveAnew()
      );
    }
  }

  #serveAnew(): boolean {
    try {
      this.#inner = this.#serve();
      return true;
    } catch (error) {
      log.error("HTTP cannot be served: {cause}", { cause: causeOf(error) });
      return false;
    }
  }

  async #answer(
    request: Request,
    { remoteAddr, completed }: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Promise<Response> {
    const connection = this.#byPort.get(remoteAddr.port);
    if (connection === undefined) return text("use the address that is served\n", 403);
    connection.requestBegins();
    completed.catch(() => {}).finally(() => connection.requestEnds());
    const whole = request.body === null ? request : await withBody(request, this.#deadlines.bodyMs);
    return whole instanceof Response ? whole : await this.#handler(whole, connection.remote);
  }

  // -- the end --------------------------------------------------------------------------------

  async shutdown(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const acceptor of this.#acceptors) acceptor.stop();
    for (const connection of this.#connections) connection.closeUnused();
    const late = setTimeout(() => {
      for (const connection of this.#connections) connection.close();
      this.#ended.abort();
    }, SHUTDOWN_MS);
    // Ends each connection behind the answer that is being given, and those that wait at once.
    this.#inner.shutdown().then(() => this.#flush()).catch(() => {})
      .finally(() => this.#ended.abort());
    await new Promise((resolve) => this.#ended.signal.addEventListener("abort", resolve));
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
): Deno.TcpListener[] {
  const listeners: Deno.TcpListener[] = [];
  try {
    for (const hostname of hostnames) {
      const first = listeners[0]?.addr as Deno.NetAddr | undefined;
      try {
        listeners.push(listen(hostname, first?.port ?? port, proto));
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

async function refuse(socket: Deno.TcpConn): Promise<void> {
  await socket.write(NO_ROOM);
}

/** The request with all of its body, or why there is none. */
async function withBody(request: Request, bodyMs: number): Promise<Request | Response> {
  const reader = request.body!.getReader();
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
      chunks.push(value as Uint8Array<ArrayBuffer>);
    }
  } finally {
    clearTimeout(timer);
  }
  const { url, method, headers } = request;
  const body = method === "GET" || method === "HEAD" ? null : new Blob(chunks);
  return new Request(url, { method, headers, body });
}

function tooLong(): Response {
  return lastAnswer(`a body has at most ${BODY_BYTES_MAX} bytes`, 413);
}

/** What is answered while bytes may be on their way that nobody wants. */
function lastAnswer(why: string, status: number): Response {
  const response = text(`${why}\n`, status);
  response.headers.set("connection", "close");
  return response;
}

function text(body: string, status: number): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
