/**
 * CLIENT PAUSE, CLIENT UNPAUSE and MONITOR, for the clients of all workers.
 *
 * @module
 */

import { errorReply, utf8 } from "../../resp/encoder.ts";
import { Extras } from "../client/extras.ts";
import { readMonitorFilter } from "../monitor/monitor_filter.ts";
import type { PauseMode } from "../client/pause.ts";
import { wrongSubcommandForm } from "../errors.ts";
import {
  answerWhen,
  argumentText,
  argumentWord,
  integerOf,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";

const OK = utf8("+OK\r\n");

/** Redis's text, byte for byte. */
const NOT_IN_A_TRANSACTION = "ERR MONITOR isn't allowed for DENY BLOCKING client";

const MONITORS_ALREADY =
  "ERR this client is a monitor already: to watch something else, send RESET first";

/** Answers by name. */
export const OVERSIGHT_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "client|pause": pause,
  "client|unpause": (call) => everywhere(call, null, 0),
  monitor,
};

function monitor(call: LocalCall): Uint8Array | null {
  const { client, args } = call;
  const { monitors, slowLog } = client.shared;
  if (client.replies.isCapturing) return errorReply(NOT_IN_A_TRANSACTION);
  if (client.extras?.isMonitor) {
    // Without filters as Redis, which does not answer either.
    return args.count === 1 ? null : errorReply(MONITORS_ALREADY);
  }
  const filter = readMonitorFilter(args, slowLog.slowerThanMs);
  if (typeof filter === "string") return errorReply(filter);
  const isKnown = monitors.add(client, filter);
  Extras.of(client).monitor(() => monitors.delete(client));
  return answerWhen(call, (answer) => void isKnown.then(() => answer(OK)));
}

function pause(call: LocalCall): Uint8Array | null {
  const { args } = call;
  if (args.count > 4) return errorReply(wrongSubcommandForm("client", args));
  const mode = args.count === 4 ? argumentWord(args, 3) : "all";
  if (mode !== "write" && mode !== "all") {
    return errorReply("ERR CLIENT PAUSE mode must be WRITE or ALL");
  }
  const ms = integerOf(argumentText(args, 2));
  if (ms === null) return errorReply("ERR timeout is not an integer or out of range");
  if (ms < 0n) return errorReply("ERR timeout is negative");
  return everywhere(call, mode, Number(ms));
}

/**
 * Pauses the clients of all workers, or ends it: of several workers, all do it in the order in which their
 * pool has heard of it. One that does not answer in time is not waited for.
 */
function everywhere(call: LocalCall, mode: PauseMode | null, ms: number): Uint8Array | null {
  const { pause, worker: { peers } } = call.client.shared;
  if (peers !== null) {
    return answerWhen(call, (answer) => {
      const done = () => answer(OK);
      peers.pause(mode, ms).then(done, done);
    });
  }
  if (mode === null) pause.end();
  else pause.extend(mode, ms);
  return OK;
}
