/**
 * The error texts that the proxy itself gives, in one place.
 *
 * Texts of the form `ERR handle request, …` and `ERR handle response, …` are Codis 3.2's: the first
 * says that the request was not sent anywhere, the second that it may have been executed. Clients that can safely
 * ask again get `LOADING` in place of `ERR`: client/streak.ts.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";
import { asSent, QUOTED_BYTES_MAX } from "../resp/encoder.ts";
import type { RouterOptions } from "./options.ts";

/** Redis's text, byte for byte. */
export const NO_AUTH = "NOAUTH Authentication required.";
/** Redis's text, byte for byte. */
export const NO_CLUSTER = "ERR This instance has cluster support disabled";
/** Redis's text, byte for byte. */
export const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
/** Redis's text, byte for byte. */
export const MAX_CLIENTS = "ERR max number of clients reached";

/** The same for the clients of one user. */
export function tooManyOfUser(name: string): string {
  return `${MAX_CLIENTS} for user ${name}`;
}

/** Redis Cluster's text, and how to mend it. */
export const CROSS_SLOT =
  "CROSSSLOT Keys in request don't hash to the same slot: give them the same {tag}, as in {a}x and {a}y, or a slot rule ('config slot rule preset' has those of frameworks)";
/** Redis's text, byte for byte. */
export const EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors.";
/** Redis's text for an EXEC that was refused, byte for byte. */
export function execAborted(cause: string): string {
  return `EXECABORT Transaction discarded because of: ${cause.replace(/^ERR /, "")}`;
}
/** A server that takes no MULTI, but what follows it. */
export const MULTI_REFUSED =
  "ERR handle response, the server refused MULTI and executed the commands one by one";
/** A server whose EXEC has other replies than there were commands, or was in another database for some of them. */
export const OTHER_EXECUTED =
  "ERR handle response, the server has executed something else than the transaction that it was sent";
/** Redis Cluster's text, and how to mend it. */
export const TRANSACTION_CROSS_SLOT =
  `${CROSS_SLOT}, or set multi_slot_transactions in the proxy's configuration`;
/** Redis's text, byte for byte. */
export const NOT_IN_TRANSACTION = "ERR Command not allowed inside a transaction";
/** Keys of a transaction may be in other slots now than they were when it began. */
export const RULES_CHANGED = "the slot rules have changed since MULTI, send the transaction again";
/** All clients together hold too much. */
export const BUDGET_SPENT =
  "ERR handle request, no memory for a larger transaction: proxy_max_buffer is used up";

/** Redis's text, byte for byte. */
export const NO_SUCH_DATABASE = "ERR DB index is out of range";
/** Redis's text, byte for byte. */
export const SYNTAX_ERROR = "ERR syntax error";
/** Redis's text, byte for byte. */
export const NOT_AN_INTEGER = "ERR value is not an integer or out of range";
/** Redis's text, byte for byte. */
export const NOT_32_BITS =
  "ERR value is out of range, value must between -2147483648 and 2147483647";
/** Redis's text for COMMAND GETKEYS of arguments in which it cannot find the keys. */
export const NO_KEYS_FOUND = "ERR Invalid arguments specified for command";
/** Redis's text, byte for byte. */
export const NO_REDIRECT_TARGET = "ERR The client ID you want redirect to does not exist";
/** Codis 3.2's text. */
export const SLOT_NOT_READY = "ERR handle request, slot is not ready, may be offline";
/** Codis 3.2's text. */
export const BACKEND_RESET = "ERR handle response, backend conn reset";

/** Redis's text, byte for byte. */
export const NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";

/** Redis's text for a function that it does not have. */
export const NO_FUNCTION = "ERR Function not found";

/** What a function does is looked at before a user with few rights may call it, and that is not possible now. */
export const FUNCTIONS_NOT_KNOWN =
  "ERR this user may not do everything, so the proxy must see the function's text first, and the Redis " +
  "server did not answer FUNCTION LIST WITHCODE; try again later";

/** The slot table is old, and the new one cannot be read yet. Codis 3.2's form. */
export const TABLE_OLD =
  "ERR handle request, slots may have changed while this proxy was away: it waits for its coordinator";

/** There is no slot table yet. Redis's word, by which clients know to come back. */
export const LOADING = "LOADING codis-proxy waits to be set online: it has no slots to serve yet";

/** Slots change servers again and again while a command asks for all keys. Codis 3.2's form. */
export const SLOTS_MOVE_TOO_FAST =
  "ERR handle response, slots move faster than all keys can be asked for";

/** XREAD cannot go on at another server: `$` might mean another entry there. */
export const UNKNOWN_LAST_ID =
  "ERR handle request, the slot has moved, and XINFO STREAM did not say what $ stood for: ask again";

/** The proxy closes its clients, and the command waits no longer. Nothing was done. */
export const CLIENTS_CLOSED = "ERR handle request, the proxy is shutting down";

/** A request that cannot be passed on in pieces, and is too large to be held. */
export function requestTooLarge(bytes: number, bytesMax: number): string {
  return `ERR request of at least ${bytes} bytes is larger than session_max_buffer (${bytesMax} bytes)`;
}

/** A transaction whose commands are too large to be held. */
export function transactionTooLarge(bytes: number, bytesMax: number): string {
  return `ERR transaction of at least ${bytes} bytes is larger than session_max_buffer (${bytesMax} bytes)`;
}

/** More arguments than the oldest of the servers takes. */
export function tooManyArguments(count: number, countMax: number): string {
  return `ERR request of ${count} arguments: servers before Redis 7 take ${countMax}`;
}

/** Redis's text for a command that a client may not use while it subscribes, under RESP2, byte for byte. */
export function notWhileSubscribed(name: string): string {
  return `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
    "are allowed in this context";
}

/** A server that cannot tell of changes, by what it says; CLIENT TRACKING came with Redis 6. */
export function trackingUnknown(cause: string): string {
  return `ERR CLIENT TRACKING needs Redis 6 or newer at every server: ${cause}`;
}

/** A request that waited for its slot in vain. */
export function slotWaitedOut(slotId: number, waitMs: number): string {
  return `ERR handle request, slot ${slotId} is blocked by a change that took longer than ${waitMs} ms`;
}

/** A script, or SORT with a pattern, that waited in vain for the end of its slot's move. */
export function wholeSlotWaitedOut(slotId: number, waitMs: number): string {
  return `ERR handle request, slot ${slotId} is being moved, and the command may use keys that it does not ` +
    `name: it waited ${waitMs} ms for the end of the move`;
}

/**
 * Whether a server that answers this error to a question of ours may answer it another time: it runs a
 * script, or is just starting. Others say that it does not know the command, or that we may not.
 */
export function isPassing(reply: string): boolean {
  return /^-(?!NOPERM |ERR )/.test(reply);
}

/** Codes of a server's errors that are not about the client's request: our login, and a move's end. */
const OUR_CODES = ["ERR", "NOAUTH", "WRONGPASS", "NOPERM", "IOERR", "BUSYKEY"];

/**
 * An error of ours and its cause. A server's own code (BUSY, LOADING, READONLY …) stays at the beginning,
 * where clients look for it.
 */
function causedBy(cause: string, text: string): string {
  const code = /^([A-Z][A-Z0-9]+) /.exec(cause)?.[1];
  return code === undefined || OUR_CODES.includes(code)
    ? `ERR ${text}: ${cause}`
    : `${cause} (${text})`;
}

/** Whether a connection could not be opened because the process may open no more. */
export function isOutOfFiles(cause: string): boolean {
  return /too many open files/i.test(cause);
}

/**
 * Whether a connection of one client failed for what others need not lack, so that its server is not lost: nothing more
 * can be opened here, the server takes no more clients, or may not do for us what this one asks for.
 */
export function isOfOneClient(cause: string): boolean {
  return isOutOfFiles(cause) ||
    /^NOPERM |max number of clients reached|cannot assign requested address/i.test(cause);
}

const LOST_SERVER =
  /^ERR handle re(quest|sponse), backend conn (failure|reset)|\(handle request, backend conn failure/;
/** What a server says, or is known by, to which a request need not be sent again: it would be refused again. */
const REFUSES_US = /: (NOAUTH|NOPERM|WRONGPASS|ERR|protocol error|the server sent a reply) ?/;

/**
 * Whether a request has failed with this text because its server is not there for anybody just now: one that is safe
 * to repeat may be sent again once it is.
 */
export function isServerLost(text: string): boolean {
  return LOST_SERVER.test(text) && !REFUSES_US.test(text) && !isOfOneClient(text);
}

/** Whether a text of ours says that the request was not sent to the server that is lost. */
export function isUnsent(text: string): boolean {
  return text.includes("handle request, backend conn failure");
}

/** Whether a text of ours says that the request may have been executed. */
export function mayBeExecuted(text: string): boolean {
  return text.includes("handle response, ");
}

/**
 * The text for a client that can safely ask again by itself: where a request was not sent since its server is lost,
 * it gets Redis's word for that, which client libraries take for a lost connection, or retry. Else the same text.
 */
export function askAgain(text: string): string {
  if (!isServerLost(text)) return text;
  return text.replace(
    /^ERR handle request, backend conn failure, /,
    "LOADING handle request, backend conn failure, ",
  );
}

/** A key of a migrating slot that its old server did not give away. Codis 3.2's beginning. */
export function moveFailed(slotId: number, source: string, cause: string): string {
  return causedBy(cause, `handle request, bad slotsmgrt resp: slot ${slotId} from ${source}`);
}

/** A server to which keys may still be on their way, from a move whose end was not heard. */
export function targetInDoubt(target: string, cause: string): string {
  const text = `handle request, bad slotsmgrt resp: unfinished moves to ${target} are in doubt`;
  return causedBy(cause, text);
}

/** A backend that cannot be reached, and why: the request was not sent. Codis 3.2's form. */
export function backendDown(address: string, cause: string): string {
  return causedBy(cause, `handle request, backend conn failure, ${address}`);
}

/** A backend that was lost after the request was sent, and why. Codis 3.2's form. */
export function backendFailure(address: string, cause: string): string {
  return `ERR handle response, backend conn failure, ${address}: ${cause}`;
}

/** What was written before may be lost: WAIT cannot tell who has it. */
export function writesInDoubt(address: string): string {
  return backendFailure(
    address,
    "a connection was lost after a write, which may be lost; write it again, then WAIT",
  );
}

/** A read that only replicas may answer. Codis 3.2's form. */
export function noReplica(master: string, cause: string): string {
  return `ERR handle request, no replica of ${master} can serve reads: ${cause}`;
}

/** A server to which as many connections of clients' own are open as there may be, or as a worker may have. */
export function privateConnectionsSpent(
  address: string,
  { privateConnectionsMax: max, privateConnectionsOfAll: ofAll }: Pick<
    RouterOptions,
    "privateConnectionsMax" | "privateConnectionsOfAll"
  >,
): string {
  return `ERR handle request, all ${max} private connections to ${address} are in use: ` +
    (ofAll === undefined
      ? "see private_connections_max in the proxy's configuration"
      : `they are one worker's share of private_connections_max = ${ofAll}`);
}

/** A command of which only the servers know where its keys are, with arguments that have none there. */
export function keysNotFound(name: string): string {
  return `ERR handle request, no keys of command '${
    name.toUpperCase().replace("|", " ")
  }' are where its servers say they are`;
}

/** No server has said whether it knows a command. Codis 3.2's beginning. */
export const COMMANDS_NOT_LEARNED =
  "ERR handle request, backend conn failure, no server has said yet whether it knows this command";

/** A command the proxy refuses. Codis 3.2's form, with the reason after it. */
export function notAllowed(name: string, reason: string): string {
  return `ERR handle request, command '${
    name.toUpperCase().replace("|", " ")
  }' is not allowed: ${reason}`;
}

/** Redis's text, byte for byte; `name` as in the command table. */
export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name}' command`;
}

/** Redis's text for a command it does not know, byte for byte. */
export function unknownCommand(args: Arguments): string {
  let beginning = "";
  for (let i = 1; i < args.count && beginning.length < QUOTED_BYTES_MAX; i++) {
    const text = asSent(args.bytes, args.start(i), args.end(i));
    beginning += `'${text.slice(0, QUOTED_BYTES_MAX - beginning.length)}' `;
  }
  const name = asSent(args.bytes, args.start(0), args.end(0));
  return `ERR unknown command '${name}', with args beginning with: ${beginning}`;
}

/** Redis's text for a container command's unknown subcommand, byte for byte. */
export function unknownSubcommand(container: string, args: Arguments): string {
  const word = asSent(args.bytes, args.start(1), args.end(1));
  return `ERR unknown subcommand '${word}'. Try ${container.toUpperCase()} HELP.`;
}

/** Redis's text for a subcommand with more arguments than it takes, byte for byte. */
export function wrongSubcommandForm(container: string, args: Arguments): string {
  const word = asSent(args.bytes, args.start(1), args.end(1));
  return `ERR unknown subcommand or wrong number of arguments for '${word}'. ` +
    `Try ${container.toUpperCase()} HELP.`;
}

/** A client's text for an error reply: cut at 128 characters, all but printable ASCII as `?`. */
export function clientText(text: string): string {
  return text.slice(0, 128).replace(/[^ -~]/g, "?");
}
