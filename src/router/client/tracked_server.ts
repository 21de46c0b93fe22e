/**
 * One server that a tracking client reads from: the link over which it does, and what tells of changes.
 *
 *      no REDIRECT    link ── CLIENT TRACKING ON, requests ─► server ─► replies, invalidations between them
 *
 *      REDIRECT       link ── CLIENT TRACKING ON REDIRECT n ─► server ─► replies
 *                     listener (RESP3, client n there) ◄────── server ─► invalidations
 *
 *      opening ── tracked ─► ready ── lost ─► down ── asked for again, later ─► opening
 *         └──────── fails ─────────────────────▲
 *
 * The listener is the client's own, too: so a client of RESP2 is told, and may change its protocol. What is
 * sent while the link is opening, or changes database or protocol, waits in it.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import { encodeRequest, PING, type Protocol } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { Link, LinkUser } from "../backends/link.ts";
import { openLink } from "../backends/link_wait.ts";
import { askServer } from "../backends/question.ts";
import type { Server } from "../backends/server.ts";
import { backendDown } from "../errors.ts";
import { failRequest, type Request, type RouteBackend } from "../request.ts";
import { sendOn } from "../slots/route.ts";
import type { Client } from "./client.ts";
import { type TrackingOptions, trackingWords } from "./tracking_options.ts";

/** How long after a failure a server is not asked again, in milliseconds. */
const RETRY_MS = 200;

/** What a tracked server tells of. */
export interface TrackedServerUser {
  readonly client: Client;
  readonly options: TrackingOptions;
  /** The server has said that something changed. Takes `push`, a whole RESP3 push. */
  pushed(push: Uint8Array): void;
  /** It tracks again after it did not: what changed meanwhile is not known. */
  isBack(server: TrackedServer): void;
  /** What it tracked is forgotten. */
  isLost(server: TrackedServer): void;
}

/** A request that waits until the link is ready. */
interface Waiting {
  readonly request: Request;
  readonly pieces: Uint8Array[];
}

/** Called once: with an empty string, or with why the server does not track. */
export type Configured = (error: string) => void;

/** See the drawing above. */
export class TrackedServer implements LinkUser, RouteBackend {
  readonly server: Server;
  readonly #user: TrackedServerUser;
  #state: "opening" | "ready" | "down" = "down";
  #cause = "";
  #failedMs = -RETRY_MS;
  #wasReady = false;
  #link: Link | null = null;
  #listener: Link | null = null;
  /** The number of the listener among the server's clients. */
  #listenerId = "";
  #database = 0;
  #protocol: Protocol = 2;
  #waiting: Waiting[] = [];
  /** Ends the wait for a connection. */
  #cancel: () => void = () => {};
  #configured: Configured[] = [];

  constructor(server: Server, user: TrackedServerUser) {
    this.server = server;
    this.#user = user;
  }

  /** Whether it tracks now. */
  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** The connection that carries a request of this database and protocol, or lets it wait. */
  connection(database: number, protocol: Protocol): RouteBackend {
    if (this.#state === "down" && clock.nowMs - this.#failedMs >= RETRY_MS) {
      this.open(database, protocol);
    } else if (this.#state === "ready") {
      if (this.#database === database && this.#protocol === protocol) return this.#link!.connection;
      this.#change(database, protocol);
    }
    return this;
  }

  /** Opens it, unless it is open or opening. */
  open(database: number, protocol: Protocol): void {
    if (this.#state !== "down") return;
    const { circuit } = this.server;
    if (circuit.isOpen) return this.#fail(circuit.cause);
    this.#state = "opening";
    this.#database = database;
    this.#protocol = protocol;
    this.#tell(this.#user.options);
  }

  /**
   * Tells the server about options.
   *
   * @param wanted What is new: prefixes are added to those that it knows.
   * @param configured Called later, when they are in force, or the server cannot be had.
   */
  configure(wanted: TrackingOptions, configured: Configured): void {
    // What is on its way is of older options, and nobody waits for it but the one who changes them.
    if (this.#state === "opening") this.#fail("its options have changed");
    this.#configured.push(configured);
    if (this.#state === "down") {
      const { database, protocol } = this.#user.client;
      this.open(database, protocol);
    } else if (this.#state === "ready") {
      this.#state = "opening";
      this.#tell(wanted);
    }
  }

  /** Tracks as all options say, unless it does; `tracks` is called once: it does, or the server cannot be had. */
  hear(tracks: Configured): void {
    if (this.#state === "ready") return tracks("");
    this.#configured.push(tracks);
    const { database, protocol } = this.#user.client;
    this.open(database, protocol);
  }

  /** Speaks this protocol from now on; `spoken` is called once, when the server does. */
  speak(protocol: Protocol, spoken: Configured): void {
    if (this.#state !== "ready" || this.#protocol === protocol) return spoken("");
    this.#configured.push(spoken);
    this.#change(this.#database, protocol);
  }

  /** Calls `done` once, when what the server has told until now was heard, or is known to be lost. */
  hearAll(done: () => void): void {
    if (this.#state === "opening" && (this.#wasReady || this.#waiting.length > 0)) {
      // What waits here comes before. If it fails, the client is told of it in this turn.
      this.#configured.push(() => queueMicrotask(() => this.hearAll(done)));
      return;
    }
    const link = this.#listener ?? this.#link;
    // What does not track yet, or no more, has nothing to tell.
    if (!this.#wasReady || link === null) return done();
    askServer(link.connection, PING, (text, isReply) => {
      if (isReply) return done();
      this.#unheard(link, text, done);
    });
  }

  /** Ends it. What is on its way is left to the server, as on a shared connection. */
  close(): void {
    for (const link of [this.#link, this.#listener]) {
      if (link === null || link.isClosed) continue;
      if (link.inFlight === 0) link.breakOff();
      else askServer(link.connection, PING, () => link.giveBack(false));
    }
    this.#link = this.#listener = null;
    this.#wasReady = false;
    this.#fail("");
  }

  // -- opening --------------------------------------------------------------------------------

  #tell(options: TrackingOptions): void {
    if (options.redirect === 0 || this.#listener !== null) return this.#track(options);
    this.#openLink(0, 3, (listener) => {
      this.#listener = listener;
      this.#ask(listener, ["CLIENT", "ID"], (text) => {
        this.#listenerId = /^:(\d+)/.exec(text)?.[1] ?? "";
        if (this.#listenerId === "") this.#fail(textOf(text), true);
        else this.#track(options);
      });
    });
  }

  #track(options: TrackingOptions): void {
    if (this.#link === null) {
      return this.#openLink(this.#database, this.#protocol, (link) => {
        this.#link = link;
        this.#track(options);
      });
    }
    const redirect = options.redirect === 0 ? [] : ["REDIRECT", this.#listenerId];
    const prefixes = options.prefixes.filter((prefix) => prefix !== "")
      .flatMap((prefix) => ["PREFIX", latin1Bytes(prefix)]);
    const words = ["CLIENT", "TRACKING", "ON", ...redirect, ...trackingWords(options), ...prefixes];
    this.#ask(this.#link, words, (text) => {
      if (text.startsWith("+")) this.#isOpen();
      else this.#fail(textOf(text), true);
    });
  }

  #openLink(database: number, protocol: Protocol, opened: (link: Link) => void): void {
    const { client } = this.#user;
    this.#cancel = openLink(this.server, database, protocol, client, this, (link, error) => {
      this.#cancel = () => {};
      if (link === null) this.#fail(error, true);
      else opened(link);
    });
  }

  /** SELECT and HELLO; the server goes on tracking. */
  #change(database: number, protocol: Protocol): void {
    this.#state = "opening";
    const link = this.#link!;
    const select = () => {
      this.#protocol = protocol;
      if (database === this.#database) return this.#isOpen();
      this.#ask(link, ["SELECT", `${database}`], (text) => {
        if (!text.startsWith("+")) return this.#fail(textOf(text));
        this.#database = database;
        this.#isOpen();
      });
    };
    if (protocol === this.#protocol) return select();
    this.#ask(link, ["HELLO", `${protocol}`], (text) => {
      if (text.startsWith("-")) this.#fail(textOf(text));
      else select();
    });
  }

  #ask(link: Link, words: readonly (string | Uint8Array)[], done: (reply: string) => void): void {
    askServer(link.connection, encodeRequest(words), (text, isReply) => {
      if (!isReply) this.#unheard(link, text);
      else if (this.#isUsed(link)) done(text);
    });
  }

  /** A question of ours has no reply. Of a connection that is lost its user is told next; of one that refuses requests it is not. */
  #unheard(link: Link, text: string, done = () => {}): void {
    queueMicrotask(() => {
      if (this.#isUsed(link)) this.#fail(this.server.circuit.cause || textOf(text));
      done();
    });
  }

  #isUsed(link: Link): boolean {
    return link === this.#link || link === this.#listener;
  }

  #isOpen(): void {
    this.#state = "ready";
    this.#cause = "";
    const waiting = this.#waiting;
    this.#waiting = [];
    const { connection } = this.#link!;
    for (const { request, pieces } of waiting) {
      // It was counted at its slots when it began to wait.
      if (!connection.begin(request)) continue;
      for (const piece of pieces) connection.append(piece, 0, piece.length);
    }
    const isBack = !this.#wasReady;
    this.#wasReady = true;
    if (isBack) this.#user.isBack(this);
    this.#settle("");
  }

  #settle(error: string): void {
    const configured = this.#configured;
    this.#configured = [];
    for (const each of configured) each(error);
  }

  // -- what waits ------------------------------------------------------------------------------

  begin(request: Request): boolean {
    if (this.#state !== "opening") {
      failRequest(request, backendDown(this.server.address, this.#cause));
      return false;
    }
    request.state = "waiting";
    this.#waiting.push({ request, pieces: [] });
    return true;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.#waiting.at(-1)!.pieces.push(bytes.slice(start, end));
  }

  /** Sends a request of ours. Copies `bytes`. */
  send(request: Request, bytes: Uint8Array): void {
    sendOn(
      this.#state === "ready" ? this.#link!.connection : this,
      request,
      bytes,
      0,
      bytes.length,
    );
  }

  // -- links ------------------------------------------------------------------------------------

  pushed(_link: Link, push: Uint8Array): void {
    this.#user.pushed(push);
  }

  lost(link: Link, cause: string): void {
    if (this.#isUsed(link)) this.#fail(cause);
  }

  clientClosed(): void {} // its tracking has ended before

  /**
   * It cannot be used now.
   *
   * @param isRefused Whether the server was asked and does not do it.
   */
  #fail(cause: string, isRefused = false): void {
    this.#cancel();
    this.#cancel = () => {};
    const wasReady = this.#wasReady;
    const links = [this.#link, this.#listener];
    this.#link = this.#listener = null;
    this.#wasReady = false;
    this.#state = "down";
    this.#cause = cause;
    this.#failedMs = clock.nowMs;
    for (const link of links) if (link?.isClosed === false) link.breakOff();
    const waiting = this.#waiting;
    this.#waiting = [];
    const text = backendDown(this.server.address, cause);
    for (const { request } of waiting) failRequest(request, text);
    this.#settle(isRefused ? cause : "");
    if (wasReady) this.#user.isLost(this);
  }
}

/** The text of an error reply. */
function textOf(reply: string): string {
  return reply.replace(/^-/, "").trimEnd();
}
