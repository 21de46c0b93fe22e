/**
 * The one way to a server: whatever the proxy sends, for a client or for itself, whole or in parts.
 *
 *      slot, split, fan out, pass through ─┐
 *      key fetch, source call, questions ──┴─► count at its slots ─► choose the connection ─► its bytes
 *
 * Which connection carries a request is decided here and nowhere else: the shared one of its database and
 * protocol (of its slot, where a server has several), unless its client has ways of its own (tracking,
 * reads from replicas), its reply takes a lane, or the caller names another one, such as a link of the
 * client's own.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import type { Request, RouteBackend } from "../request.ts";

/** A server as it is sent to. */
export interface RouteServer {
  readonly address: string;
  /** @param slotId Requests of one slot go over one connection, where there are several. */
  backend(database: number, protocol: Protocol, slotId: number): RouteBackend;
}

/** The connection that carries a request to a server. */
function backendAt(server: RouteServer, request: Request): RouteBackend {
  const { ways } = request;
  return ways === null
    ? server.backend(request.database, request.protocol, connectionSlotId(request))
    : ways.at(server, request);
}

/** The slot by which the connection of a request is chosen. */
export function connectionSlotId({ slot, slots }: Request): number {
  if (slot !== null) return slot.id;
  return slots === null ? 0 : slots[0]!.id;
}

/** Counts a request as in flight at each of its slots; settling it takes it off again. */
export function countInFlight(request: Request): void {
  if (request.slot !== null) request.slot.enter();
  if (request.slots !== null) { for (const slot of request.slots) slot.enter(); }
}

/**
 * Queues a request on a connection; its bytes follow by `append`, before anything else.
 *
 * @returns False when the connection takes no requests now: then the request has been failed.
 */
export function beginOn(backend: RouteBackend, request: Request): boolean {
  countInFlight(request);
  return backend.begin(request);
}

/** Sends a request over a connection. Copies `bytes[start, end)`. */
export function sendOn(
  backend: RouteBackend,
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  countInFlight(request);
  sendAgainOn(backend, request, bytes, start, end);
}

/** As {@linkcode sendOn}, for a request that was sent before in vain, and is still counted. */
export function sendAgainOn(
  backend: RouteBackend,
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  if (backend.begin(request)) backend.append(bytes, start, end);
}

/**
 * Queues a request at a server; its bytes follow by `append`, before anything else.
 *
 * @returns The connection; null when it takes no requests now: then the request has been failed.
 */
export function beginAt(server: RouteServer, request: Request): RouteBackend | null {
  const backend = backendAt(server, request);
  return beginOn(backend, request) ? backend : null;
}

/** Sends a request to a server. Copies `bytes[start, end)`. */
export function sendTo(
  server: RouteServer,
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  sendOn(backendAt(server, request), request, bytes, start, end);
}
