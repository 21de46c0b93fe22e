/**
 * Settings that change where they are: everybody in the process holds the same object.
 *
 * @module
 */

import type { Secret } from "../base/secret.ts";
import type { Config } from "./config.ts";
import { valueOf } from "./difference.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { isSecretKey } from "./secrets.ts";

const ROWS = CONFIG_KEYS as readonly ConfigKey[];

/** Puts all of `next` into `config`. Secrets stay the same objects: whoever holds one has the new value. */
export function putInto(config: Config, next: Config): void {
  const fields = config as unknown as Record<string, unknown>;
  for (const row of ROWS) {
    const value = valueOf(row, next);
    if (isSecretKey(row)) (fields[row.field] as Secret).replace((value as Secret).revealAll());
    else fields[row.field] = value;
  }
}

/** Puts what `next` has of some keys in place of what `config` has; whoever holds a secret keeps the old one. */
export function exchange(config: Config, next: Config, keys: readonly string[]): void {
  const fields = config as unknown as Record<string, unknown>;
  for (const row of ROWS.filter(({ key }) => keys.includes(key))) {
    fields[row.field] = valueOf(row, next);
  }
}

/** A copy that changes to the settings do not change. */
export function copyOf(config: Config): Config {
  const copy: Record<string, unknown> = { ...config };
  for (const row of ROWS.filter(isSecretKey)) {
    copy[row.field] = (copy[row.field] as Secret).copy();
  }
  return copy as unknown as Config;
}
