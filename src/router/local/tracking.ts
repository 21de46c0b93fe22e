/**
 * CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR.
 *
 * @module
 */

import { Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import type { Client } from "../client/client.ts";
import { redirectTo } from "../client/invalidation.ts";
import { Tracking } from "../client/tracking.ts";
import {
  conflictOf,
  readTrackingOptions,
  type TrackingOptions,
} from "../client/tracking_options.ts";
import { NO_REDIRECT_TARGET, SYNTAX_ERROR, trackingUnknown } from "../errors.ts";
import { answerWhen, argumentWord, type LocalAnswer, type LocalCall } from "./local_call.ts";

const OK = utf8("+OK\r\n");

/** Answers by name. */
export const TRACKING_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "client|tracking": tracking,
  "client|caching": caching,
  "client|trackinginfo": ({ client }) => trackingInfo(client),
  "client|getredir": ({ client }) =>
    new Encoder(2).integer(client.extras?.tracking?.options.redirect ?? -1).done(),
};

function tracking(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  const words: string[] = [];
  for (let i = 3; i < args.count; i++) words.push(latin1(args.bytes, args.start(i), args.end(i)));
  const { clients, worker } = client.shared;
  // Id 0 is no client's: the options have it for none.
  const mayExist = (id: number) => clients.has(id) || (worker.peers !== null && id !== 0);
  const options = readTrackingOptions(words, mayExist);
  if (typeof options === "string") return errorReply(options);
  const word = argumentWord(args, 2);
  if (word !== "on" && word !== "off") return errorReply(SYNTAX_ERROR);
  if (word === "on") {
    const conflict = conflictOf(client.extras?.tracking?.options ?? null, options);
    if (conflict !== "") return errorReply(conflict);
  }
  if (mustWait(client)) return null;
  if (word === "on") return answerWhen(call, (answer) => switchOn(client, options, answer));
  client.extras?.endTracking();
  return OK;
}

/** What comes before takes other connections: it must be settled first. The command is dispatched again. */
export function mustWait(client: Client): boolean {
  if (client.depth > 0) client.credit.isRefused = true;
  return client.depth > 0;
}

function switchOn(
  client: Client,
  options: TrackingOptions,
  answer: (reply: Uint8Array) => void,
): void {
  const { clients, worker, resp3 } = client.shared;
  const { redirect } = options;
  const start = (isThere: boolean) => {
    if (!isThere) return answer(errorReply(NO_REDIRECT_TARGET));
    // Servers that know HELLO 3 know CLIENT TRACKING, too: both came with Redis 6.
    resp3.ask((error) => {
      if (error !== "") return answer(errorReply(trackingUnknown(error)));
      if (client.state === "closed") return answer(OK);
      const state = client.extras?.tracking ?? Tracking.start(client);
      state.configure(options, (failure) => {
        if (failure === "") return answer(OK);
        client.extras?.endTracking();
        answer(errorReply(trackingUnknown(failure)));
      });
    });
  };
  if (redirect === 0 || redirectTo(clients, redirect) || worker.peers === null) return start(true);
  worker.peers.redirectTo(redirect).then(start, () => start(false));
}

/**
 * Answers PING when its client has what the servers have told until now, as from one server: for itself, and for
 * all that redirect to it.
 */
export function answerWhenHeard(call: LocalCall, pong: Uint8Array): Uint8Array | null {
  if (!isToldOfWrites(call.client)) return pong;
  return answerWhen(call, (answer) => whenHeard(call.client, () => answer(pong)));
}

/** Whether invalidations go to a client: for itself, or for another one. */
export function isToldOfWrites({ isRedirectTarget, extras }: Client): boolean {
  return isRedirectTarget || (extras?.tracking ?? null) !== null;
}

/** Calls `done` once, when a client has what the servers have told until now. */
export function whenHeard(client: Client, done: () => void): void {
  const { id, isRedirectTarget, shared: { trackers, worker: { peers } } } = client;
  trackers.hearAll(id, () => {
    if (!isRedirectTarget || peers === null) return done();
    peers.hearAll(id).then(done, done);
  });
}

function caching({ client, args }: LocalCall): Uint8Array {
  const state = client.extras?.tracking ?? null;
  if (state === null) {
    return errorReply(
      "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
  }
  const { isOptIn, isOptOut } = state.options;
  const word = argumentWord(args, 2);
  if (word === "yes") {
    if (!isOptIn) {
      return errorReply(
        "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
      );
    }
  } else if (word === "no") {
    if (!isOptOut) {
      return errorReply(
        "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
      );
    }
  } else {
    return errorReply(SYNTAX_ERROR);
  }
  state.cacheNext();
  return OK;
}

function trackingInfo(client: Client): Uint8Array {
  const out = new Encoder(client.protocol).map(3);
  const state = client.extras?.tracking ?? null;
  const flags = [state === null ? "off" : "on"];
  if (state !== null) {
    const { isBroadcast, isOptIn, isOptOut, isNoLoop } = state.options;
    if (isBroadcast) flags.push("bcast");
    if (isOptIn) flags.push("optin", ...state.isCaching ? ["caching-yes"] : []);
    if (isOptOut) flags.push("optout", ...state.isCaching ? ["caching-no"] : []);
    if (isNoLoop) flags.push("noloop");
    if (state.isBroken) flags.push("broken_redirect");
  }
  out.bulk("flags").set(flags.length);
  for (const flag of flags) out.bulk(flag);
  out.bulk("redirect").integer(state?.options.redirect ?? -1);
  const prefixes = state?.options.prefixes ?? [];
  out.bulk("prefixes").array(prefixes.length);
  for (const prefix of prefixes) out.bulk(latin1Bytes(prefix));
  return out.done();
}
