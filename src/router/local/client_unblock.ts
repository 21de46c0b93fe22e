/**
 * CLIENT UNBLOCK: ends a command that another client is blocked by, at this worker or at another one.
 *
 * @module
 */

import { Encoder, errorReply } from "../../resp/encoder.ts";
import type { UnblockReply } from "../blocking/blocked.ts";
import { NOT_AN_INTEGER, wrongSubcommandForm } from "../errors.ts";
import type { RouterShared } from "../shared.ts";
import { answerWhen, argumentText, argumentWord, integerOf, type LocalCall } from "./local_call.ts";

/** Answers CLIENT UNBLOCK. */
export function clientUnblock(call: LocalCall): Uint8Array | null {
  const { args, client: { shared } } = call;
  if (args.count > 4) return errorReply(wrongSubcommandForm("client", args));
  const reply = args.count === 4 ? argumentWord(args, 3) : "timeout";
  if (reply !== "timeout" && reply !== "error") {
    return errorReply("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const id = integerOf(argumentText(args, 2));
  if (id === null) return errorReply(NOT_AN_INTEGER);
  const { peers } = shared.worker;
  return answerWhen(call, (answer) => {
    const answered = (isUnblocked: boolean) =>
      answer(new Encoder(2).integer(isUnblocked ? 1 : 0).done());
    if (peers === null || shared.clients.has(Number(id))) {
      unblockClient(shared, Number(id), reply, answered);
    } else {
      peers.unblockClient(Number(id), reply).then(answered, () => answered(false));
    }
  });
}

/**
 * Ends the command that a client of one router is blocked by.
 *
 * @param done Called once, now or later: whether it was blocked, and was unblocked by this.
 */
export function unblockClient(
  shared: RouterShared,
  id: number,
  reply: UnblockReply,
  done: (isUnblocked: boolean) => void,
): void {
  const blocked = shared.clients.get(id)?.blocked ?? null;
  if (blocked === null) done(false);
  else blocked.unblock(reply, done);
}
