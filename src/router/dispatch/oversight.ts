/**
 * What CLIENT PAUSE and MONITOR do to a command before it is dispatched.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { RequestParser } from "../../resp/request_parser.ts";
import type { Client } from "../client/client.ts";
import { whileSubscribed } from "../local/pubsub.ts";
import { isShown } from "../monitor/monitors.ts";
import type { ScriptTexts } from "./script_texts.ts";
import { admit } from "./admit.ts";

/** Redis's text for a monitor that asks for keys, byte for byte. */
const MONITOR_WITHOUT_KEYS = "ERR Replica can't interact with the keyspace";

/** Commands that Redis replicates or publishes though they do not write. */
const MAY_REPLICATE = new Set(["pfcount", "publish", "spublish", "eval", "evalsha", "fcall"]);

/**
 * Whether a command may be dispatched now, as far as CLIENT PAUSE is concerned; else the client is resumed
 * when the pause is over. What is refused anyway is refused at once.
 */
export function waitsForPause(
  client: Client,
  command: Command | undefined,
  parser: RequestParser,
): boolean {
  const { pause, scripts } = client.shared;
  pause.leave(client);
  if (command === undefined || client.extras?.isMonitor === true) return false;
  if (admit(client, command, parser, parser.count) !== "") return false;
  const master = client.shared.slots.masters()[0];
  if (command.name === "fcall" && master !== undefined) {
    const name = latin1(parser.bytes, parser.start(1), parser.end(1));
    if (!scripts.hasFunctions(master, name, () => client.resume())) return true;
  }
  const writes = command.name === "exec"
    ? client.transaction?.mayWrite === true
    : mayWrite(scripts, command, parser);
  if (!pause.holds(writes)) return false;
  pause.wait(client);
  return true;
}

/** Whether a command may change something at a server, as Redis judges it. */
export function mayWrite(scripts: ScriptTexts, command: Command, args: Arguments): boolean {
  const { name } = command;
  if (!MAY_REPLICATE.has(name)) return command.isWrite;
  const { bytes } = args;
  if (name === "eval") return !scripts.isReadOnlyText(bytes.subarray(args.start(1), args.end(1)));
  if (name === "evalsha") return !scripts.isReadOnly(latin1(bytes, args.start(1), args.end(1)));
  if (name === "fcall") {
    return !scripts.isReadOnlyFunction(latin1(bytes, args.start(1), args.end(1)));
  }
  return true;
}

/** Why a client that watches may not ask this, as an error text; empty when it may. */
export function refuseToMonitor(
  scripts: ScriptTexts,
  command: Command | undefined,
  args: Arguments,
): string {
  if (command === undefined) return "";
  return command.isReadOnly || mayWrite(scripts, command, args) ? MONITOR_WITHOUT_KEYS : "";
}

/** Whether monitors are shown a request: what is admitted, and does not administer. */
export function mayBeShown(
  client: Client,
  command: Command | undefined,
  parser: RequestParser,
): boolean {
  return command !== undefined && isShown(command) &&
    whileSubscribed(client, command, admit(client, command, parser, parser.count)) === "";
}
