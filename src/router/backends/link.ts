/**
 * A client's own connection to a server, for what cannot go over the shared one.
 *
 *      open ── requests of the client ─► in use ── given back ─► kept for the next client, or closed
 *                                          ├── pushes of the server ─► its user
 *                                          └── lost ────────────────► its user
 *
 * A link is opened for one request (pass through) and given back when that settles, or for a state that
 * the server keeps for a connection, and given back when the state ends. A client may have several, one
 * for each purpose and server; only its requests go over them. Each has one user: the part of the router
 * that opened it.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import type { BudgetWaiter } from "../client/byte_budget.ts";
import { BACKEND_RESET } from "../errors.ts";
import type { Request, RouteBackend } from "../request.ts";
import { beginOn, sendOn } from "../slots/route.ts";
import type { Backend } from "./backend.ts";
import type { LinkedUser } from "./carrier.ts";
import { type Answered, askServer } from "./question.ts";

const CLIENT_ID = encodeRequest(["CLIENT", "ID"]);

/** A client that can have links. */
export interface LinkHolder extends BudgetWaiter {
  /** Those that it has; replaced when they change, so that none costs nothing. */
  links: readonly Link[];
}

/** The part of the router that opened a link. */
export interface LinkUser {
  /** The server has pushed something. Takes `push`, a whole RESP3 push. */
  pushed(link: Link, push: Uint8Array): void;
  /** The connection is lost, or was refused: what went over it has been failed. The link is of no use. */
  lost(link: Link, cause: string): void;
  /** The server has nothing to answer for a while: the link of a subscriber asks whether it is there. */
  keepAlive?(link: Link): void;
  /** The client is gone. The user breaks the link off, or lets what is on its way end. */
  clientClosed(link: Link): void;
}

/** A server that lends connections. */
export interface LinkServer {
  readonly address: string;
  borrowPrivate(
    database: number,
    protocol: Protocol,
    waiter: BudgetWaiter,
    isLoad?: boolean,
  ): Backend | null;
  returnPrivate(backend: Backend, isClean: boolean): void;
  /** Whether a backend that is lent for something large may send more now; `waiter` is resumed when to ask again. */
  takeUploadTurn(backend: Backend, waiter: BudgetWaiter): boolean;
}

/** What clients without a link have. */
export const NO_LINKS: readonly Link[] = [];

/** One client's own connection; see the drawing above. */
export class Link implements LinkedUser {
  readonly server: LinkServer;
  /**
   * Whether replies may take as long as they like: a command that blocks is waited for without a deadline.
   */
  mayBlock = false;
  readonly #holder: LinkHolder;
  readonly #backend: Backend;
  readonly #user: LinkUser;
  /** The request with which the link ends. */
  #request: Request | null = null;
  #isGivenBack = false;

  private constructor(server: LinkServer, holder: LinkHolder, backend: Backend, user: LinkUser) {
    this.server = server;
    this.#holder = holder;
    this.#backend = backend;
    this.#user = user;
    backend.linked = this;
    holder.links = [...holder.links, this];
  }

  /**
   * Gives a client a link to a server.
   *
   * @param waiter Resumed when to ask again, if the server has lent too many connections.
   * @param isLoad Whether it is to carry something large.
   * @returns Null when the server has lent too many.
   */
  static open(
    server: LinkServer,
    database: number,
    protocol: Protocol,
    holder: LinkHolder,
    user: LinkUser,
    waiter: BudgetWaiter = holder,
    isLoad = false,
  ): Link | null {
    const backend = server.borrowPrivate(database, protocol, waiter, isLoad);
    return backend === null ? null : new Link(server, holder, backend, user);
  }

  /** Whether the connection is lost: what went over it has been failed. */
  get isClosed(): boolean {
    return this.#backend.state === "closed";
  }

  /** The database that it is in, as it was opened. */
  get database(): number {
    return this.#backend.database;
  }

  /** What requests are sent over, in slots/route.ts. */
  get connection(): RouteBackend {
    return this.#backend;
  }

  get protocol(): Protocol {
    return this.#backend.protocol;
  }

  /** The server's id of the connection; 0 until it was learned. */
  get id(): number {
    return this.#backend.clientId;
  }

  /** Asks the server for the {@linkcode id}, unless it is known; `learned` is called once it is. */
  learnId(learned: () => void): void {
    const backend = this.#backend;
    if (backend.clientId !== 0) return;
    askServer(backend, CLIENT_ID, (text) => {
      backend.clientId = Number(/^:(\d+)\r\n$/.exec(text)?.[1] ?? 0);
      if (backend.clientId !== 0) learned();
    });
  }

  /** Asks the server something of our own. Copies `bytes`. */
  ask(bytes: Uint8Array, answered: Answered): void {
    askServer(this.#backend, bytes, answered);
  }

  /** Bytes that the server has not taken yet. */
  get queuedBytes(): number {
    return this.#backend.queuedBytes;
  }

  /** Requests that were sent and are not answered. */
  get inFlight(): number {
    return this.#backend.inFlight;
  }

  /**
   * Sends a request, and is not given back with it. Copies `bytes[start, end)`; a link that is lost fails
   * the request.
   */
  send(request: Request, bytes: Uint8Array, start: number, end: number): void {
    sendOn(this.#backend, request, bytes, start, end);
  }

  /**
   * Connects, and takes whatever the server sends as pushes from now on, replies too: what a subscribed
   * connection gets under RESP2 cannot be told from replies by its form.
   */
  listen(): void {
    this.#backend.isListening = true;
    this.#backend.warm();
  }

  /** Sends a request over a link that listens; the user knows its reply. Copies `bytes`. */
  write(bytes: Uint8Array): void {
    this.#backend.append(bytes, 0, bytes.length);
  }

  /** The connection, for one request with which the link ends: it is sent as a whole. */
  carry(request: Request): RouteBackend {
    this.#request = request;
    return this.#backend;
  }

  /**
   * Begins a request that comes in pieces, and with which the link ends; its deadline runs once all of it
   * was appended.
   *
   * @param taken Called when the server has taken what was appended so far, and when it is lost.
   * @returns False when the connection cannot be used: then the request has been failed.
   */
  begin(request: Request, taken: () => void): boolean {
    this.#request = request;
    this.#backend.onDrain = taken;
    return beginOn(this.#backend, request);
  }

  /** Whether a very large request may send more now; its holder is resumed when to ask again. */
  takeUploadTurn(): boolean {
    return this.server.takeUploadTurn(this.#backend, this.#holder);
  }

  /** Copies more bytes of the request that {@linkcode begin} began. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#backend.append(bytes, start, end);
  }

  /**
   * All bytes of that request were appended.
   *
   * @param clientMs For how long its client had more of it to send.
   */
  complete(clientMs: number): void {
    if (this.#isGivenBack) return; // answered before it was whole
    this.#backend.onDrain = null;
    this.#backend.progressMs = clock.nowMs; // from now on it is the server's turn
    this.#request!.cameLater(clientMs);
  }

  /**
   * The rest of that request will not come: unless it is settled, breaks the connection off.
   *
   * @param error What the request is answered with; empty: with nothing.
   */
  breakOffRequest(error: string): void {
    if (this.#isGivenBack) return;
    const request = this.#request!;
    request.isFailed = true; // by its client: it does not count as the proxy's failure
    if (error === "") request.isMuted = true;
    this.breakOff(error || BACKEND_RESET);
  }

  pushed(push: Uint8Array): void {
    this.#user.pushed(this, push);
  }

  keepAlive(): void {
    this.#user.keepAlive?.(this);
  }

  lost(cause: string): void {
    this.#leave();
    this.#user.lost(this, cause);
  }

  /** A request of the client is settled; with the one that it was opened for, the link is given back. */
  settled(request: Request): void {
    if (request === this.#request) this.giveBack(true);
  }

  /** The client is gone. */
  clientClosed(): void {
    this.#user.clientClosed(this);
  }

  /**
   * Ends the link.
   *
   * @param isClean Whether the server keeps nothing for the connection: then another client may have it.
   */
  giveBack(isClean: boolean): void {
    if (this.#isGivenBack) return;
    this.#leave();
    this.server.returnPrivate(this.#backend, isClean);
  }

  /** Breaks the connection off; what went over it is failed with `text`. The user is not notified. */
  breakOff(text = BACKEND_RESET): void {
    this.#leave();
    this.#backend.close(text);
  }

  #leave(): void {
    this.#isGivenBack = true;
    this.#backend.linked = null;
    this.#holder.links = this.#holder.links.filter((link) => link !== this);
    if (this.#holder.links.length === 0) this.#holder.links = NO_LINKS;
  }
}
