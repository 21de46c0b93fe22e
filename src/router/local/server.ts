/**
 * Commands about servers that all masters carry out, and what the proxy is as a server: ROLE, MODULE LIST,
 * SWAPDB, DEBUG and their like.
 *
 * @module
 */

import { Encoder, errorReply } from "../../resp/encoder.ts";
import { latin1 } from "../../resp/latin1.ts";
import { fieldOf, type ReplyValue } from "../../resp/reply_value.ts";
import { sendToSlot } from "../dispatch/forward.ts";
import { notAllowed, unknownSubcommand } from "../errors.ts";
import { argumentWord, type LocalAnswer, type LocalCall, requestOf } from "./local_call.ts";
import { answerOfAll, encodeValue, itemsOf, orderToAll, pairsOf } from "./masters.ts";

/** Answers by name. */
export const SERVER_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "role": () => new Encoder(2).array(3).bulk("master").integer(0).array(0).done(),
  "module|list": (call) => answerOfAll(call, commonModules),
  "function|stats": (call) => answerOfAll(call, functionStats, { isAlone: true }),
  "bgsave": orderToAll,
  "bgrewriteaof": orderToAll,
  "save": orderToAll,
  "swapdb": swapDatabases,
  "memory|purge": orderToAll,
  "debug": debug,
};

/** The modules that all masters have in the same form. */
function commonModules(values: readonly ReplyValue[], out: Encoder): Encoder {
  const texts = values.map((value) => itemsOf(value).map((each) => JSON.stringify(each)));
  const [first, ...others] = texts as [string[], ...string[][]];
  const common = itemsOf(values[0]).filter((_, i) =>
    others.every((each) => each.includes(first[i]!))
  );
  out.array(common.length);
  for (const each of common) {
    const pairs = pairsOf(each);
    out.map(pairs.length);
    for (const [name, value] of pairs) encodeValue(out.bulk(name), value);
  }
  return out;
}

/** The script that runs at any master, and the libraries, which all have. */
function functionStats(values: readonly ReplyValue[], out: Encoder): Encoder {
  const running = values.map((each) => fieldOf(each, "running_script") ?? null)
    .find((each) => each !== null);
  out.map(2).bulk("running_script");
  if (running === undefined) out.null();
  else encodeMap(out, running);
  const engines = pairsOf(fieldOf(values[0], "engines"));
  out.bulk("engines").map(engines.length);
  for (const [name, fields] of engines) encodeMap(out.bulk(name), fields);
  return out;
}

function encodeMap(out: Encoder, map: ReplyValue): void {
  const pairs = pairsOf(map);
  out.map(pairs.length);
  for (const [name, value] of pairs) encodeValue(out.bulk(name), value);
}

/**
 * `SWAPDB a b`. A key that moves from a server that has swapped to one that has not would change its
 * database, so nothing may move.
 */
function swapDatabases(call: LocalCall): Uint8Array | null {
  const moving = call.client.shared.slots.all.find((slot) => !slot.isOpen);
  if (moving === undefined) return orderToAll(call, { holdsSlots: true });
  return errorReply(notAllowed(
    "swapdb",
    `slot ${moving.id} is being changed, and keys that move would come to the wrong database; ` +
      "try again when no slots move",
  ));
}

/** What DEBUG may do to all masters. */
const DEBUG_ALL = [
  "sleep",
  "set-active-expire",
  "quicklist-packed-threshold",
  "set-disable-deny-scripts",
  "dict-resizing",
  "replybuffer",
  "config-rewrite-force-all",
];
/** What DEBUG tells of a key. */
const DEBUG_KEY = ["object", "listpack", "ziplist", "quicklist"];
/** What DEBUG answers from nothing. */
const DEBUG_ANY = ["help", "protocol", "structsize", "log", "error"];

function debug(call: LocalCall): Uint8Array | null {
  const { client, command, args } = call;
  const word = argumentWord(args, 1);
  if (DEBUG_ALL.includes(word)) return orderToAll(call);
  const isAboutKey = DEBUG_KEY.includes(word) && args.count > 2;
  if (!isAboutKey && !DEBUG_ANY.includes(word)) {
    return errorReply(
      /^[a-z-]+$/.test(word)
        ? notAllowed(
          `debug|${word}`,
          "it can harm the server or its data, or tells of that server only, connect to the server instead",
        )
        : unknownSubcommand("debug", args),
    );
  }
  const { all, placement } = client.shared.slots;
  const slotId = isAboutKey ? placement.slotIdOf(args.bytes, args.start(2), args.end(2)) : 0;
  const bytes = requestOf(call);
  const slot = all[slotId]!;
  const keys = isAboutKey && !slot.isOpen ? [latin1(args.bytes, args.start(2), args.end(2))] : null;
  if (client.replies.isCapturing) {
    // A part of EXEC's reply: in the client's FIFO it would wait for EXEC, which waits for it.
    const request = client.replies.park(command);
    request.keys = keys;
    slot.send(request, bytes, 0, bytes.length);
    return null;
  }
  sendToSlot(client, command, slot, slotId, keys, bytes, 0, bytes.length);
  return null;
}
