/**
 * Which Redis a server is, asked of it when somebody wants to know, and again after a connection was lost:
 * another program may have come back.
 *
 * @module
 */

import { encodeRequest } from "../../resp/encoder.ts";
import type { Server } from "./backend_pool.ts";
import { isPassing } from "../errors.ts";
import { acquireRequest, recycleRequest, type ReplyTaker, type Request } from "../request.ts";

const ASK = encodeRequest(["INFO", "server"]);

/** The version of one server; see the header. */
export class ServerVersion implements ReplyTaker {
  /** As its INFO told it last; empty while that is not known. */
  text = "";
  readonly #server: Server;
  /** How many connections had been lost when it was asked, and when what it answered was asked. */
  #askedAt = 0;
  #answeredAt = -1;
  #reply = "";
  readonly #waiting = new Set<() => void>();
  #isAsking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Whether it needs not be asked: it has answered, or is slow to. */
  get isSettled(): boolean {
    const isSlow = this.#isAsking && this.#timer === undefined;
    return isSlow || this.#answeredAt === this.#server.losses;
  }

  /** Asks it; `settled` is called once, later, when it has answered or it is clear that it does not. */
  ask(settled: () => void): void {
    this.#waiting.add(settled);
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#reply = "";
    this.#timer = setTimeout(() => this.#settle(), this.#server.options.backendDialMs);
    const request = acquireRequest();
    request.taker = this;
    this.#askedAt = this.#server.losses;
    // HELLO 3 has just opened a connection that will do.
    this.#server.backend(0, this.#server.resp3 === "yes" ? 3 : 2).push(request, ASK, 0, ASK.length);
  }

  partReplied(part: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    this.#reply += new TextDecoder().decode(bytes.subarray(start, end));
    if (!isLast) return;
    this.text = /^redis_version:([\w.-]+)/m.exec(this.#reply)?.[1] ?? this.text;
    if (!isPassing(this.#reply)) this.#answeredAt = this.#askedAt;
    this.#end(part);
  }

  partFailed(part: Request): void {
    this.#end(part);
  }

  #end(part: Request): void {
    part.state = "settled";
    recycleRequest(part);
    this.#isAsking = false;
    // A server that is known to be down fails it at once; whoever asked is not ready for that.
    queueMicrotask(() => this.#settle());
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const settled of [...this.#waiting]) {
      this.#waiting.delete(settled);
      settled();
    }
  }

  /** The server is not used any more. */
  stop(): void {
    this.#settle();
  }
}
