/**
 * Commands that the proxy answers itself: one table from name to answer.
 *
 * @module
 */

import { wallClockUs } from "../../base/clock.ts";
import type { Command } from "../../command/command.ts";
import { slotIdOf } from "../../hash/slot_id.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { asSent, Encoder, errorReply, type Protocol, utf8 } from "../../resp/encoder.ts";
import { auth, login, setAuthenticated } from "./auth.ts";
import { CLIENT_COMMANDS } from "./client.ts";
import { ANONYMOUS } from "../client/client_name.ts";
import { COMMAND_COMMANDS } from "./command.ts";
import {
  NO_AUTH,
  NOT_32_BITS,
  NOT_AN_INTEGER,
  unknownSubcommand,
  WRONG_PASSWORD,
  wrongArity,
} from "../errors.ts";
import { info } from "./info.ts";
import {
  answerWhen,
  BAD_CLIENT_NAME,
  globPattern,
  integerOf,
  isClientName,
  type LocalAnswer,
  type LocalCall,
  printable,
  textOf,
  wordOf,
} from "./local_call.ts";
import { DATABASES } from "../options.ts";
import type { Session } from "../client/session.ts";

const US_PER_S = 1_000_000n;

const OK = utf8("+OK\r\n");
const PONG = utf8("+PONG\r\n");

const ANSWERS: Readonly<Record<string, LocalAnswer>> = {
  ping: ({ command, args }) => {
    if (args.count > 2) return errorReply(wrongArity(command.name));
    return args.count === 1 ? PONG : echo(args, 1);
  },
  echo: ({ args }) => echo(args, 1),
  quit: ({ session }) => {
    session.answer(OK);
    session.drain();
    return null;
  },
  auth,
  hello,
  select,
  reset: ({ session }) => {
    session.database = 0;
    session.protocol = 2;
    session.client = ANONYMOUS;
    setAuthenticated(session, session.router.options.password === "");
    session.isFenced = true;
    return utf8("+RESET\r\n");
  },
  time: ({ session }) => {
    const us = wallClockUs();
    return new Encoder(session.protocol).array(2).bulk(String(us / US_PER_S))
      .bulk(String(us % US_PER_S)).done();
  },
  info,
  "config|get": configGet,
  slotshashkey: ({ args }) => {
    const out = new Encoder(2).array(args.count - 1);
    for (let i = 1; i < args.count; i++) {
      out.integer(slotIdOf(args.bytes, args.start(i), args.end(i)));
    }
    return out.done();
  },
  slotsmapping: slotsMapping,
  ...CLIENT_COMMANDS,
  ...COMMAND_COMMANDS,
};

/** Answers a command of the table's `local` rows. Borrows the arguments until it returns. */
export function answerLocally(session: Session, command: Command, args: Arguments): void {
  // With a subcommand there is, its own row would have been found.
  if (command.isContainer && args.count > 1) {
    return session.answer(errorReply(unknownSubcommand(command.name, args)));
  }
  const answer = ANSWERS[command.name];
  if (answer === undefined) throw new Error(`no answer for local command "${command.name}"`);
  const reply = answer({ session, command, args });
  if (reply !== null) session.answerLocally(command, reply);
}

function echo(args: Arguments, i: number): Uint8Array {
  return new Encoder(2).bulk(args.bytes.subarray(args.start(i), args.end(i))).done();
}

// -- who, which database, which protocol ------------------------------------------------------

/** `HELLO [protover [AUTH user password] [SETNAME name]]`, with Redis's checks in Redis's order. */
function hello(call: LocalCall): Uint8Array | null {
  const { session, args } = call;
  let protocol: Protocol = session.protocol;
  if (args.count > 1) {
    const text = textOf(args, 1);
    if (integerOf(text) === null) {
      return errorReply("ERR Protocol version is not an integer or out of range");
    }
    if (text !== "2" && text !== "3") return errorReply("NOPROTO unsupported protocol version");
    protocol = Number(text) as Protocol;
  }
  let name: string | null = null;
  let credentials: [user: string, password: string] | null = null;
  for (let i = 2; i < args.count; i++) {
    const option = wordOf(args, i);
    const more = args.count - 1 - i;
    if (option === "auth" && more >= 2) {
      credentials = [textOf(args, i + 1), textOf(args, i + 2)];
      i += 2;
    } else if (option === "setname" && more >= 1) {
      name = textOf(args, ++i);
      if (!isClientName(name)) return errorReply(BAD_CLIENT_NAME);
    } else {
      const given = asSent(args.bytes, args.start(i), args.end(i));
      return errorReply(`ERR Syntax error in HELLO option '${given}'`);
    }
  }
  return answerWhen(call, (answer) => {
    if (credentials === null) return speak(session, protocol, name, answer);
    login(session, ...credentials, (isRight) => {
      if (isRight) speak(session, protocol, name, answer);
      else answer(errorReply(WRONG_PASSWORD));
    });
  });
}

/** Agrees on a protocol, if the client may and the servers can. */
function speak(
  session: Session,
  protocol: Protocol,
  name: string | null,
  answer: (reply: Uint8Array) => void,
): void {
  if (!session.isAuthenticated) {
    return answer(
      errorReply(
        `${
          NO_AUTH.slice(0, 6)
        } HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time`,
      ),
    );
  }
  const agree = () => {
    if (name !== null) session.client = { ...session.client, name };
    if (protocol !== session.protocol) session.isFenced = true;
    session.protocol = protocol;
    session.router.askVersion((version) => answer(greeting(session, version)));
  };
  if (protocol === 2) return agree();
  // Only servers that know RESP3 can be spoken to in it: find out before promising it.
  session.router.resp3.ask((error) => error === "" ? agree() : answer(errorReply(error)));
}

function greeting(session: Session, version: string): Uint8Array {
  return new Encoder(session.protocol).map(7)
    .bulk("server").bulk("redis")
    .bulk("version").bulk(version)
    .bulk("proto").integer(session.protocol)
    .bulk("id").integer(session.id)
    .bulk("mode").bulk("standalone")
    .bulk("role").bulk("master")
    .bulk("modules").array(0)
    .done();
}

/** `SELECT n`: later commands use connections in that database, opened when first needed. */
function select({ session, args }: LocalCall): Uint8Array {
  const value = integerOf(textOf(args, 1));
  if (value === null) return errorReply(NOT_AN_INTEGER);
  if (BigInt.asIntN(32, value) !== value) return errorReply(NOT_32_BITS);
  const database = Number(value);
  if (database < 0 || database >= DATABASES) return errorReply("ERR DB index is out of range");
  // What follows takes another connection and must not overtake what went before.
  if (database !== session.database) session.isFenced = true;
  session.database = database;
  return OK;
}

// -- about the proxy --------------------------------------------------------------------------

function configGet({ session, args }: LocalCall): Uint8Array {
  const patterns: RegExp[] = [];
  for (let i = 1; i < args.count; i++) patterns.push(globPattern(wordOf(args, i)));
  const found = session.router.options.shownConfig.filter(([key]) =>
    patterns.some((pattern) => pattern.test(key))
  );
  const out = new Encoder(session.protocol).map(found.length);
  for (const [key, value] of found) out.bulk(key).bulk(value);
  return out.done();
}

/** Codis 3.2's `SLOTSMAPPING [slot]`: per slot `[id, owner, migrating from, replicas]`. */
function slotsMapping({ session, args }: LocalCall): Uint8Array {
  const { slots } = session.router;
  if (args.count > 2) return errorReply(wrongArity("slotsmapping"));
  const out = new Encoder(2);
  let shown = slots;
  if (args.count === 2) {
    const text = textOf(args, 1);
    const slot = /^\d{1,4}$/.test(text) ? slots[Number(text)] : undefined;
    if (slot === undefined) {
      return errorReply(`ERR parse slotnum '${printable(text)}' failed, out of range`);
    }
    shown = [slot];
  } else {
    out.array(slots.length);
  }
  for (const slot of shown) {
    out.array(4).simple(String(slot.id)).simple(slot.server?.address ?? "")
      .simple(slot.migrateFrom?.address ?? "").array(0);
  }
  return out.done();
}
