/**
 * What a connection to a server begins with: who we are, the protocol, the database.
 *
 * @module
 */

import { encodeRequest, type Protocol } from "../../resp/encoder.ts";
import type { BackendLogin } from "../options.ts";

/** The database of a connection that uses none: a server that runs a script would refuse to SELECT. */
export const NO_DATABASE = -1;

/** The requests of a handshake; HELLO, if any, is the last but one. */
export function handshakeOf(
  login: BackendLogin,
  protocol: Protocol,
  database: number,
): Uint8Array[] {
  const { user, password } = login;
  const requests: Uint8Array[] = [];
  if (password !== "") {
    requests.push(encodeRequest(user === "" ? ["AUTH", password] : ["AUTH", user, password]));
  }
  if (protocol === 3) requests.push(encodeRequest(["HELLO", "3"]));
  // Always sent, database 0 included: its answer proves that the server serves us.
  if (database !== NO_DATABASE) requests.push(encodeRequest(["SELECT", String(database)]));
  return requests;
}

/** Whether an error means that the server knows no RESP3; `left` requests were unanswered before it came. */
export function refusesHello(protocol: Protocol, left: number, error: string): boolean {
  return protocol === 3 && left === 2 && !/^(NOAUTH|NOPERM|LOADING)/.test(error);
}
