/**
 * A lane: a connection to a server that carries one large reply and nothing else, so that small replies to
 * other clients need not wait until it is through.
 *
 *      large reply expected? ─► client's earlier requests settled ─► private backend ─► reply ─► given back
 *                                                                       ├─ none free ──► the shared one
 *                                                                       └─ fails early ─► the shared one, once
 *
 * The client sends nothing more before the reply is through, so no command of its own overtakes another;
 * replies leave in order anyway. Only what reads takes a lane: so it may be asked twice, and broken off.
 *
 * @module
 */

import { clock } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { Link, type LinkUser } from "../backends/link.ts";
import type { Server } from "../backends/server.ts";
import type { Request, RequestOwner, RouteBackend } from "../request.ts";
import { connectionSlotId, sendAgainOn } from "../slots/route.ts";
import type { Client } from "./client.ts";

/** Replies that are expected to be as large take a lane; bytes. */
const LANE_REPLY_BYTES = 1024 * 1024;
/** How long after it was sent a request that has failed is sent once more, in milliseconds. */
const RETRY_MS = 1_000;

/** Whether a reply of so many bytes takes a lane. A client that has ways of its own keeps to them. */
function takesLane(client: Client, command: Command, bytes: number): boolean {
  return bytes >= LANE_REPLY_BYTES && command.isReadOnly && command.caution === "" &&
    client.ways === null;
}

/** Whether a request is refused, since its reply takes a lane and the client waits for earlier ones. */
export function waitsForLane(client: Client, command: Command, bytes: number): boolean {
  if (client.depth === 0 || !takesLane(client, command, bytes)) return false;
  client.credit.waitForReplies();
  return true;
}

/**
 * Sends a request over a lane, or its parts over one each, if so many bytes take one. All that its client
 * asked before is settled then: see {@linkcode waitsForLane}.
 */
export function chooseLane(client: Client, request: Request, bytes: number): void {
  if (!takesLane(client, request.command!, bytes)) return;
  request.ways = { at: (server, sent) => laneTo(client, server as Server, sent) };
  client.isAtBarrier = true;
}

function laneTo(client: Client, server: Server, request: Request): RouteBackend {
  const lane = Lane.open(client, server, request);
  if (lane !== null) return lane;
  server.leavePrivateQueue(client);
  return sharedConnection(server, request);
}

/** One request on its lane. */
class Lane implements RouteBackend, RequestOwner, LinkUser {
  readonly #server: Server;
  readonly #request: Request;
  readonly #owner: RequestOwner;
  #link!: Link;

  private constructor(server: Server, request: Request) {
    this.#server = server;
    this.#request = request;
    this.#owner = request.owner;
  }

  /** Null when the server has lent too many connections. */
  static open(client: Client, server: Server, request: Request): Lane | null {
    const lane = new Lane(server, request);
    const { database, protocol } = request;
    const link = Link.open(server, database, protocol, client, lane, client, true);
    if (link === null) return null;
    lane.#link = link;
    return lane;
  }

  get isGone(): boolean {
    return this.#owner.isGone;
  }

  begin(request: Request): boolean {
    request.owner = this;
    return this.#link.carry(request).begin(request);
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.#request.keep(bytes, start, end);
    this.#link.append(bytes, start, end);
  }

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    request.owner = this.#owner; // it is as any other from now on
    this.#owner.replied(request, bytes, start, end, isLast);
  }

  /** Nothing of a reply is here: the connection was refused, for one, because the server has too many. */
  failed(request: Request, text: string): void {
    request.owner = this.#owner;
    this.#link.giveBack(false);
    const isEarly = clock.nowMs - request.sentMs < RETRY_MS;
    const isSent = request.keptBytes > 0;
    if (!isSent || !isEarly || this.isGone) return this.#owner.failed(request, text);
    request.ways = null;
    request.dropReply();
    const shared = sharedConnection(this.#server, request);
    sendAgainOn(shared, request, request.kept!, 0, request.keptBytes);
  }

  pushed(): void {} // what reads asks for no pushes

  lost(): void {} // the request has been failed

  clientClosed(link: Link): void {
    link.breakOff(); // nobody wants the rest
  }
}

/** What carries it where no lane does. */
function sharedConnection(server: Server, request: Request): RouteBackend {
  return server.backend(request.database, request.protocol, connectionSlotId(request));
}
