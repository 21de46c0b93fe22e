/**
 * One question to several masters, and the reply of each.
 *
 * @module
 */

import type { Protocol } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { parseReply, ReplyFailure, type ReplyValue } from "../../resp/reply_value.ts";
import type { FlightCounter } from "../request.ts";
import { askServer } from "./question.ts";
import type { Backend } from "./backend.ts";
import type { Master } from "./server.ts";

/** What one master has answered. */
export interface MasterAnswer {
  readonly master: Master;
  /** A failure is the server's error, or the reason why there is no reply. */
  readonly value: ReplyValue;
  /** Whether the server has replied, be it with an error. */
  readonly isReply: boolean;
}

/** How masters are asked. */
export interface AskOptions {
  readonly database: number;
  readonly protocol: Protocol;
  /** Asks as the user that moves keys, who may do more than clients; in RESP2. */
  readonly isAsOwner?: boolean;
  /** Asks over connections of their own, which wait for nothing that a server is busy with. */
  readonly isAlone?: boolean;
  /** What counts the question as in flight. */
  readonly counter?: (master: Master) => FlightCounter;
  /** A master that says nothing for so long counts as one that does not answer; in milliseconds. */
  readonly silenceMs?: number;
}

/**
 * Asks masters. Copies `bytes`.
 *
 * @param bytes The request, or what makes it for a master.
 * @param done Called once, later, with the answers in the order of the masters.
 */
export function askEach(
  masters: readonly Master[],
  bytes: Uint8Array,
  options: AskOptions,
  done: (answers: MasterAnswer[]) => void,
): void {
  const answers: MasterAnswer[] = [];
  let left = masters.length;
  if (left === 0) return queueMicrotask(() => done([]));
  for (const [i, master] of masters.entries()) {
    askOne(master, bytes, options, (value, isReply) => {
      answers[i] = { master, value, isReply };
      if (--left === 0) done(answers);
    });
  }
}

function askOne(
  master: Master,
  bytes: Uint8Array,
  options: AskOptions,
  answered: (value: ReplyValue, isReply: boolean) => void,
): void {
  const { silenceMs = 0 } = options;
  const backend = backendFor(master, options);
  let isDone = false;
  const end = (value: ReplyValue, isReply: boolean) => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    answered(value, isReply);
  };
  const isSilent = () => end(new ReplyFailure(`ERR ${master.server.address} is silent`), false);
  const timer = silenceMs === 0
    ? undefined
    // One that is silent already is not waited for again.
    : setTimeout(isSilent, backend.oldestMs() > silenceMs ? 0 : silenceMs);
  askServer(backend, bytes, (text, isReply) => {
    end(isReply ? parseReply(latin1Bytes(text)) : new ReplyFailure(text), isReply);
    if (options.isAlone) master.server.returnPrivate(backend);
  }, options.counter?.(master) ?? null);
}

function backendFor({ server }: Master, options: AskOptions): Backend {
  const { database, protocol, isAsOwner, isAlone } = options;
  if (isAlone) return server.openAlone();
  return isAsOwner ? server.moverBackend(database) : server.backend(database, protocol);
}
