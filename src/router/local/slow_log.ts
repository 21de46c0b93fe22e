/**
 * SLOWLOG: the slow requests of this proxy's clients, of all workers, in Redis's form.
 *
 * @module
 */

import { Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import { latin1Bytes } from "../../resp/latin1.ts";
import type { Client } from "../client/client.ts";
import { wrongSubcommandForm } from "../errors.ts";
import { mergeSlow, type SlowLogOrder, type SlowLogReading } from "../slow_log/slow_log.ts";
import {
  answerFromAll,
  argumentText,
  integerOf,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

/** Entries of SLOWLOG GET without a number. */
const SHOWN = 10;
const OK = utf8("+OK\r\n");

/** Answers by name. */
export const SLOW_LOG_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "slowlog|get": get,
  "slowlog|len": (call) =>
    answerFromLogs(call, {}, (readings) => {
      const entries = mergeSlow(readings).length;
      return new Encoder(2).integer(Math.min(entries, lengthMax(call.client))).done();
    }),
  "slowlog|reset": (call) => answerFromLogs(call, { isReset: true }, () => OK),
};

/** Tells the slow logs of all workers something, and answers from what they have. */
export function answerFromLogs(
  call: LocalCall,
  order: SlowLogOrder,
  reply: (readings: readonly SlowLogReading[]) => Uint8Array,
): Uint8Array | null {
  const own = call.client.shared.orderSlowLog(order);
  return answerFromAll(call, own, (peers) => peers.slowLog(order), reply);
}

function lengthMax({ shared }: Client): number {
  return shared.slowLog.settings.length;
}

/** `SLOWLOG GET [count]`. */
function get(call: LocalCall): Uint8Array | null {
  const { args } = call;
  if (args.count > 3) return errorReply(wrongSubcommandForm("slowlog", args));
  let count = SHOWN;
  if (args.count === 3) {
    const value = integerOf(argumentText(args, 2));
    if (value === null || value < -1n) {
      return errorReply("ERR count should be greater than or equal to -1");
    }
    count = value === -1n ? Infinity : Number(value);
  }
  return answerFromLogs(call, {}, (readings) => {
    const entries = mergeSlow(readings).slice(0, Math.min(count, lengthMax(call.client)));
    const out = new Encoder(2).array(entries.length);
    for (const { id, atMs, usecs, args, client, clientName } of entries) {
      out.array(6).integer(id).integer(Math.floor(atMs / 1000)).integer(usecs).array(args.length);
      for (const arg of args) out.bulk(latin1Bytes(arg));
      out.bulk(client).bulk(latin1Bytes(clientName));
    }
    return out.done();
  });
}
