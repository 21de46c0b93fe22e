/**
 * HOTKEYS and BIGKEYS: the keys that this proxy's clients ask for most, and those of large requests and replies,
 * of all workers. HOTKEYS GET begins as Valkey 9.2's: key, db, qps.
 *
 * @module
 */

import { Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import { wrongSubcommandForm } from "../errors.ts";
import { type ForgottenKeys, type HotKeysReading, sumHotKeys } from "../hot_keys/hot_keys.ts";
import {
  answerFromAll,
  argumentText,
  argumentWord,
  help,
  integerOf,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

/** Keys of GET without COUNT, as Redis's HOTKEYS. */
const SHOWN = 10;
const OK = utf8("+OK\r\n");
const NOT_COUNTED = "ERR keys are not looked at: hot_key_samples is 0 in the proxy's configuration";

const HOT_HELP = [
  "HOTKEYS <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GET [COUNT <count>]",
  "    Return the keys that clients of this proxy ask for most, the hottest first (default: 10).",
  "    Each has its name, database, requests for each second (qps), share of all requests with",
  "    keys in percent, reads and writes for each second, slot and server. Figures are estimates",
  "    of the last tens of seconds. Keys are always counted: there is no START and no STOP.",
  "RESET",
  "    Begin to count anew.",
  "HELP",
  "    Print this help.",
];

const BIG_HELP = [
  "BIGKEYS <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GET [COUNT <count>]",
  "    Return the keys of the largest requests and replies of the last day, the largest first",
  "    (default: 10). Each has its name, database, the bytes of the whole request or reply, which",
  "    of the two it was, the command, whether it named more keys (1), slot, server, and when it was.",
  "RESET",
  "    Forget the keys.",
  "HELP",
  "    Print this help.",
];

/** Answers by name. */
export const HOT_KEY_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "hotkeys|get": (call) => get(call, hotKeys),
  "hotkeys|reset": (call) => answerFromKeys(call, "hot", () => OK),
  "hotkeys|help": () => help(HOT_HELP),
  "bigkeys|get": (call) => get(call, bigKeys),
  "bigkeys|reset": (call) => answerFromKeys(call, "big", () => OK),
  "bigkeys|help": () => help(BIG_HELP),
};

/** Answers from what all workers have. */
function answerFromKeys(
  call: LocalCall,
  forgotten: ForgottenKeys,
  reply: (sum: HotKeysReading) => Uint8Array,
): Uint8Array | null {
  const own = call.client.shared.hotKeys.read(forgotten);
  return answerFromAll(
    call,
    own,
    (peers) => peers.hotKeys(forgotten),
    (all) => reply(sumHotKeys(all)),
  );
}

/** `GET [COUNT count]`. */
function get(
  call: LocalCall,
  reply: (sum: HotKeysReading, count: number, out: Encoder) => Encoder,
): Uint8Array | null {
  const { args, client, command } = call;
  let count = SHOWN;
  if (args.count > 2) {
    if (args.count !== 4 || argumentWord(args, 2) !== "count") {
      return errorReply(wrongSubcommandForm(command.name.split("|")[0]!, args));
    }
    const value = integerOf(argumentText(args, 3));
    if (value === null || value < 1n) {
      return errorReply("ERR COUNT must be an integer greater than 0");
    }
    count = Number(value);
  }
  return answerFromKeys(call, "", (sum) => {
    if (!sum.isOn) return errorReply(NOT_COUNTED);
    return reply(sum, count, new Encoder(client.protocol)).done();
  });
}

function hotKeys({ hot, requests }: HotKeysReading, count: number, out: Encoder): Encoder {
  const shown = hot.slice(0, count);
  out.array(shown.length);
  for (const { key, database, reads, writes, slot, server } of shown) {
    const rate = reads + writes;
    out.map(8).bulk("key").bulk(latin1Bytes(key)).bulk("db").integer(database)
      .bulk("qps").integer(Math.round(rate))
      .bulk("share").raw(percentIn(out, rate, requests))
      .bulk("reads").integer(Math.round(reads)).bulk("writes").integer(Math.round(writes))
      .bulk("slot").integer(slot).bulk("server").bulk(server);
  }
  return out;
}

/** In percent, with two digits behind the point: a double in RESP3, a bulk string in RESP2. */
function percentIn({ protocol }: Encoder, part: number, whole: number): Uint8Array {
  const text = `${whole === 0 ? 0 : Math.round(10_000 * part / whole) / 100}`;
  return protocol === 3 ? utf8(`,${text}\r\n`) : new Encoder(2).bulk(text).done();
}

function bigKeys({ big }: HotKeysReading, count: number, out: Encoder): Encoder {
  const shown = big.slice(0, count);
  out.array(shown.length);
  for (const { key, database, bytes, isReply, command, hasMoreKeys, ...more } of shown) {
    out.map(9).bulk("key").bulk(latin1Bytes(key)).bulk("db").integer(database)
      .bulk("bytes").integer(bytes).bulk("of").bulk(isReply ? "reply" : "request")
      .bulk("command").bulk(command).bulk("more-keys").integer(hasMoreKeys ? 1 : 0)
      .bulk("slot").integer(more.slot).bulk("server").bulk(more.server)
      .bulk("time").integer(Math.floor(more.atMs / 1000));
  }
  return out;
}
