/**
 * Requests that may use keys which they do not name: scripts that make up keys, and SORT with patterns. Of a
 * slot on its way to another server they need all keys there, not only those that they name.
 *
 * @module
 */

import type { Command } from "../../command/command.ts";
import { namesItsKeys } from "../../command/script_text.ts";
import type { Arguments } from "../../resp/arguments.ts";
import { latin1 } from "../../resp/latin1.ts";
import type { ScriptTexts } from "./script_texts.ts";

/** Whether a request may use keys of its slot that it does not name. Borrows the arguments. */
export function mayUseUnnamedKeys(
  texts: ScriptTexts,
  command: Command,
  args: Arguments,
): boolean {
  switch (command.caution) {
    case "":
      return false;
    case "function":
      return true;
    case "sort":
      return textsOf(args, 2).some((text) => text.includes("*"));
    case "script": {
      const text = latin1(args.bytes, args.start(1), args.end(1));
      return command.name.startsWith("evalsha") ? !texts.namesItsKeys(text) : !namesItsKeys(text);
    }
  }
}

function textsOf(args: Arguments, from: number): string[] {
  const texts: string[] = [];
  for (let i = from; i < args.count; i++) {
    texts.push(latin1(args.bytes, args.start(i), args.end(i)));
  }
  return texts;
}
