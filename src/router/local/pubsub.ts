/**
 * SUBSCRIBE and its like: what a client is subscribed to, and what it may do meanwhile.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { Encoder, errorReply } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { Client } from "../client/client.ts";
import { notWhileSubscribed } from "../errors.ts";
import {
  CHANNELS,
  PATTERNS,
  SHARD_CHANNELS,
  SUBSCRIPTION_KINDS,
  type SubscriptionKind,
} from "../pubsub/kinds.ts";
import { Subscriptions } from "../pubsub/subscriptions.ts";
import type { LocalAnswer, LocalCall } from "./local_call.ts";

const SUBSCRIBING: ReadonlySet<string> = new Set(
  SUBSCRIPTION_KINDS.flatMap(({ subscribe, unsubscribe }) => [subscribe, unsubscribe]),
);

/** What a client may send under RESP2 while it subscribes. */
const ALLOWED_WHILE_SUBSCRIBED: ReadonlySet<string> = new Set([
  ...SUBSCRIBING,
  "ping",
  "quit",
  "reset",
]);

/** Answers by name. */
export const PUBSUB_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  subscribe: (call) => subscribe(call, CHANNELS),
  unsubscribe: (call) => unsubscribe(call, CHANNELS),
  psubscribe: (call) => subscribe(call, PATTERNS),
  punsubscribe: (call) => unsubscribe(call, PATTERNS),
  ssubscribe: (call) => subscribe(call, SHARD_CHANNELS),
  sunsubscribe: (call) => unsubscribe(call, SHARD_CHANNELS),
};

/**
 * Tells why a command is not let through while its client has subscriptions.
 *
 * @param refusal Why it is not let through anyway; empty when it would be.
 */
export function whileSubscribed(client: Client, command: Command, refusal: string): string {
  const isAllowed = client.protocol === 3 || client.subscriptions?.isSubscribed !== true ||
    ALLOWED_WHILE_SUBSCRIBED.has(command.name);
  const isOther = refusal !== "" && refusal !== command.refusal;
  return isAllowed || isOther ? refusal : notWhileSubscribed(command.name);
}

/** What PING gets under RESP2 while its client subscribes: the form of a message. */
export function pongWhileSubscribed(args: Arguments): Uint8Array {
  const text = args.count === 1 ? "" : args.bytes.subarray(args.start(1), args.end(1));
  return new Encoder(2).array(2).bulk("pong").bulk(text).done();
}

function subscribe(call: LocalCall, kind: SubscriptionKind): Uint8Array | null {
  const { client } = call;
  const { refusal } = client.shared;
  if (refusal !== "") return errorReply(refusal);
  const { isCapturing } = client.replies;
  if (mustWait(client)) return askAgain(client);
  const subscriptions = Subscriptions.of(client);
  const error = subscriptions.connect(isCapturing ? 0 : client.shared.options.backendDialMs);
  if (error === "waiting") return askAgain(client);
  if (error !== "") return errorReply(error);
  return answerInTurn(call, (answered) => subscriptions.subscribe(kind, namesOf(call), answered));
}

function unsubscribe(call: LocalCall, kind: SubscriptionKind): Uint8Array | null {
  const { client } = call;
  if (mustWait(client)) return askAgain(client);
  const subscriptions = Subscriptions.of(client);
  return answerInTurn(call, (answered) => subscriptions.unsubscribe(kind, namesOf(call), answered));
}

/** Whether something else than its like is not answered, in a client that is not in a transaction. */
function mustWait({ depth, replies, subscriptions }: Client): boolean {
  return depth > (subscriptions?.underWay ?? 0) && !replies.isCapturing;
}

/** Whether a command waits until what its client subscribes to, and what it does not any more, is in force. */
export function waitsForSubscriptions(client: Client, command: Command | undefined): boolean {
  const { underWay } = client.subscriptions!;
  return underWay > 0 && (command === undefined || !SUBSCRIBING.has(command.name));
}

/**
 * Acknowledgements and messages have one order: the command waits until all before it is answered, and is
 * dispatched again.
 */
function askAgain(client: Client): null {
  client.credit.isRefused = true;
  return null;
}

/**
 * Answers a command later. What the client sends after it waits, but for its like: they are sent to the servers at
 * once, as programs count on it that a SUBSCRIBE is in force soon after it was sent.
 */
function answerInTurn(
  { client, command }: LocalCall,
  ask: (answered: (reply: Uint8Array) => void) => void,
): null {
  const parked = client.replies.park(command);
  client.isAtBarrier = client.replies.isCapturing;
  ask((reply) => {
    // Acknowledgements are pushes, which CLIENT REPLY OFF does not hold back.
    if (reply[0] !== 45 /* - */) parked.isMuted = false;
    client.replies.completed(parked, reply);
  });
  return null;
}

/** The channels or patterns that a command names, as latin1. */
function namesOf({ args }: LocalCall): string[] {
  const names: string[] = [];
  for (let i = 1; i < args.count; i++) {
    names.push(latin1(args.bytes, args.start(i), args.end(i)));
  }
  return names;
}
