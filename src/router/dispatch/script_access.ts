/**
 * Scripts and functions of users that may not do everything: Redis checks each command inside, a proxy can
 * only check what the text shows.
 *
 *      text ─► all calls seen? ─ no ─► NOPERM, and what hides them
 *                  └─ yes ─► each command, its keys and channels allowed? ─ no ─► NOPERM, and which
 *
 * @module
 */

import type { AccessRefusal } from "../../acl/acl_log.ts";
import { type CalledInScript, verdictOnScript } from "../../acl/script_verdict.ts";
import type { User } from "../../acl/user.ts";
import type { Command } from "../../command/command.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import { callsOf } from "../../command/script_text.ts";
import { FUNCTIONS_NOT_KNOWN, NO_FUNCTION, NO_SCRIPT } from "../errors.ts";
import type { FoundInScript, ScriptTexts } from "./script_texts.ts";

const decoder = new TextDecoder();

/** Why a user may not run a script or function that it may call; null when it may. Borrows the arguments. */
export function refusedScript(
  user: User,
  texts: ScriptTexts,
  command: Command,
  args: Arguments,
): AccessRefusal | null {
  const found = foundIn(texts, command, args);
  if (found === undefined) {
    if (command.caution !== "function") return { text: NO_SCRIPT, event: null }; // the client sends it then
    // It may have been loaded a moment ago, or into other servers only: then nobody has looked at it.
    return { text: texts.knowsFunctions ? NO_FUNCTION : FUNCTIONS_NOT_KNOWN, event: null };
  }
  const what = command.caution === "function" ? "function's library" : "script";
  return refusedText(user, found, command, args, what);
}

/**
 * Why a user may not load a library of functions; null for other commands, too. It may load what it may run:
 * between the look at a library and a call of its function, another one may have taken its place.
 */
export function refusedLibrary(
  user: User,
  command: Command,
  args: Arguments,
): AccessRefusal | null {
  const what = "function's library";
  if (command.name === "function|load") {
    const last = args.count - 1;
    const code = decoder.decode(args.bytes.subarray(args.start(last), args.end(last)));
    return refusedText(user, { ...callsOf(code), namesItsKeys: false }, command, args, what);
  }
  if (command.name !== "function|restore") return null;
  const hides = "is not a text but the payload of FUNCTION DUMP; load it with FUNCTION LOAD";
  return refusedText(user, { calls: [], hides, namesItsKeys: false }, command, args, what);
}

function refusedText(
  user: User,
  found: CalledInScript,
  command: Command,
  args: Arguments,
  what: string,
): AccessRefusal | null {
  if (found.hides !== "") {
    const text =
      `this user may not run every command, and the proxy cannot see what the ${what} runs: ` +
      `it ${found.hides}`;
    return refusal(text, "command", command.name);
  }
  const denied = verdictOnScript(user, found, command, args);
  if (denied === null) return null;
  const { reason, name } = denied;
  switch (reason) {
    case "command":
      return refusal(
        `this user has no permissions to run the '${name}' command that the ${what} calls`,
        reason,
        name,
      );
    case "channel":
      return refusal(
        `this user may not use every channel, and the ${what} calls '${name}'`,
        reason,
        name,
      );
    case "key":
      return refusal(
        `this user may not use every key: the ${what} must pass to '${name}' only keys that are ` +
          "declared and allowed, each as KEYS[…]",
        reason,
        name,
      );
  }
}

function refusal(
  text: string,
  reason: "command" | "key" | "channel",
  object: string,
): AccessRefusal {
  // What the proxy could not see, Redis would have refused inside of the script.
  return { text: `NOPERM ${text}`, event: { reason, context: "lua", object } };
}

function foundIn(
  texts: ScriptTexts,
  { name }: Command,
  args: Arguments,
): FoundInScript | undefined {
  const { bytes } = args;
  if (name.startsWith("evalsha")) return texts.script(latin1(bytes, args.start(1), args.end(1)));
  if (name.startsWith("eval")) return texts.learn(bytes.subarray(args.start(1), args.end(1)));
  return texts.function(latin1(bytes, args.start(1), args.end(1)));
}
