/**
 * The one way to a server: whatever the proxy sends, for a client or for itself, whole or in parts.
 *
 *      slot, split, fan out, pass through ─┐
 *      key fetch, source call, questions ──┴─► count at its slots ─► choose the connection ─► its bytes
 *
 * Which connection carries a request is decided here and nowhere else: the shared one of its database and
 * protocol, unless the caller names another one, such as a link of the client's own.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import type { Request } from "../request.ts";

/** A connection as it is sent over. */
export interface RouteBackend {
  begin(request: Request): boolean;
  append(bytes: Uint8Array, start: number, end: number): void;
}

/** A server as it is sent to. */
export interface RouteServer<B extends RouteBackend> {
  backend(database: number, protocol: Protocol): B;
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
  if (beginOn(backend, request)) backend.append(bytes, start, end);
}

/**
 * Queues a request at a server; its bytes follow by `append`, before anything else.
 *
 * @returns The connection; null when it takes no requests now: then the request has been failed.
 */
export function beginAt<B extends RouteBackend>(
  server: RouteServer<B>,
  request: Request,
): B | null {
  const backend = server.backend(request.database, request.protocol);
  return beginOn(backend, request) ? backend : null;
}

/** Sends a request to a server. Copies `bytes[start, end)`. */
export function sendTo<B extends RouteBackend>(
  server: RouteServer<B>,
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const backend = server.backend(request.database, request.protocol);
  if (beginOn(backend, request)) backend.append(bytes, start, end);
}
