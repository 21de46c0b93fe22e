/**
 * The CLIENT commands: what the proxy knows of its own clients.
 *
 * @module
 */

import { asSent, Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import {
  type ClientFilter,
  clientsOf,
  describeClient,
  killClients,
  listClients,
} from "./client_filter.ts";
import type { ClientSelf } from "../client/client_name.ts";
import { SYNTAX_ERROR } from "../errors.ts";
import {
  BAD_CLIENT_NAME,
  integerOf,
  isClientName,
  type LocalAnswer,
  type LocalCall,
  printable,
  textOf,
  wordOf,
} from "./local_call.ts";

const OK = utf8("+OK\r\n");
/** Redis's types of clients; the proxy has normal ones only. */
const CLIENT_TYPES = ["normal", "master", "replica", "slave", "pubsub"];

/** Answers by name. */
export const CLIENT_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "client|id": ({ session }) => new Encoder(2).integer(session.id).done(),
  "client|getname": ({ session }) => {
    const out = new Encoder(session.protocol);
    return (session.client.name === "" ? out.null() : out.bulk(session.client.name)).done();
  },
  "client|setname": ({ session, args }) => {
    const name = textOf(args, 2);
    if (!isClientName(name)) return errorReply(BAD_CLIENT_NAME);
    session.client = { ...session.client, name };
    return OK;
  },
  "client|setinfo": setInfo,
  "client|getredir": () => new Encoder(2).integer(-1).done(),
  "client|no-evict": (call) => setFlag(call, (isNoEvict) => ({ isNoEvict })),
  "client|no-touch": (call) => setFlag(call, (isNoTouch) => ({ isNoTouch })),
  "client|info": ({ session }) =>
    new Encoder(session.protocol).verbatim(`${describeClient(session)}\n`).done(),
  "client|list": list,
  "client|kill": kill,
};

/** Argument `i` for an error text. */
function sentOf(args: LocalCall["args"], i: number): string {
  return asSent(args.bytes, args.start(i), args.end(i));
}

function setFlag(
  { session, args }: LocalCall,
  flag: (isOn: boolean) => Partial<ClientSelf>,
): Uint8Array {
  const word = wordOf(args, 2);
  if (word !== "on" && word !== "off") return errorReply(SYNTAX_ERROR);
  session.client = { ...session.client, ...flag(word === "on") };
  return OK;
}

function setInfo({ session, args }: LocalCall): Uint8Array {
  const attribute = wordOf(args, 2);
  const value = textOf(args, 3);
  if (attribute !== "lib-name" && attribute !== "lib-ver") {
    return errorReply(`ERR Unrecognized option '${printable(attribute)}'`);
  }
  if (!isClientName(value)) {
    return errorReply(`ERR ${attribute} cannot contain spaces, newlines or special characters.`);
  }
  if (attribute === "lib-name") session.client = { ...session.client, libraryName: value };
  else session.client = { ...session.client, libraryVersion: value };
  return OK;
}

function list(call: LocalCall): Uint8Array | null {
  const { session, args } = call;
  const filter = listFilter(args);
  if (typeof filter === "string") return errorReply(filter);
  const { router, protocol } = session;
  const own = listClients(router, filter);
  const reply = (others: string) => new Encoder(protocol).verbatim(own + others).done();
  const { peers } = router.seat;
  return peers === null ? reply("") : answerLater(call, peers.listClients(filter), "", reply);
}

/** `[TYPE type | ID id [id …]]`; an error text when it is something else. */
function listFilter(args: LocalCall["args"]): ClientFilter | string {
  if (args.count === 2) return {};
  const option = wordOf(args, 2);
  if (option === "type" && args.count === 4) {
    const type = wordOf(args, 3);
    if (!CLIENT_TYPES.includes(type)) return `ERR Unknown client type '${sentOf(args, 3)}'`;
    return { isNone: type !== "normal" };
  }
  if (option !== "id" || args.count < 4) return SYNTAX_ERROR;
  const ids: number[] = [];
  for (let i = 3; i < args.count; i++) {
    const id = integerOf(textOf(args, i));
    if (id === null) return "ERR Invalid client ID";
    ids.push(Number(id));
  }
  return { ids };
}

/** `CLIENT KILL addr` and `CLIENT KILL [ID n] [ADDR a] [LADDR a] [TYPE t] [USER u] [SKIPME y]`. */
function kill(call: LocalCall): Uint8Array | null {
  const { session, args } = call;
  const isOldForm = args.count === 3;
  const filter = isOldForm ? { remote: textOf(args, 2) } : killFilter(args, session.id);
  if (typeof filter === "string") return errorReply(filter);
  const { router } = session;
  const isOwn = clientsOf(router, filter).includes(session);
  const killed = killClients(router, { ...filter, exceptId: session.id }) + (isOwn ? 1 : 0);
  const reply = (elsewhere: number) => {
    const count = killed + elsewhere;
    if (!isOldForm) return new Encoder(2).integer(count).done();
    return count === 0 ? errorReply("ERR No such client") : OK;
  };
  const { peers } = router.seat;
  if (peers !== null) {
    answerLater(call, peers.killClients(filter), 0, reply, isOwn);
    return null;
  }
  if (!isOwn) return reply(0);
  // As Redis: whoever kills himself is told so first.
  session.answer(reply(0));
  session.drain();
  return null;
}

/** The new form's options; an error text when they are something else. */
function killFilter(args: LocalCall["args"], ownId: number): ClientFilter | string {
  if (args.count % 2 !== 0) return SYNTAX_ERROR;
  let filter: ClientFilter = {};
  let skipMe = true;
  for (let i = 2; i + 1 < args.count; i += 2) {
    const option = wordOf(args, i);
    const value = textOf(args, i + 1);
    if (option === "id") {
      if (!/^[1-9]\d{0,14}$/.test(value)) return "ERR client-id should be greater than 0";
      const isOther = filter.ids !== undefined && !filter.ids.includes(Number(value));
      filter = { ...filter, ids: isOther ? [] : [Number(value)] };
    } else if (option === "addr") {
      filter = { ...filter, ...sameOrNone("remote", filter.remote, value) };
    } else if (option === "laddr") {
      filter = { ...filter, ...sameOrNone("local", filter.local, value) };
    } else if (option === "type") {
      const type = value.toLowerCase();
      if (!CLIENT_TYPES.includes(type)) return `ERR Unknown client type '${sentOf(args, i + 1)}'`;
      if (type !== "normal") filter = { ...filter, isNone: true };
    } else if (option === "user") {
      if (value !== "default") return `ERR No such user '${sentOf(args, i + 1)}'`;
    } else if (option === "skipme" && /^(yes|no)$/i.test(value)) {
      skipMe = value.toLowerCase() === "yes";
    } else {
      return SYNTAX_ERROR;
    }
  }
  return skipMe ? { ...filter, exceptId: ownId } : filter;
}

/** An address condition; given twice with different addresses, it means nobody. */
function sameOrNone(
  name: "remote" | "local",
  before: string | undefined,
  value: string,
): ClientFilter {
  return before === undefined || before === value ? { [name]: value } : { isNone: true };
}

/**
 * Answers once the other workers have; without them when they cannot be asked.
 *
 * @param isLast Whether the session ends with the answer.
 */
function answerLater<T>(
  { session, command }: LocalCall,
  others: Promise<T>,
  none: T,
  reply: (others: T) => Uint8Array,
  isLast = false,
): null {
  const parked = session.enqueue(command);
  parked.state = "sent";
  session.isFenced = true; // what follows may depend on it
  others.catch(() => none).then((value) => {
    session.completed(parked, reply(value), false);
    if (isLast) session.drain();
  });
  return null;
}
