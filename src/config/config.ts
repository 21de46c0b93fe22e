/**
 * The settings of a config.ini, as the table of keys types them.
 *
 * @module
 */

import type { Secret } from "../base/secret.ts";
import { CONFIG_KEYS } from "./keys.ts";
import { type ConfigValueByKind, printConfigValue } from "./value.ts";

type Row = (typeof CONFIG_KEYS)[number];
type ValueOf<R extends Row> = R extends { readonly words: readonly (infer W)[] } ? W
  : ConfigValueByKind[R["kind"]];

/** Every setting, by the `field` of its row; durations in milliseconds, sizes in bytes. */
export type Config = { readonly [R in Row as R["field"]]: ValueOf<R> };

/** Who reads the file. As in Codis 2.0, dashboard and config commands need no keys of a proxy. */
export type ConfigReader = "proxy" | "control";

/** The login of dashboard and mover at the Redis servers. */
export function backendLogin(config: Config): { readonly user: string; readonly password: Secret } {
  const { backendUser: user, backendPassword, password } = config;
  return { user, password: backendPassword.isSet ? backendPassword : password };
}

/** The login for the requests of clients; `undefined`: the same as {@linkcode backendLogin}. */
export function clientLogin(
  config: Config,
): { readonly user: string; readonly password: Secret } | undefined {
  const { backendClientUser: user, backendClientPassword: password } = config;
  return user === "" ? undefined : { user, password };
}

/** Every setting as config.ini spells it, in the order of the table; secrets are masked. */
export function configEntries(config: Config): [key: string, value: string][] {
  return CONFIG_KEYS.map((row) => [row.key, printConfigValue(config[row.field], row)]);
}
