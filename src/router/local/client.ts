/**
 * The CLIENT commands: what the proxy knows of its own clients.
 *
 * @module
 */

import { asSent, Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { ClientInfo } from "../client/client_info.ts";
import { Extras } from "../client/extras.ts";
import { clientText, SYNTAX_ERROR } from "../errors.ts";
import type { ClientFilter } from "../worker_context.ts";
import { clientUnblock } from "./client_unblock.ts";
import {
  clientsOf,
  type CurrentRequest,
  describeClient,
  killClients,
  listClients,
  orderLines,
} from "./client_filter.ts";
import {
  argumentText,
  argumentWord,
  BAD_CLIENT_NAME,
  integerOf,
  isClientName,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

const OK = utf8("+OK\r\n");
/** Redis's types of clients. */
const CLIENT_TYPES = ["normal", "master", "replica", "slave", "pubsub"];

/** Answers by name. */
export const CLIENT_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "client|id": ({ client }) => new Encoder(2).integer(client.id).done(),
  "client|getname": ({ client }) => {
    const out = new Encoder(client.protocol);
    return (client.info.name === "" ? out.null() : out.bulk(client.info.name)).done();
  },
  "client|setname": ({ client, args }) => {
    const name = argumentText(args, 2);
    if (!isClientName(name)) return errorReply(BAD_CLIENT_NAME);
    client.info = { ...client.info, name };
    return OK;
  },
  "client|setinfo": setInfo,
  "client|no-evict": (call) => setFlag(call, (isNoEvict) => ({ isNoEvict })),
  "client|no-touch": (call) => setFlag(call, (isNoTouch) => ({ isNoTouch })),
  "client|maint_notifications": hearOfMoves,
  "client|reply": setReplyMode,
  "client|info": (call) => {
    const { client } = call;
    return new Encoder(client.protocol).verbatim(`${describeClient(client, currentOf(call))}\n`)
      .done();
  },
  "client|list": list,
  "client|kill": kill,
  "client|unblock": clientUnblock,
};

/** Argument `i` for an error text. */
function sentOf(args: LocalCall["args"], i: number): string {
  return asSent(args.bytes, args.start(i), args.end(i));
}

function setFlag(
  { client, args }: LocalCall,
  flag: (isOn: boolean) => Partial<ClientInfo>,
): Uint8Array {
  const word = argumentWord(args, 2);
  if (word !== "on" && word !== "off") return errorReply(SYNTAX_ERROR);
  client.info = { ...client.info, ...flag(word === "on") };
  return OK;
}

/**
 * CLIENT MAINT_NOTIFICATIONS ON|OFF [moving-endpoint-type TYPE], as Redis Software has it. No address is named to a
 * client, which may have come through a load balancer: it connects again to where it connected before. Clients of
 * a cluster ask for another type; they know the addresses by which slots are named.
 */
function hearOfMoves(call: LocalCall): Uint8Array {
  const { client, args } = call;
  const isOn = argumentWord(args, 2) === "on";
  const isNone = args.count === 5 && argumentWord(args, 4) === "none";
  if (isOn) {
    if (client.protocol !== 3) {
      return errorReply("ERR maintenance notifications need RESP3: HELLO 3");
    }
    const isType = args.count === 5 && argumentWord(args, 3) === "moving-endpoint-type";
    if (!isType) return errorReply(SYNTAX_ERROR);
    if (!isNone && !client.shared.options.clusterMode) {
      return errorReply(
        `ERR moving-endpoint-type '${
          sentOf(args, 4)
        }' is not known here: use 'none', and connect again to the same address`,
      );
    }
  } else if (args.count !== 3) return errorReply(SYNTAX_ERROR);
  const isMoved = isOn && isNone;
  return setFlag(call, () => ({ hearsOfMoves: isMoved, hearsOfSlots: isOn && !isMoved }));
}

function setInfo({ client, args }: LocalCall): Uint8Array {
  const attribute = argumentWord(args, 2);
  const value = argumentText(args, 3);
  if (attribute !== "lib-name" && attribute !== "lib-ver") {
    return errorReply(`ERR Unrecognized option '${clientText(attribute)}'`);
  }
  if (!isClientName(value)) {
    return errorReply(`ERR ${attribute} cannot contain spaces, newlines or special characters.`);
  }
  if (attribute === "lib-name") client.info = { ...client.info, libraryName: value };
  else client.info = { ...client.info, libraryVersion: value };
  return OK;
}

/** CLIENT REPLY: whether the client wants replies. */
function setReplyMode({ client, args }: LocalCall): Uint8Array | null {
  const word = argumentWord(args, 2);
  if (word !== "on" && word !== "off" && word !== "skip") return errorReply(SYNTAX_ERROR);
  Extras.of(client).setReplyMode(word);
  return word === "on" ? OK : null;
}

/** What Redis has of the request in its client's buffers. */
function currentOf({ client, args }: LocalCall): CurrentRequest {
  let argumentBytes = 0;
  let requestBytes = `*${args.count}\r\n`.length;
  for (let i = 0; i < args.count; i++) {
    const length = args.end(i) - args.start(i);
    argumentBytes += length;
    requestBytes += `$${length}\r\n\r\n`.length + length;
  }
  return { clientId: client.id, argumentBytes, requestBytes };
}

function list(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  const filter = listFilter(args);
  if (typeof filter === "string") return errorReply(filter);
  const { shared, protocol } = client;
  const own = listClients(shared, filter, currentOf(call));
  const reply = (others: string) =>
    new Encoder(protocol).verbatim(orderLines(own + others, filter)).done();
  const { peers } = shared.worker;
  return peers === null ? reply("") : answerLater(call, peers.listClients(filter), "", reply);
}

/** `[TYPE type | ID id [id …]]`; an error text when it is something else. */
function listFilter(args: LocalCall["args"]): ClientFilter | string {
  if (args.count === 2) return {};
  const option = argumentWord(args, 2);
  if (option === "type" && args.count === 4) return typeFilter(args, 3);
  if (option !== "id" || args.count < 4) return SYNTAX_ERROR;
  const ids: number[] = [];
  for (let i = 3; i < args.count; i++) {
    const id = integerOf(argumentText(args, i));
    if (id === null) return "ERR Invalid client ID";
    ids.push(Number(id));
  }
  return { ids };
}

/** One of Redis's types; an error text when it is something else. */
function typeFilter(args: LocalCall["args"], i: number): ClientFilter | string {
  const type = argumentWord(args, i);
  if (!CLIENT_TYPES.includes(type)) return `ERR Unknown client type '${sentOf(args, i)}'`;
  return { type: type === "normal" || type === "pubsub" ? type : "none" };
}

/** `CLIENT KILL addr` and `CLIENT KILL [ID n] [ADDR a] [LADDR a] [TYPE t] [USER u] [SKIPME y]`. */
function kill(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  const isOldForm = args.count === 3;
  const filter = isOldForm ? { remote: argumentText(args, 2) } : killFilter(call);
  if (typeof filter === "string") return errorReply(filter);
  const { shared } = client;
  const isOwn = clientsOf(shared, filter).includes(client);
  const killed = killClients(shared, { ...filter, exceptId: client.id }) + (isOwn ? 1 : 0);
  const reply = (elsewhere: number) => {
    const count = killed + elsewhere;
    if (!isOldForm) return new Encoder(2).integer(count).done();
    return count === 0 ? errorReply("ERR No such client") : OK;
  };
  const { peers } = shared.worker;
  if (peers !== null) {
    answerLater(call, peers.killClients(filter), 0, reply, isOwn);
    return null;
  }
  if (!isOwn) return reply(0);
  // As Redis: a client that kills itself gets the answer first.
  client.answer(reply(0));
  client.drain();
  return null;
}

/** The new form's options, the last of each counting; an error text when they are something else. */
function killFilter({ client, args }: LocalCall): ClientFilter | string {
  let filter: ClientFilter = {};
  let skipMe = true;
  for (let i = 2; i < args.count; i += 2) {
    const option = argumentWord(args, i);
    if (i + 1 === args.count) return SYNTAX_ERROR;
    const value = argumentText(args, i + 1);
    if (option === "id") {
      const id = integerOf(value);
      if (id === null || id < 1n) return "ERR client-id should be greater than 0";
      filter = { ...filter, ids: [Number(id)] };
    } else if (option === "addr") {
      filter = { ...filter, remote: value };
    } else if (option === "laddr") {
      filter = { ...filter, local: value };
    } else if (option === "type") {
      const type = typeFilter(args, i + 1);
      if (typeof type === "string") return type;
      filter = { ...filter, ...type };
    } else if (option === "user") {
      const user = client.shared.users.get(latin1(args.bytes, args.start(i + 1), args.end(i + 1)));
      if (user === undefined) return `ERR No such user '${sentOf(args, i + 1)}'`;
      filter = { ...filter, user: user.name };
    } else if (option === "skipme" && /^(yes|no)$/i.test(value)) {
      skipMe = value.toLowerCase() === "yes";
    } else {
      return SYNTAX_ERROR;
    }
  }
  return skipMe ? { ...filter, exceptId: client.id } : filter;
}

/**
 * Answers once the other workers have; without them when they cannot be asked.
 *
 * @param isLast Whether the client is closed after the answer.
 */
function answerLater<T>(
  { client, command }: LocalCall,
  others: Promise<T>,
  none: T,
  reply: (others: T) => Uint8Array,
  isLast = false,
): null {
  const parked = client.replies.park(command);
  client.isAtBarrier = true; // what follows may depend on it
  others.catch(() => none).then((value) => {
    client.replies.completed(parked, reply(value));
    if (isLast) client.drain();
  });
  return null;
}
