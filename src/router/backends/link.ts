/**
 * A client's own connection to a server, for as long as a request of it needs one.
 *
 *      open ── request begins ─► in use ── it settles ─► given back: kept for the next client, or closed
 *                                  └── pushes of the server ─► the client
 *
 * The link belongs to the client, which has one at most; only requests of the client go over it.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";
import { BACKEND_RESET } from "../errors.ts";
import type { Request } from "../request.ts";
import { beginOn } from "../slots/route.ts";
import type { Backend } from "./backend.ts";

/** A client that can have a link. */
export interface LinkHolder extends BudgetWaiter {
  link: Link | null;
  /** The server has pushed something. Takes `push`, a whole RESP3 push. */
  pushed(push: Uint8Array): void;
}

/** A server that lends connections. */
export interface LinkServer {
  borrowPrivate(database: number, protocol: Protocol, waiter: BudgetWaiter): Backend | null;
  returnPrivate(backend: Backend): void;
}

/** One client's own connection; see the drawing above. */
export class Link {
  readonly #server: LinkServer;
  readonly #holder: LinkHolder;
  readonly #backend: Backend;
  /** The request for which it was opened. */
  #request: Request | null = null;

  private constructor(server: LinkServer, holder: LinkHolder, backend: Backend) {
    this.#server = server;
    this.#holder = holder;
    this.#backend = backend;
  }

  /**
   * Gives a client a link to a server.
   *
   * @returns Null when the server has lent too many connections: `holder` is resumed when to ask again.
   */
  static open(
    server: LinkServer,
    database: number,
    protocol: Protocol,
    holder: LinkHolder,
  ): Link | null {
    const backend = server.borrowPrivate(database, protocol, holder);
    if (backend === null) return null;
    backend.onPush = (push) => holder.pushed(push);
    return holder.link = new Link(server, holder, backend);
  }

  /** Whether the connection is lost: what went over it has been failed. */
  get isClosed(): boolean {
    return this.#backend.state === "closed";
  }

  /** Bytes that the server has not taken yet. */
  get queuedBytes(): number {
    return this.#backend.queuedBytes;
  }

  /**
   * Begins a request that comes in pieces; its deadline runs once all of it was appended.
   *
   * @param taken Called when the server has taken what was appended so far, and when it is lost.
   * @returns False when the connection cannot be used: then the request has been failed.
   */
  begin(request: Request, taken: () => void): boolean {
    this.#request = request;
    this.#backend.onDrain = taken;
    return beginOn(this.#backend, request);
  }

  /** Copies more bytes of the request. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#backend.append(bytes, start, end);
  }

  /** All bytes of the request were appended. */
  complete(): void {
    this.#backend.onDrain = null;
  }

  /** A request of the client is settled; with the one that it was opened for, the link is given back. */
  settled(request: Request): void {
    if (request !== this.#request) return;
    this.#holder.link = null;
    this.#backend.onPush = null;
    this.#server.returnPrivate(this.#backend);
  }

  /** Breaks the connection off; what went over it is failed with `text`. */
  breakOff(text = BACKEND_RESET): void {
    this.#backend.close(text);
  }
}
