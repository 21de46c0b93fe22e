/**
 * Which keys CONFIG SET can set, and to what.
 *
 * @module
 */

import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { checkLineValue } from "./lines.ts";

/**
 * Checks one pair of CONFIG SET.
 *
 * @throws {Error} When it cannot set the key to that.
 */
export function checkSettable(key: string, value: string): void {
  const row = (CONFIG_KEYS as readonly ConfigKey[]).find((each) => each.key === key);
  if (row === undefined) throw new Error(`${key} is no key of the configuration`);
  if (row.kind === "users") throw new Error("users are set with ACL SETUSER");
  if (row.reload === undefined) throw new Error(needsRestart(row));
  checkLineValue(row, value);
}

/** Why CONFIG SET cannot set a key, and what to do. */
export function needsRestart({ key, reload }: ConfigKey): string {
  const what = reload === undefined ? `${key} needs a restart` : `to set or unset ${key} needs one`;
  return `can't set immutable config: ${what}: write it to the config file, and restart`;
}
