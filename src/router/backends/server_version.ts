/**
 * Which Redis a server is, asked of it when somebody wants to know, and again after a connection was lost:
 * another program may have come back.
 *
 * @module
 */

import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import { isPassing } from "../errors.ts";
import type { RouteBackend } from "../request.ts";
import { askServer } from "./question.ts";

const INFO_SERVER = encodeRequest(["INFO", "server"]);

/** A server that can be asked for its version. */
export interface AskedServer {
  /** Connections lost so far. */
  readonly losses: number;
  /** Whether a connection has learned that it knows RESP3. */
  readonly resp3: "unknown" | "yes" | "no";
  readonly options: { readonly backendDialMs: number };
  backend(database: number, protocol: Protocol): RouteBackend;
}

/** The version of one server; see the header. */
export class ServerVersion {
  /** As its INFO said last; empty while that is not known. */
  text = "";
  readonly #server: AskedServer;
  /** Connections that had been lost when the question was asked that it answered last. */
  #answeredAt = -1;
  readonly #waiting = new Set<() => void>();
  #isAsking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(server: AskedServer) {
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
    this.#timer = setTimeout(() => this.#settle(), this.#server.options.backendDialMs);
    const askedAt = this.#server.losses;
    // HELLO 3 has just opened a connection that will do.
    const backend = this.#server.backend(0, this.#server.resp3 === "yes" ? 3 : 2);
    askServer(backend, INFO_SERVER, (text, isReply) => {
      if (isReply) {
        this.text = /^redis_version:([\w.-]+)/m.exec(text)?.[1] ?? this.text;
        if (!isPassing(text)) this.#answeredAt = askedAt;
      }
      this.#isAsking = false;
      this.#settle();
    });
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
