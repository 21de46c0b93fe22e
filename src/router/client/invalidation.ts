/**
 * Invalidations as clients get them: a push in RESP3, a message of a channel in RESP2.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import type { ListedClient } from "./client_info.ts";

/** How every invalidation begins in RESP3; the array of keys follows. */
export const INVALIDATE = ">2\r\n$10\r\ninvalidate\r\n";
/** In place of the keys: all of them. */
export const INVALIDATE_ALL = latin1Bytes("_\r\n");

const MESSAGE = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
const ALL_IN_RESP2 = "$-1\r\n";

/** A client that can be told. */
export type ToldClient = Pick<ListedClient, "protocol" | "subscriptions" | "push">;

/**
 * A client is to be told for others.
 *
 * @returns False when there is no such client.
 */
export function redirectTo(
  clients: ReadonlyMap<number, Pick<ListedClient, "isRedirectTarget">>,
  id: number,
): boolean {
  const client = clients.get(id);
  if (client === undefined) return false;
  client.isRedirectTarget = true;
  return true;
}

/**
 * Gives an invalidation to the client that others redirect it to. In RESP2 it must be subscribed to
 * something, as in Redis; else it hears nothing.
 *
 * @param keys The array of keys, or a null, as RESP3 encodes it.
 * @returns False when there is no such client.
 */
export function invalidate(
  clients: ReadonlyMap<number, ToldClient>,
  id: number,
  keys: Uint8Array,
): boolean {
  const client = clients.get(id);
  if (client === undefined) return false;
  if (client.protocol === 3) client.push(concat([latin1Bytes(INVALIDATE), keys]));
  else if (client.subscriptions?.isSubscribed === true) {
    const isAll = latin1(keys, 0, 1) === "_";
    client.push(concat([latin1Bytes(MESSAGE), isAll ? latin1Bytes(ALL_IN_RESP2) : keys]));
  }
  return true;
}
