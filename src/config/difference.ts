/**
 * What is other in one configuration than in another, key by key.
 *
 * @module
 */

import type { Secret } from "../base/secret.ts";
import type { Config } from "./config.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { isSecretKey } from "./secrets.ts";
import { type ConfigUser, printConfigValue } from "./value.ts";

/** A key whose value is another one; secrets are masked. */
export interface ConfigChange {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  /** Where the new value is: `config.ini:12`, or `default`. */
  readonly at: string;
}

/** Which keys differ: those that can change while a process runs, and those that wait for a restart. */
export interface ConfigDifference {
  readonly changed: readonly ConfigKey[];
  readonly waiting: readonly ConfigKey[];
}

/** Compares what is in force with what shall be. */
export function differenceOf(now: Config, next: Config): ConfigDifference {
  const others = (CONFIG_KEYS as readonly ConfigKey[]).filter((row) =>
    !isSameValue(row, now, next)
  );
  const waiting = others.filter((row) =>
    restartNeeded(row.reload, printed(row, now), printed(row, next))
  );
  return { changed: others.filter((row) => !waiting.includes(row)), waiting };
}

/**
 * Whether a key needs a restart to have another value; both as {@linkcode printed}.
 *
 * @param reload What the table of keys says; undefined or `restart`: each change needs one.
 */
export function restartNeeded(reload: string | undefined, from: string, to: string): boolean {
  return reload === "while_set" ? (from === "") !== (to === "") : reload !== "live";
}

/** The value of a row's key as config.ini spells it; a secret is masked. */
export function printed(row: ConfigKey, config: Config): string {
  return printConfigValue(valueOf(row, config), row);
}

/** Whether two configurations have the same value of a row's key. */
export function isSameValue(row: ConfigKey, one: Config, two: Config): boolean {
  const [a, b] = [valueOf(row, one), valueOf(row, two)];
  if (isSecretKey(row)) return textOf(a as Secret) === textOf(b as Secret);
  if (row.kind === "users") return usersText(a) === usersText(b);
  return printConfigValue(a, row) === printConfigValue(b, row);
}

function textOf(secret: Secret): string {
  return JSON.stringify(secret.revealAll());
}

function usersText(users: unknown): string {
  const all = users as readonly ConfigUser[];
  return JSON.stringify(all.map(({ name, rules }) => [name, rules.reveal()]));
}

/** The value of a row's key. */
export function valueOf(row: ConfigKey, config: Config): unknown {
  return (config as unknown as Record<string, unknown>)[row.field];
}

/** A change in words, for people: `max_clients 10000 → 5000 (config.ini:12)`. */
export function changeText({ key, from, to, at }: ConfigChange): string {
  const shown = (value: string) => value === "" ? "not set" : value;
  // Of a secret, both are masked.
  const what = from === to ? "has other values" : `${shown(from)} → ${shown(to)}`;
  return `${key} ${what} (${at})`;
}
