/**
 * Redis's connection commands but for AUTH and CLIENT: PING, HELLO, SELECT, RESET and their like.
 *
 * @module
 */

import type { Arguments } from "../../resp/arguments.ts";
import { asSent, Encoder, errorReply, type Protocol, utf8 } from "../../resp/encoder.ts";
import type { Client } from "../client/client.ts";
import { endTransaction } from "../client/watched_slot.ts";
import { ANONYMOUS } from "../client/client_info.ts";
import {
  NO_AUTH,
  NO_SUCH_DATABASE,
  NOT_32_BITS,
  NOT_AN_INTEGER,
  WRONG_PASSWORD,
  wrongArity,
} from "../errors.ts";
import { DATABASES } from "../options.ts";
import { authenticate, type Login, loginOf } from "./auth.ts";
import { pongWhileSubscribed } from "./pubsub.ts";
import {
  answerWhen,
  argumentText,
  argumentWord,
  BAD_CLIENT_NAME,
  integerOf,
  isClientName,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";
import { answerWhenHeard, mustWait } from "./tracking.ts";

const OK = utf8("+OK\r\n");
const PONG = utf8("+PONG\r\n");
const RESET = utf8("+RESET\r\n");

/** Answers by name. */
export const CONNECTION_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  ping: (call) => {
    const { client, command, args } = call;
    if (args.count > 2) return errorReply(wrongArity(command.name));
    const isSubscribed = client.protocol === 2 && client.subscriptions?.isSubscribed === true;
    const pong = isSubscribed ? pongWhileSubscribed(args) : args.count === 1 ? PONG : echo(args);
    return answerWhenHeard(call, pong);
  },
  echo: ({ args }) => echo(args),
  quit: ({ client }) => {
    client.answer(OK);
    client.drain();
    return null;
  },
  hello,
  select,
  readonly: ({ client }) => {
    const { usualReadFrom } = client;
    client.setReadFrom(usualReadFrom === "master" ? "prefer_replica" : usualReadFrom);
    return OK;
  },
  readwrite: ({ client }) => {
    client.setReadFrom("master");
    return OK;
  },
  reset: ({ client }) => {
    if (client.extras !== null && mustWait(client)) return null; // its links are given up
    endTransaction(client);
    client.subscriptions?.close();
    client.database = 0;
    client.protocol = 2;
    client.info = ANONYMOUS;
    client.logOut();
    client.isAtBarrier = true;
    client.extras?.reset();
    client.setReadFrom(null);
    return RESET;
  },
};

function echo(args: Arguments): Uint8Array {
  return new Encoder(2).bulk(args.bytes.subarray(args.start(1), args.end(1))).done();
}

/** `HELLO [protover [AUTH user password] [SETNAME name]]`, with Redis's checks in Redis's order. */
function hello(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  let protocol: Protocol = client.protocol;
  if (args.count > 1) {
    const text = argumentText(args, 1);
    if (integerOf(text) === null) {
      return errorReply("ERR Protocol version is not an integer or out of range");
    }
    if (text !== "2" && text !== "3") return errorReply("NOPROTO unsupported protocol version");
    protocol = Number(text) as Protocol;
  }
  let name: string | null = null;
  let credentials: Login | null = null;
  for (let i = 2; i < args.count; i++) {
    const option = argumentWord(args, i);
    const more = args.count - 1 - i;
    if (option === "auth" && more >= 2) {
      credentials = loginOf(args, i + 1);
      i += 2;
    } else if (option === "setname" && more >= 1) {
      name = argumentText(args, ++i);
      if (!isClientName(name)) return errorReply(BAD_CLIENT_NAME);
    } else {
      const given = asSent(args.bytes, args.start(i), args.end(i));
      return errorReply(`ERR Syntax error in HELLO option '${given}'`);
    }
  }
  return answerWhen(call, (answer) => {
    if (credentials === null) return speak(client, protocol, name, answer);
    authenticate(client, args, credentials, (isRight) => {
      if (isRight) speak(client, protocol, name, answer);
      else answer(errorReply(WRONG_PASSWORD));
    }, answer);
  });
}

/** Agrees on a protocol, if the client may and the servers can. */
function speak(
  client: Client,
  protocol: Protocol,
  name: string | null,
  answer: (reply: Uint8Array) => void,
): void {
  if (!client.isAuthenticated) {
    return answer(
      errorReply(
        `${
          NO_AUTH.slice(0, 6)
        } HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time`,
      ),
    );
  }
  const agree = () => {
    if (name !== null) client.info = { ...client.info, name };
    if (protocol !== client.protocol) client.isAtBarrier = true;
    client.protocol = protocol;
    const greet = () => client.shared.version.ask((version) => answer(greeting(client, version)));
    const tracking = client.extras?.tracking ?? null;
    if (tracking === null) greet();
    else tracking.speak(protocol, greet);
  };
  if (protocol === 2) return agree();
  // Only servers that know RESP3 can be spoken to in it: find out before promising it.
  client.shared.resp3.ask((error) => error === "" ? agree() : answer(errorReply(error)));
}

function greeting(client: Client, version: string): Uint8Array {
  return new Encoder(client.protocol).map(7)
    .bulk("server").bulk("redis")
    .bulk("version").bulk(version)
    .bulk("proto").integer(client.protocol)
    .bulk("id").integer(client.id)
    .bulk("mode").bulk(client.shared.options.clusterMode ? "cluster" : "standalone")
    .bulk("role").bulk("master")
    .bulk("modules").array(0)
    .done();
}

/** The database that a SELECT chooses; an error text when there is none such. */
export function selectedDatabase(args: Arguments): number | string {
  const value = integerOf(argumentText(args, 1));
  if (value === null) return NOT_AN_INTEGER;
  if (BigInt.asIntN(32, value) !== value) return NOT_32_BITS;
  const database = Number(value);
  return database < 0 || database >= DATABASES ? NO_SUCH_DATABASE : database;
}

/** `SELECT n`: later commands use connections in that database, opened when first needed. */
function select({ client, args }: LocalCall): Uint8Array {
  const database = selectedDatabase(args);
  if (typeof database === "string") return errorReply(database);
  // What follows takes another connection and must not overtake what went before.
  if (database !== client.database) client.isAtBarrier = true;
  client.database = database;
  return OK;
}
