/**
 * AUTH, and what it has in common with HELLO: which user and password are right.
 *
 * @module
 */

import { isSameSecret } from "../../base/secret.ts";
import { errorReply, utf8 } from "../../resp/encoder.ts";
import type { Client } from "../client/client.ts";
import { SYNTAX_ERROR, WRONG_PASSWORD } from "../errors.ts";
import { answerWhen, argumentText, type LocalCall } from "./local_call.ts";

/** `AUTH password` in Codis 2.0's words, `AUTH default password` in Redis 6's. */
export function auth(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  if (args.count > 3) return errorReply(SYNTAX_ERROR);
  const isShort = args.count === 2;
  if (isShort && client.shared.options.password === "") {
    return errorReply("ERR Client sent AUTH, but no password is set");
  }
  const [user, password] = isShort
    ? ["default", argumentText(args, 1)]
    : [argumentText(args, 1), argumentText(args, 2)];
  const error = errorReply(isShort ? "ERR invalid password" : WRONG_PASSWORD);
  return answerWhen(call, (answer) => {
    authenticate(client, user!, password!, (isRight) => answer(isRight ? OK : error));
  });
}

const OK = utf8("+OK\r\n");

/**
 * Redis 6's login; without a password the user `default` may use any, as in Redis. A wrong one leaves the
 * client as it was.
 *
 * @param done Called once: now, or later when it is one of many wrong ones of the client's address.
 */
export function authenticate(
  client: Client,
  user: string,
  password: string,
  done: (isRight: boolean) => void,
): void {
  const { options, authThrottle, totals, events } = client.shared;
  const isAny = options.password === "";
  const isRight = user === "default" && (isAny || isSameSecret(password, options.password));
  if (isRight) {
    client.isAuthenticated = true;
    return done(true);
  }
  totals.wrongAuths++;
  const address = client.remote.replace(/:\d+$/, "");
  const unreported = authThrottle.failed(address);
  if (unreported > 0) events.authsRefused(client, address, unreported);
  authThrottle.whenAllowed(address, () => done(false));
}
