/**
 * The command `reload`: has a running process read its configuration again.
 *
 * @module
 */

import { UNAUTHORIZED } from "../api/dashboard_errors.ts";
import { Secret } from "../base/secret.ts";
import type { ReloadAnswer } from "../config/config_view.ts";
import { changeText, type ConfigChange } from "../config/difference.ts";
import { ConfigError } from "../config/error.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import type { ListenProto } from "../io/listen.ts";
import { ownToken } from "./parts/context.ts";
import { CONFIG_FILE } from "./parts/flags.ts";
import { askProcess, documentOf, PROCESS_ADDR } from "./parts/process_http.ts";
import { askOverTls } from "./parts/product_tls.ts";
import {
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  type Subcommand,
} from "./parts/subcommand.ts";
import { maskControls } from "./parts/table.ts";

const DRY_RUN: Flag = {
  name: "dry-run",
  value: "",
  default: "",
  help: "change nothing; print what would change",
};

/** See the header. */
export const reloadCommand: Subcommand = {
  name: "reload",
  summary: "Have a running proxy or dashboard read its configuration again.",
  details:
    "All or nothing: a mistake in the file changes nothing, and the exit code is 1. Keys that need a restart are\n" +
    "named. SIGHUP does the same. The config file here says how to reach the process: dashboard_token, TLS.",
  flags: [CONFIG_FILE, PROCESS_ADDR, DRY_RUN],
  run: runReload,
};

async function runReload(values: FlagValues): Promise<number> {
  const { mistake, ...asked } = await reachable(readValue(values, CONFIG_FILE));
  const isDryRun = isGiven(values, DRY_RUN);
  const path = `/api/reload${isDryRun ? "?dry_run=yes" : ""}`;
  const answer = await askProcess(values, "POST", path, asked).catch((error) => {
    throw mistake ?? error;
  });
  if (answer === undefined) {
    throw new Error(
      `nothing listens at --http-addr=${values[PROCESS_ADDR.name]}: is the process running?`,
    );
  }
  // The token is in the file, as a rule, and a process that is not shown it does not say what is wrong there.
  if (answer.status === UNAUTHORIZED && mistake !== undefined) throw mistake;
  const { changed, waiting, kept, warnings } = documentOf<ReloadAnswer>(answer);
  for (const warning of warnings) console.log(`warning: ${maskControls(warning)}`);
  if (changed.length === 0) console.log("nothing has changed");
  printChanges(isDryRun ? "would change" : "changed", changed);
  printChanges("waits for a restart", waiting);
  printChanges("set by CONFIG SET, which counts more than the file", kept);
  return 0;
}

/** Prints changes, a line each. */
export function printChanges(what: string, changes: readonly ConfigChange[]): void {
  for (const change of changes) console.log(maskControls(`${what}: ${changeText(change)}`));
}

/** Makes ready to reach the process: the token for it, and what is wrong in the file that may have one. */
async function reachable(
  file: string,
): Promise<{ token: Secret; proto: ListenProto; mistake?: ConfigError }> {
  let loaded: LoadedConfig;
  try {
    loaded = await loadConfig(file, "control");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The process says what is wrong in its own file, if it can be reached.
    return { token: ownToken() ?? new Secret(""), proto: "tcp", mistake: error };
  }
  const { config, entries } = loaded;
  await askOverTls(config, entries);
  return { token: ownToken() ?? config.dashboardToken, proto: config.proto };
}
