/**
 * What a config command works with: the config, the client of the dashboard, the store.
 *
 *     --dashboard ─► dashboard_addr ─► the embedded store's own record ─► nothing: say what to do
 *          └─ gone while a command goes on: the leader in the store
 *
 * @module
 */

import { excerpt } from "../../base/excerpt.ts";
import { fileFault } from "../../base/file_fault.ts";
import { delay } from "@std/async/delay";
import { DashboardClient } from "../../api/dashboard_client.ts";
import {
  type Address,
  type HttpAddress,
  parseAddress,
  parseHttpAddress,
} from "../../base/address.ts";
import type { Secret } from "../../base/secret.ts";
import { logger, type LogOptions } from "../../base/log.ts";
import type { Config } from "../../config/config.ts";
import { loadConfig, type LoadedConfig, parseConfig } from "../../config/load.ts";
import { readToken } from "../../config/value.ts";
import { ConfigError } from "../../config/error.ts";
import type { Coordinator } from "../../coordinator/coordinator.ts";
import { openCoordinator, readEtcdTls } from "../../coordinator/open.ts";
import type { DashboardRecord } from "../../model/dashboard.ts";
import { checkIsHere } from "../../store/moves.ts";
import { loadDashboard } from "../../store/products.ts";
import { type Store, storeOf } from "../../store/store.ts";
import { askOverTls } from "./product_tls.ts";
import { type Flag, type FlagValues, isGiven, readValue } from "./subcommand.ts";
import { CONFIG_FILE, LOG_FILE, logLevelFlag, logOptions } from "./flags.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "./output.ts";
import { parseWhole, parseWord } from "./arguments.ts";

/** Largest value of `--dashboard-wait`. */
const DASHBOARD_WAIT_SECONDS_MAX = 3600;
/** Time between two reads of the dashboard's record in the store, in milliseconds. */
const STORED_POLL_MS = 200;
/** Longest time for a command to reach the coordinator, in milliseconds. */
export const COORDINATOR_MS = 5_000;
/** How long the coordinator may take to say which dashboard leads, in milliseconds. */
const FIND_LEADER_MS = 3_000;

/** The environment variable with the token of whoever uses the command. */
export const TOKEN_VARIABLE = "CODIS_DASHBOARD_TOKEN";

const LOG_LEVEL = logLevelFlag("");

const DASHBOARD: Flag<HttpAddress> = {
  name: "dashboard",
  value: "host:port",
  default: "",
  help: "address of the dashboard, https://host:port with TLS; without this flag: dashboard_addr",
  parse: parseHttpAddress,
};

const OUTPUT: Flag<OutputFormat> = {
  name: "output",
  value: "format",
  default: "",
  help: "table or json; without this flag: table on a terminal, json elsewhere",
  words: OUTPUT_FORMATS,
  parse: (text) => parseWord(text, OUTPUT_FORMATS),
};

const DASHBOARD_WAIT: Flag<number> = {
  name: "dashboard-wait",
  value: "seconds",
  default: "5",
  help: "how long to wait for a dashboard that is starting",
  parse: (text) => parseWhole(text, "a time in seconds", 0, DASHBOARD_WAIT_SECONDS_MAX),
};

/** The flags of every config command. */
export const CONFIG_FLAGS: readonly Flag[] = [
  ...[CONFIG_FILE, LOG_FILE, LOG_LEVEL, DASHBOARD, DASHBOARD_WAIT, OUTPUT],
];

const START_ONE = "start `codis-proxy dashboard`";
const NAME_IT = "or set dashboard_addr or --dashboard to its address";

/** What to do when no dashboard answers, for the end of a message. */
const DASHBOARD_HINT = `${START_ONE}, ${NAME_IT}`;

/** A message about a dashboard with what to do behind it, each part once. */
export function withDashboardHint(message: string): string {
  return message.endsWith(START_ONE) ? `${message}, ${NAME_IT}` : `${message}; ${DASHBOARD_HINT}`;
}

/** The address of the dashboard is not known; the message says what to do. */
export class NoDashboardError extends Error {
  override readonly name = "NoDashboardError";
}

/** What is checked of a store when it is opened: whether the product has gone from it to another one, or nothing. */
type StoreCheck = "the product is there" | "wherever the product is";

/** See the header. Disposing closes what was opened. */
export class CommandContext implements AsyncDisposable {
  readonly #values: FlagValues;
  readonly #coordinators: Coordinator[] = [];
  #loaded: LoadedConfig | undefined;
  #client: DashboardClient | undefined;

  /** Opens nothing yet. */
  constructor(values: FlagValues) {
    this.#values = values;
  }

  /** How to print the output. */
  get outputFormat(): OutputFormat {
    if (isGiven(this.#values, OUTPUT)) return readValue(this.#values, OUTPUT);
    return Deno.stdout.isTerminal() ? "table" : "json";
  }

  /** The log that the flags ask for; `undefined`: none. */
  get log(): LogOptions | undefined {
    const isAsked = isGiven(this.#values, LOG_FILE) || isGiven(this.#values, LOG_LEVEL);
    return isAsked ? logOptions(this.#values) : undefined;
  }

  /**
   * The config file.
   *
   * @throws {ConfigError} When it cannot be read or breaks a rule.
   */
  async config(): Promise<Config> {
    return (await this.loaded()).config;
  }

  /**
   * The same, with where its values come from.
   *
   * @throws {ConfigError} When it cannot be read or breaks a rule.
   */
  async loaded(): Promise<LoadedConfig> {
    return this.#loaded ??= await this.#loadConfig();
  }

  /**
   * The dashboard's client; connects nothing yet.
   *
   * @throws {NoDashboardError} When nothing says where the dashboard is.
   */
  async client(): Promise<DashboardClient> {
    return this.#client ??= await this.#makeClient();
  }

  /**
   * The same for a command that goes on for a while: when the dashboard is gone, it asks the one that leads then, as
   * the coordinator says.
   *
   * @throws {NoDashboardError} When nothing says where the dashboard is.
   */
  async followingClient(): Promise<DashboardClient> {
    const client = await this.client();
    const config = await this.config();
    // Whoever names a dashboard may have the config file of another cluster.
    const isAsked = isGiven(this.#values, DASHBOARD);
    if (isAsked && !await isLedBy(client, config.product, await storedLeader(config))) {
      return client;
    }
    client.followLeader(async () => {
      const leader = await storedLeader(config);
      return leader && parseAddress(leader.addr);
    });
    return client;
  }

  /**
   * The store that the config names.
   *
   * @throws {CoordinatorError} When it cannot be opened.
   */
  async store(): Promise<Store> {
    return await this.openStore(await this.config());
  }

  /**
   * Opens the store of a config, for reading; closed with the context.
   *
   * @throws {ConfigError | CoordinatorError} When it cannot be opened, or an embedded one does not exist.
   * @throws {StoreError} When the product has moved to another one.
   */
  async openStore(config: Config, check: StoreCheck = "the product is there"): Promise<Store> {
    if (config.coordinator === "embedded" && !await isOnDisk(config.embeddedDir)) {
      // Opening would create it, but this command only reads.
      throw new ConfigError(
        `embedded_dir "${config.embeddedDir}" does not exist: nothing has been stored yet`,
      );
    }
    return await this.#open(config, check, true);
  }

  /**
   * The store that the config names, for a command that fills it: an embedded one is created.
   *
   * @throws {ConfigError | CoordinatorError} When it cannot be opened.
   */
  async storeToFill(): Promise<Store> {
    return await this.openToFill(await this.config());
  }

  /** The same of any config. */
  async openToFill(config: Config, check: StoreCheck = "the product is there"): Promise<Store> {
    return await this.#open(config, check, false);
  }

  async #open(config: Config, check: StoreCheck, mustExist: boolean): Promise<Store> {
    const coordinator = await this.#openPlaced(config, mustExist);
    this.#coordinators.push(coordinator);
    const store = storeOf(coordinator, config.product);
    if (check === "the product is there") await checkIsHere(store);
    return store;
  }

  /** Opens a coordinator; an error about a file that the config file names says in which line. */
  async #openPlaced(config: Config, mustExist: boolean): Promise<Coordinator> {
    try {
      return await openCoordinator(config, AbortSignal.timeout(COORDINATOR_MS), mustExist);
    } catch (error) {
      throw config === this.#loaded?.config ? this.#loaded.entries.placed(error) : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const coordinator of this.#coordinators) await coordinator.close();
  }

  async #loadConfig(): Promise<LoadedConfig> {
    const file = readValue(this.#values, CONFIG_FILE);
    const isNeeded = file !== CONFIG_FILE.default || !isGiven(this.#values, DASHBOARD);
    // With --dashboard, the default config file may be missing.
    if (!isNeeded && !await isOnDisk(file)) return parseConfig("", file);
    const loaded = await loadConfig(file, "control");
    for (const warning of loaded.warnings) logger("config").warn("{warning}", { warning });
    return loaded;
  }

  async #makeClient(): Promise<DashboardClient> {
    const { config, entries } = await this.loaded();
    const asked = isGiven(this.#values, DASHBOARD) ? readValue(this.#values, DASHBOARD) : undefined;
    await askOverTls(asked === undefined ? config : { ...config, dashboardAddr: asked }, entries);
    const startMs = readValue(this.#values, DASHBOARD_WAIT) * 1000;
    const address = asked ?? config.dashboardAddr ??
      await this.#awaitStoredDashboard(config, startMs);
    if (address === undefined) {
      throw new NoDashboardError(
        "no dashboard is known: start `codis-proxy`, which serves one with the embedded coordinator, " +
          "or set dashboard_addr or --dashboard to the address of one",
      );
    }
    const token = ownToken() ?? config.dashboardToken;
    return new DashboardClient({ address, token, startMs, sender: "cli" });
  }

  /** The dashboard's address in the embedded store; waits for a dashboard that is starting. */
  async #awaitStoredDashboard(config: Config, startMs: number): Promise<Address | undefined> {
    if (config.coordinator !== "embedded") return undefined;
    const endMs = performance.now() + startMs;
    for (let store: Store | undefined;;) {
      // A process that is starting may create the store only now.
      if (store === undefined && await isOnDisk(`${config.embeddedDir}/journal`)) {
        store = await this.openStore(config);
      }
      const address = store === undefined ? undefined : await storedDashboard(store);
      if (address !== undefined || performance.now() >= endMs) return address;
      await delay(STORED_POLL_MS);
    }
  }
}

/**
 * Loads the config file of another store, and reads the files that it takes to reach that.
 *
 * @throws {ConfigError} When one of them cannot be used; the message says in which line it is named.
 */
export async function loadOtherStore(file: string): Promise<Config> {
  const { config, entries } = await loadConfig(file, "control");
  try {
    await readEtcdTls(config);
  } catch (error) {
    throw entries.placed(error);
  }
  return config;
}

/**
 * The token of whoever uses the command; `undefined`: that of the machine is to be used.
 *
 * @throws {ConfigError} When it cannot be sent.
 */
export function ownToken(): Secret | undefined {
  const own = Deno.env.get(TOKEN_VARIABLE) ?? "";
  try {
    return own === "" ? undefined : readToken(own);
  } catch (error) {
    throw new ConfigError(`${TOKEN_VARIABLE}: ${(error as Error).message}`);
  }
}

/** The dashboard's address in the store; `undefined` while no dashboard runs. */
async function storedDashboard(store: Store): Promise<Address | undefined> {
  const dashboard = await loadDashboard(store);
  return dashboard && parseAddress(dashboard.addr);
}

/** The dashboard that leads, as the store of a config says; `undefined` when none does, or it cannot be read now. */
async function storedLeader(config: Config): Promise<DashboardRecord | undefined> {
  let coordinator: Coordinator | undefined;
  try {
    coordinator = await openCoordinator(config, AbortSignal.timeout(FIND_LEADER_MS), true);
    return await loadDashboard(storeOf(coordinator, config.product));
  } catch (error) {
    logger("config").debug("it is not known which dashboard leads: {error}", { error });
    return undefined;
  } finally {
    await coordinator?.close();
  }
}

/** Whether a product's leader in a store is the dashboard that answers a client: then it is the same cluster. */
async function isLedBy(
  client: DashboardClient,
  product: string,
  leader: DashboardRecord | undefined,
): Promise<boolean> {
  if (leader === undefined) return false;
  const view = await client.cluster();
  const { addr, pid } = view.dashboard;
  return view.product === product && addr === leader.addr && pid === leader.pid;
}

/** Whether there is a file or folder. */
export async function isOnDisk(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new Error(`"${excerpt(path)}" cannot be read: ${fileFault(error)}`, { cause: error });
  }
}
