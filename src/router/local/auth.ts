/**
 * AUTH, and what it has in common with HELLO: which user and password are right.
 *
 * @module
 */

import { DEFAULT_USER } from "../../acl/user.ts";
import { textOfBytes } from "../../acl/users.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { Client } from "../client/client.ts";
import { logAccess } from "../dispatch/refused_access.ts";
import { SYNTAX_ERROR, tooManyOfUser, WRONG_PASSWORD } from "../errors.ts";
import { answerWhen, type LocalCall } from "./local_call.ts";

/** `AUTH password` in Codis 2.0's words, or Redis's where there are users; `AUTH user password`. */
export function auth(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  if (args.count > 3) return errorReply(SYNTAX_ERROR);
  const { users } = client.shared;
  const isShort = args.count === 2;
  if (isShort && users.default.isNoPass) {
    return errorReply(users.areConfigured ? NO_PASS : NO_PASSWORD);
  }
  const [name, password] = isShort
    ? [DEFAULT_USER, argumentBytes(args, 1)]
    : [argumentBytes(args, 1), argumentBytes(args, 2)];
  const error = errorReply(
    isShort && !users.areConfigured ? "ERR invalid password" : WRONG_PASSWORD,
  );
  return answerWhen(call, (answer) => {
    authenticate(client, args, name!, password!, (isRight) => answer(isRight ? OK : error), answer);
  });
}

const OK = utf8("+OK\r\n");
/** Codis 2.0's text. */
const NO_PASSWORD = "ERR Client sent AUTH, but no password is set";
/** Redis's text. */
const NO_PASS =
  "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";

/** Argument `i`, one character for each byte. */
export function argumentBytes(args: Arguments, i: number): string {
  return latin1(args.bytes, args.start(i), args.end(i));
}

/**
 * Redis's login. A wrong password leaves the client as it was.
 *
 * @param args The command that the password came with.
 * @param name As all of the engine's texts, one character for each byte; so is the password.
 * @param done Called once: now, or later when it is one of many wrong ones of the client's address.
 * @param full Called instead when the user has too many connections; then this one is closed.
 */
export function authenticate(
  client: Client,
  args: Arguments,
  name: string,
  password: string,
  done: (isRight: boolean) => void,
  full: (reply: Uint8Array) => void,
): void {
  const { users, authThrottle, totals, events } = client.shared;
  const user = users.get(name);
  if (user?.accepts(password) === true) {
    if (client.logIn(user)) return done(true);
    full(errorReply(tooManyOfUser(textOfBytes(name))));
    return client.drain();
  }
  totals.wrongAuths++;
  const context = client.transaction === null ? "toplevel" : "multi";
  logAccess(client, { reason: "auth", context, object: argumentBytes(args, 0) }, name);
  const address = client.remote.replace(/:\d+$/, "");
  const unreported = authThrottle.failed(address);
  const isSlowed = authThrottle.isSlowed(address);
  if (isSlowed) totals.throttledAuths++;
  if (unreported > 0) events.authsRefused(client, address, unreported, isSlowed);
  authThrottle.whenAllowed(address, () => done(false));
}
