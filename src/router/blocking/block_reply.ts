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
/** The server refuses all writes: before Redis 6.2, that is how a promotion holds them off. */
const HELD = /^-NOREPLICAS /;

/** Whether the time is over that the server was asked for. */
export function isNothing(reply: string): boolean {
  return NOTHING.test(reply);
}

/** Whether CLIENT UNBLOCK has ended it. */
export function isUnblocked(reply: string): boolean {
  return reply === UNBLOCKED_REPLY;
}

/** Why a server takes no writes: it is no master any more, or a promotion holds them off. It has popped nothing. */
export type NoWrites = "demoted" | "held";

/** Why the server takes no writes; null where the reply does not say that. */
export function noWrites(reply: string): NoWrites | null {
  return DEMOTED.test(reply) ? "demoted" : HELD.test(reply) ? "held" : null;
}
