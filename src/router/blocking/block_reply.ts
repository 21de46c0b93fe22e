/**
 * What a server's reply to a command that blocks says, apart from an element.
 *
 * @module
 */

import { UNBLOCKED } from "./blocked.ts";

/** Bytes of a reply that tell all of these from an element. */
export const FIRST_BYTES = 128;

const UNBLOCKED_REPLY = `-${UNBLOCKED}\r\n`;
/** The time is over. */
const NOTHING = /^(\*-1|\$-1|_)\r\n$/;
/** The server has just become a replica: it has popped nothing. */
const DEMOTED = /^-(UNBLOCKED force unblock |READONLY )/;

/** Whether the time is over that the server was asked for. */
export function isNothing(reply: string): boolean {
  return NOTHING.test(reply);
}

/** Whether CLIENT UNBLOCK has ended it. */
export function isUnblocked(reply: string): boolean {
  return reply === UNBLOCKED_REPLY;
}

/** Whether the server is no master any more: it has popped nothing. */
export function isDemoted(reply: string): boolean {
  return DEMOTED.test(reply);
}
