/**
 * Something that a server knows of itself, asked of it when somebody wants to know, and again after a
 * connection was lost: another program may have come back.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import { isPassing } from "../errors.ts";
import type { RouteBackend } from "../request.ts";
import { askServer } from "./question.ts";

/** A server that can be asked. */
export interface AskedServer {
  /** Connections lost so far. */
  readonly losses: number;
  /** Whether a connection has learned that it knows RESP3. */
  readonly resp3: "unknown" | "yes" | "no";
  readonly options: { readonly backendDialMs: number };
  backend(database: number, protocol: Protocol): RouteBackend;
}

/** One fact of one server; see the header. */
export abstract class ServerFact {
  readonly #server: AskedServer;
  readonly #question: Uint8Array;
  /** Connections that had been lost when the question was asked that it answered last. */
  #answeredAt = -1;
  readonly #waiting = new Set<() => void>();
  #isAsking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param question The request that asks for it. */
  constructor(server: AskedServer, question: Uint8Array) {
    this.#server = server;
    this.#question = question;
  }

  /** Takes the server's reply, which may be an error, one character for each byte. */
  protected abstract take(reply: string): void;

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
    askServer(backend, this.#question, (text, isReply) => {
      if (isReply) {
        this.take(text);
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
