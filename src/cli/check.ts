/**
 * The command `check`: tries a configuration before a process has to work with it.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../base/address.ts";
import { KeyError } from "../base/key_error.ts";
import type { Config } from "../config/config.ts";
import type { ConfigView } from "../config/config_view.ts";
import { type ConfigChange, printed, restartNeeded } from "../config/difference.ts";
import type { ConfigKey } from "../config/key.ts";
import { CONFIG_KEYS } from "../config/keys.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { backendTlsFiles, clientTlsFiles, etcdTlsFiles, httpTlsFiles } from "../config/tls.ts";
import { isUnmade } from "../coordinator/embedded/folder.ts";
import { openCoordinator, openJodis } from "../coordinator/open.ts";
import { dateFaults, readTlsFiles } from "../io/tls_files.ts";
import { readUsers } from "../proxy/users.ts";
import { factsOf } from "../control/servers.ts";
import { checkMasters, isUnfilledStore, whyIgnored } from "../store/bootstrap.ts";
import type { GroupRecord } from "../model/group.ts";
import type { ServerFacts } from "../store/decoded_tree.ts";
import { loadGroups } from "../store/groups.ts";
import { checkIsHere } from "../store/moves.ts";
import { storeOf } from "../store/store.ts";
import { webhookAuthority } from "./parts/attached_dashboard.ts";
import { FILE_CHECKS, findFolders } from "./parts/config_files.ts";
import { COORDINATOR_MS, ownToken } from "./parts/context.ts";
import { CONFIG_FILE, PLACE_FLAGS } from "./parts/flags.ts";
import { askProcess, documentOf, PROCESS_ADDR } from "./parts/process_http.ts";
import { askOverTls, foreignCertificate } from "./parts/product_tls.ts";
import { openServer } from "./parts/redis_servers.ts";
import { linesOfFlags } from "./parts/running_config.ts";
import {
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  type Subcommand,
} from "./parts/subcommand.ts";
import { maskControls } from "./parts/table.ts";
import { printChanges } from "./reload.ts";

const AS_DASHBOARD: Flag = {
  name: "dashboard",
  value: "",
  default: "",
  help: "check it as a dashboard reads it, which needs no keys of a proxy",
};

/** See the header. */
export const tryCommand: Subcommand = {
  name: "check",
  summary: "Check a config file: its values, its files, its servers, its coordinator.",
  details:
    "Changes nothing. It prints what would be other in the process that runs at --http-addr, if there is one. The\n" +
    "exit code is 1 when there is an error. Run it as the user of the process: it tries whether files can be made\n" +
    "where the process writes. `config check` is about what is stored in the coordinator.",
  flags: [CONFIG_FILE, PROCESS_ADDR, AS_DASHBOARD, ...PLACE_FLAGS],
  run: runCheck,
};

async function runCheck(values: FlagValues): Promise<number> {
  const reader = isGiven(values, AS_DASHBOARD) ? "control" : "proxy";
  const loaded = await loadConfig(readValue(values, CONFIG_FILE), reader, linesOfFlags(values));
  const { warnings } = loaded;
  const reached = await reach(loaded);
  const errors = [...await fileErrors(loaded, reader === "proxy"), ...reached.errors];
  for (const warning of [...warnings, ...await certificateWarnings(loaded), ...reached.warnings]) {
    say("warning", warning);
  }
  for (const error of errors) say("error", error);
  await compare(values, loaded);
  if (errors.length === 0) console.log("ok: no error was found");
  return errors.length === 0 ? 0 : 1;
}

function say(kind: string, text: string): void {
  console.log(maskControls(`${kind}: ${text.replaceAll("\n", " ")}`));
}

/** What is wrong with the files that the configuration names. */
async function fileErrors(
  { config, entries }: LoadedConfig,
  isProxy: boolean,
): Promise<string[]> {
  const errors: string[] = [];
  for (
    const read of [
      ...FILE_CHECKS,
      webhookAuthority,
      askOverTls,
      readUsers,
      (config: Config) => findFolders(config, isProxy),
    ]
  ) {
    try {
      await read(config);
    } catch (error) {
      errors.push((entries.placed(error) as Error).message);
    }
  }
  return errors;
}

/** Certificates that can be used, but that others refuse, or soon will. */
async function certificateWarnings({ config, entries }: LoadedConfig): Promise<string[]> {
  const warnings: string[] = [];
  for (const filesOf of [clientTlsFiles, backendTlsFiles, httpTlsFiles, etcdTlsFiles]) {
    const files = filesOf(config);
    // What keeps them from being read is an error, and told as one.
    const identity = files && await readTlsFiles(files).catch(() => undefined);
    if (identity === undefined) continue;
    for (const { key, path, what } of dateFaults(identity, files!)) {
      const fault = new KeyError(key, path, `the certificate ${what}`);
      warnings.push((entries.placed(fault) as Error).message);
    }
  }
  const foreign = await foreignCertificate(config).catch(() => undefined);
  if (foreign !== undefined) warnings.push((entries.placed(foreign) as Error).message);
  return warnings;
}

/** What was found, a sentence each. */
interface Findings {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** What cannot be reached: the coordinator, the servers that are stored there or named, Jodis's ZooKeeper. */
async function reach({ config, entries }: LoadedConfig): Promise<Findings> {
  const [errors, warnings]: [string[], string[]] = [[], []];
  const named = config.servers.map(formatAddress);
  let addrs = new Set(named);
  const facts = new Map<string, ServerFacts>();
  let fills = false;
  try {
    const stored = await storedGroups(config);
    fills = stored === undefined && config.coordinator === "embedded";
    if (stored !== undefined) {
      addrs = new Set(stored.flatMap(({ servers }) => (servers ?? []).map(({ addr }) => addr)));
      const why = config.coordinator === "embedded" && whyIgnored(config.servers, stored);
      if (why) warnings.push(`${entries.origin("servers")!.at}: ${why}`);
    }
  } catch (error) {
    // Its files are told of where files are.
    if (!(error instanceof KeyError)) {
      errors.push(`coordinator ${config.coordinator}: ${(error as Error).message}`);
    }
  }
  if (config.jodisServers.length > 0) {
    try {
      await (await openJodis(config, AbortSignal.timeout(COORDINATOR_MS), () => {})).close();
    } catch (error) {
      if (!(error instanceof KeyError)) errors.push(`jodis_addr: ${(error as Error).message}`);
    }
  }
  await Promise.all([...addrs].map(async (addr) => {
    try {
      using redis = await openServer(config, parseAddress(addr));
      await redis.call("PING");
      // The start, too, takes a server as it is that does not say what it is.
      const told = fills ? await factsOf(redis).catch(() => undefined) : undefined;
      if (told !== undefined) facts.set(addr, told);
    } catch (error) {
      const { message } = error as Error;
      errors.push(message.startsWith(addr) ? `server ${message}` : `server ${addr}: ${message}`);
    }
  }));
  try {
    if (fills) checkMasters(config.servers, named.map((addr) => facts.get(addr)));
  } catch (error) {
    errors.push((error as Error).message);
  }
  return { errors, warnings };
}

/** The groups of the store; undefined while it is empty. */
async function storedGroups(config: Config): Promise<GroupRecord[] | undefined> {
  if (config.coordinator === "embedded" && isUnmade(config.embeddedDir)) {
    return undefined;
  }
  const coordinator = await openCoordinator(config, AbortSignal.timeout(COORDINATOR_MS), true);
  try {
    const store = storeOf(coordinator, config.product);
    await checkIsHere(store);
    if (await isUnfilledStore(store)) return undefined;
    return await loadGroups(store);
  } finally {
    await coordinator.close();
  }
}

/** Prints what would be other in the process that runs. */
async function compare(values: FlagValues, { config, entries }: LoadedConfig): Promise<void> {
  const token = ownToken() ?? config.dashboardToken;
  const answer = await askProcess(values, "GET", "/api/config", { token, proto: config.proto });
  if (answer === undefined) {
    console.log(`no process runs at --http-addr=${values[PROCESS_ADDR.name]} to compare with`);
    return;
  }
  const [live, restart]: [ConfigChange[], ConfigChange[]] = [[], []];
  for (const { key, value, source, reload } of documentOf<ConfigView>(answer).keys) {
    const row = (CONFIG_KEYS as readonly ConfigKey[]).find((each) => each.key === key);
    // What flags and CONFIG SET say counts more than any file.
    if (row === undefined || source === "flag" || source === "set") continue;
    const to = printed(row, config);
    if (to === value) continue;
    const change = { key, from: value, to, at: entries.origin(key)?.at ?? "default" };
    (restartNeeded(reload, value, to) ? restart : live).push(change);
  }
  printChanges("a reload would change", live);
  printChanges("needs a restart", restart);
  if (live.length + restart.length === 0) {
    console.log("the process that runs has the same values; secrets were not compared");
  }
}
