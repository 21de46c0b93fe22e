/**
 * The sockets that all workers of a pool bind.
 *
 * @module
 */

import { findFree } from "../../io/listen.ts";
import type { ListenPlace } from "./data_plane.ts";

/**
 * A place with all of its ports. Sharing is for us alone: another process that has one, shared or not, is found
 * out, unless it is the one that we take over from.
 *
 * @throws {Error} Naming the address that somebody else has.
 */
export function placeToBind({ sockets, proto }: ListenPlace, isBeside: boolean): ListenPlace {
  const all = sockets.map(({ hostname, port, isTls = false }) => {
    const { hostname: host, port: bound } = isBeside
      ? { hostname, port }
      : findFree(hostname, port, proto);
    return { hostname: host, port: bound, isTls };
  });
  return { sockets: all, proto };
}

/** The addresses of a place; none without one. */
export function addressesOf(place: ListenPlace | undefined): readonly Deno.NetAddr[] {
  return (place?.sockets ?? []).map(({ hostname, port }) => ({ transport: "tcp", hostname, port }));
}
