/**
 * Scripts and functions that declare no keys: any server would run them, so they may not touch keys.
 *
 *      EVAL text 0 ────────► looked at, once per SHA ─┬─ harmless ─► any server
 *      EVALSHA sha 0 ──────► as it was found before ──┤
 *      FCALL name 0 ─► FUNCTION LIST WITHCODE ────────┴─ not ─► refused
 *
 * A SHA of which this proxy has not seen the text is answered with NOSCRIPT: clients then send the text.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { Client } from "../client/client.ts";
import { NO_SCRIPT, notAllowed } from "../errors.ts";
import type { ScriptTexts } from "./script_texts.ts";

/**
 * Tells why a script or function without keys is not let through, as an error text; empty when it is.
 * Borrows the arguments, of which all must be here.
 */
export function refuseUndeclared(texts: ScriptTexts, command: Command, args: Arguments): string {
  if (!declaresNone(args)) return "";
  const { bytes } = args;
  const name = command.name.replace(/_ro$/, "");
  let access: string | undefined;
  if (name === "eval") access = texts.learn(bytes.subarray(args.start(1), args.end(1))).access;
  else if (name === "evalsha") {
    access = texts.script(latin1(bytes, args.start(1), args.end(1)))?.access;
    if (access === undefined) return NO_SCRIPT;
  } else {
    access = texts.function(latin1(bytes, args.start(1), args.end(1)))?.access ?? "";
  }
  if (access === "") return "";
  const what = name === "fcall" ? "the function's library" : "the script";
  return notAllowed(
    command.name,
    `it declares no keys, so that it would run on any one server, but ${what} ${access}; ` +
      "pass the keys that it uses, or set undeclared_keys = allow in the proxy's configuration",
  );
}

/** Whether the number of keys is 0. */
function declaresNone(args: Arguments): boolean {
  return args.count > 2 && args.end(2) - args.start(2) === 1 && args.bytes[args.start(2)] === 48;
}

/**
 * Whether a function without keys, or of a user that may not do everything, must wait until it is known what
 * the functions do.
 *
 * @returns True when the client must wait; it is resumed then.
 */
export function waitsForFunctions(client: Client, args: Arguments): boolean {
  const { options, scripts, slots, refusal } = client.shared;
  if (refusal !== "" || !client.isAuthenticated) return false;
  const isAsked = !client.user.isUnrestricted || (!options.undeclaredKeys && declaresNone(args));
  const master = slots.masters()[0];
  if (master === undefined || !isAsked) return false;
  if (args.count < 2) return false;
  const name = latin1(args.bytes, args.start(1), args.end(1));
  return !scripts.hasFunctions(master, name, () => client.resume());
}
