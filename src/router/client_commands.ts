/**
 * The CLIENT commands: what the proxy knows of its own clients.
 *
 * @module
 */

import { clock } from "../base/clock.ts";
import { Encoder, errorReply, utf8 } from "../resp/encoder.ts";
import type { ClientSelf } from "./client_self.ts";
import { SYNTAX_ERROR } from "./errors.ts";
import {
  BAD_CLIENT_NAME,
  isClientName,
  type LocalAnswer,
  type LocalCall,
  printable,
  textOf,
  wordOf,
} from "./local_call.ts";
import type { Session } from "./session.ts";

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
    new Encoder(session.protocol).verbatim(`${describe(session)}\n`).done(),
  "client|list": list,
  "client|kill": kill,
};

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

/** One line of CLIENT LIST, in Redis's fields and order. */
function describe(session: Session): string {
  const seconds = (sinceMs: number) => Math.floor((clock.nowMs - sinceMs) / 1000);
  const fields: [string, string | number][] = [
    ["id", session.id],
    ["addr", session.remote],
    ["laddr", session.local],
    ["fd", 0],
    ["name", session.client.name],
    ["age", seconds(session.createdMs)],
    ["idle", seconds(session.lastReadMs)],
    ["flags", session.client.isNoEvict ? "e" : "N"],
    ["db", session.database],
    ["sub", 0],
    ["psub", 0],
    ["multi", -1],
    ["qbuf", session.unreadBytes],
    ["obl", 0],
    ["oll", session.depth],
    ["omem", session.unsentBytes],
    ["cmd", session.lastCommand?.name ?? "NULL"],
    ["user", "default"],
    ["resp", session.protocol],
    ["lib-name", session.client.libraryName],
    ["lib-ver", session.client.libraryVersion],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}

function list({ session, args }: LocalCall): Uint8Array {
  let wanted: (s: Session) => boolean = () => true;
  if (args.count > 2) {
    const option = wordOf(args, 2);
    if (option === "type" && args.count === 4) {
      const type = wordOf(args, 3);
      if (!CLIENT_TYPES.includes(type)) {
        return errorReply(`ERR Unknown client type '${printable(type)}'`);
      }
      wanted = () => type === "normal";
    } else if (option === "id" && args.count > 3) {
      const ids = new Set<number>();
      for (let i = 3; i < args.count; i++) {
        if (!/^\d{1,15}$/.test(textOf(args, i))) return errorReply("ERR Invalid client ID");
        ids.add(Number(textOf(args, i)));
      }
      wanted = (s) => ids.has(s.id);
    } else {
      return errorReply(SYNTAX_ERROR);
    }
  }
  const lines = [...session.router.sessions.values()].filter(wanted).map((s) => `${describe(s)}\n`);
  return new Encoder(session.protocol).verbatim(lines.join("")).done();
}

/** `CLIENT KILL addr` and `CLIENT KILL [ID n] [ADDR a] [LADDR a] [TYPE t] [USER u] [SKIPME y]`. */
function kill({ session, args }: LocalCall): Uint8Array | null {
  const filters: ((s: Session) => boolean)[] = [];
  let skipMe = true;
  const isOldForm = args.count === 3;
  if (isOldForm) {
    const address = textOf(args, 2);
    filters.push((s) => s.remote === address);
    skipMe = false;
  } else if (args.count % 2 !== 0) {
    return errorReply(SYNTAX_ERROR);
  }
  for (let i = 2; !isOldForm && i + 1 < args.count; i += 2) {
    const option = wordOf(args, i);
    const value = textOf(args, i + 1);
    if (option === "id") {
      if (!/^[1-9]\d{0,14}$/.test(value)) {
        return errorReply("ERR client-id should be greater than 0");
      }
      filters.push((s) => s.id === Number(value));
    } else if (option === "addr") {
      filters.push((s) => s.remote === value);
    } else if (option === "laddr") {
      filters.push((s) => s.local === value);
    } else if (option === "type") {
      if (!CLIENT_TYPES.includes(value.toLowerCase())) {
        return errorReply(`ERR Unknown client type '${printable(value)}'`);
      }
      filters.push(() => value.toLowerCase() === "normal");
    } else if (option === "user") {
      if (value !== "default") {
        return errorReply(`ERR No such user '${printable(value)}'`);
      }
    } else if (option === "skipme" && /^(yes|no)$/i.test(value)) {
      skipMe = value.toLowerCase() === "yes";
    } else {
      return errorReply(SYNTAX_ERROR);
    }
  }
  let killed = 0;
  let isOwn = false;
  for (const s of [...session.router.sessions.values()]) {
    if ((skipMe && s === session) || !filters.every((matches) => matches(s))) continue;
    killed++;
    if (s === session) isOwn = true;
    else s.close();
  }
  const reply = isOldForm
    ? killed === 0 ? errorReply("ERR No such client") : OK
    : new Encoder(2).integer(killed).done();
  if (!isOwn) return reply;
  // As Redis: whoever kills himself is told so first.
  session.answer(reply);
  session.drain();
  return null;
}
