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
  const login = loginOf(args, isShort ? 0 : 1);
  const error = errorReply(
    isShort && !users.areConfigured ? "ERR invalid password" : WRONG_PASSWORD,
  );
  return answerWhen(call, (answer) => {
    authenticate(client, args, login, (isRight) => answer(isRight ? OK : error), answer);
  });
}

const OK = utf8("+OK\r\n");
/** Codis 2.0's text. */
const NO_PASSWORD = "ERR Client sent AUTH, but no password is set";
/** Redis's text. */
const NO_PASS =
  "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";

/** Longer names nobody has, and ACL LOG does not keep, in bytes. */
const NAME_BYTES_MAX = 16 * 1024;

/** A user's name, one character for each byte, and a password. */
export interface Login {
  readonly name: string;
  readonly password: Uint8Array;
}

/**
 * The user that argument `i` names, and the password after it. Copies both: the proof may come late.
 *
 * @param i 0 for the default user, with the password in argument 1.
 */
export function loginOf(args: Arguments, i: number): Login {
  const { bytes } = args;
  const start = args.start(i);
  const name = latin1(bytes, start, Math.min(args.end(i), start + NAME_BYTES_MAX));
  return {
    name: i === 0 ? DEFAULT_USER : name,
    password: bytes.slice(args.start(i + 1), args.end(i + 1)),
  };
}

/**
 * Redis's login. A wrong password leaves the client as it was.
 *
 * @param args The command that the password came with.
 * @param done Called once: now, or later when it is one of many wrong ones of the client's address.
 * @param full Called instead when the user has too many connections; then this one is closed.
 */
export function authenticate(
  client: Client,
  args: Arguments,
  { name, password }: Login,
  done: (isRight: boolean) => void,
  full: (reply: Uint8Array) => void,
): void {
  const { users, authThrottle, totals, events } = client.shared;
  const user = name.length < NAME_BYTES_MAX ? users.get(name) : undefined;
  if (user?.accepts(password) === true) {
    if (client.logIn(user)) return done(true);
    full(errorReply(tooManyOfUser(textOfBytes(name))));
    return client.drain();
  }
  totals.wrongAuths++;
  const context = client.transaction === null ? "toplevel" : "multi";
  logAccess(client, {
    reason: "auth",
    context,
    object: latin1(args.bytes, args.start(0), args.end(0)),
  }, name);
  const address = client.remote.replace(/:\d+$/, "");
  const unreported = authThrottle.failed(address);
  const isSlowed = authThrottle.isSlowed(address);
  if (isSlowed) totals.throttledAuths++;
  if (unreported > 0) events.authsRefused(client, address, unreported, isSlowed);
  authThrottle.whenAllowed(address, () => done(false));
}
