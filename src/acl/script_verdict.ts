/**
 * Whether a user may do what a script calls. Inside a server, a script runs with the rights of the proxy's
 * own user: what cannot be seen to be allowed from its text must not run.
 *
 * @module
 */

import type { Command } from "../command/command.ts";
import { findByName } from "../command/command_table.ts";
import type { Arguments } from "../resp/arguments.ts";
import { AccessedKeys, accessOfAnyKey, findAccessedKeys, hasKeys } from "./accessed_keys.ts";
import type { Selector } from "./selector.ts";
import type { User } from "./user.ts";
import { allowsKey, namesChannels } from "./verdict.ts";

/** What a script calls, as far as its text shows it. */
export interface CalledInScript {
  /** Names of commands, as in `get` and `config|get`. */
  readonly calls: readonly string[];
  /** What hides more calls, for an error text; empty for nothing. */
  readonly hides: string;
  /** Whether it uses no key but those that it declares. */
  readonly namesItsKeys: boolean;
}

/** What is denied of a script, and the call by which; null when all is allowed. */
export type DeniedCall = {
  readonly reason: "command" | "key" | "channel";
  readonly name: string;
} | null;

const DECLARED = new AccessedKeys();

/**
 * Decides about the calls of a script whose text shows all of them.
 *
 * @param command EVAL or its like, which the user may run.
 * @param args All of its arguments. Borrowed until it returns.
 */
export function verdictOnScript(
  user: User,
  script: CalledInScript,
  command: Command,
  args: Arguments,
): DeniedCall {
  findAccessedKeys(command, args, DECLARED);
  for (const name of script.calls) {
    const called = findByName(name);
    if (called === undefined) return { reason: "command", name };
    const able = user.selectors.filter(({ commands }) => commands.allows(called));
    if (able.length === 0) return { reason: "command", name };
    const withKeys = able.filter((selector) =>
      !hasKeys(called) || selector.allKeys ||
      (script.namesItsKeys && allowsDeclared(selector, accessOfAnyKey(called), args))
    );
    if (withKeys.length === 0) return { reason: "key", name };
    const isAllowed = withKeys.some(({ allChannels }) => allChannels || !namesChannels(called));
    if (!isAllowed) return { reason: "channel", name };
  }
  return null;
}

/** Whether a selector allows the same access to each declared key: any of them may be meant. */
function allowsDeclared(selector: Selector, access: number, args: Arguments): boolean {
  for (let i = 0; i < DECLARED.count; i++) {
    const at = DECLARED.indexes[i]!;
    if (!allowsKey(selector, args.bytes, args.start(at), args.end(at), access)) return false;
  }
  return true;
}
