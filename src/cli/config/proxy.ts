/**
 * The commands `config proxy …`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { DashboardClient } from "../../api/dashboard_client.ts";
import { DashboardError } from "../../api/dashboard_errors.ts";
import type { ProxyState } from "../../model/proxy.ts";
import {
  type CommandGroup,
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
} from "../parts/subcommand.ts";
import { PROXY_NAME } from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import type { CommandOutput } from "../parts/output.ts";
import type { CommandContext } from "../parts/context.ts";
import { isDashboardAway } from "../parts/migration_wait.ts";
import { formatTable } from "../parts/table.ts";

/** Time limit for a proxy to register, and then to serve, in milliseconds. */
const START_MS = 30_000;
/** What the dashboard answers about a proxy that is not registered. */
const NOT_REGISTERED = 409;
/** Time between two polls, in milliseconds. */
const POLL_MS = 250;

const SERVES: Flag = {
  name: "wait",
  value: "",
  default: "",
  help: "wait until the proxy has registered, and then until it serves; at most 30 s each",
};

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show every registered proxy.",
    run: async (_values, context) => {
      const proxies = await (await context.client()).proxies();
      const rows = (proxies ?? []).map((proxy) => [
        ...[proxy.id, proxy.addr, proxy.drain ?? proxy.state, proxy.debug_var_addr],
        ...[`${proxy.pid}`, proxy.start_at],
      ]);
      const heads = ["PROXY", "ADDRESS", "STATE", "HTTP", "PID", "STARTED"];
      const text = rows.length === 0 ? "no proxy is registered" : formatTable(heads, rows);
      return { json: proxies, text };
    },
  },
  {
    name: "online",
    summary: "Set a proxy online: it starts to serve clients.",
    arguments: [PROXY_NAME],
    flags: [SERVES],
    run: async (values, context) => {
      if (!isGiven(values, SERVES)) return await setState(values, context, "online", "online");
      return await untilOnline(values, context);
    },
  },
  {
    name: "offline",
    summary: "Set a proxy offline: its process stops cleanly.",
    details: "The proxy finishes the requests that it has received, leaves the store and exits.",
    arguments: [PROXY_NAME],
    run: async (values, context) => {
      await checkRegistered(values, context);
      return await setState(values, context, "mark_offline", "offline and has stopped");
    },
  },
];

/** See the header. */
export const proxyCommands: CommandGroup = {
  name: "proxy",
  summary: "Show proxies, set them online and offline.",
  flags: [],
  commands: ROWS.map(configCommand),
};

/**
 * Checks the name first: as in Codis 2.0, the dashboard confirms that an unknown proxy is offline.
 *
 * @throws {Error} When no proxy of that name is registered.
 */
async function checkRegistered(values: FlagValues, context: CommandContext): Promise<void> {
  const name = readValue(values, PROXY_NAME);
  const ids = (await (await context.client()).proxies() ?? []).map(({ id }) => id);
  if (ids.includes(name)) return;
  const known = ids.length === 0 ? "no proxy is" : `registered: ${ids.join(", ")}`;
  throw new Error(`proxy ${name} is not registered (${known})`);
}

/**
 * Sets a proxy online as soon as it is registered, and waits until it serves. What is registered may be left of a
 * process that was killed: then it goes in the middle of this, and the next one is set online.
 *
 * @throws {Error} When no proxy of that name registers in time, or it does not serve every slot in time.
 */
async function untilOnline(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const name = readValue(values, PROXY_NAME);
  const client = await context.followingClient();
  let outcome: CommandOutput | undefined;
  while (outcome === undefined) {
    await until(client, () => `proxy ${name} has not registered`, async () => {
      return (await client.proxies() ?? []).some(({ id }) => id === name);
    });
    outcome = await setOnlineIfThere(values, context);
  }
  let problem = "";
  const complaint = () =>
    `proxy ${name} ${
      problem === "" ? "does not serve every slot" : `cannot be asked by the dashboard (${problem})`
    }`;
  await until(client, complaint, async () => {
    const proxy = (await client.cluster()).proxies.find(({ id }) => id === name);
    problem = proxy?.is_reachable === false ? proxy.problem : "";
    if (proxy?.state === "offline") await setOnlineIfThere(values, context);
    // Codis 2.0's own proxies do not report slots_offline.
    return proxy?.state === "online" && proxy.is_reachable && !proxy.drain &&
      (proxy.slots_offline ?? 0) === 0;
  });
  return outcome;
}

/** Nothing, while no proxy of that name is registered. */
async function setOnlineIfThere(
  values: FlagValues,
  context: CommandContext,
): Promise<CommandOutput | undefined> {
  try {
    return await setState(values, context, "online", "online");
  } catch (error) {
    if (error instanceof DashboardError && error.status === NOT_REGISTERED) return undefined;
    throw error;
  }
}

async function until(
  client: DashboardClient,
  complaint: () => string,
  isReached: () => Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + START_MS;
  for (;;) {
    try {
      if (await isReached()) return;
    } catch (error) {
      // Another dashboard may be taking over.
      if (!client.hasAnswered || !isDashboardAway(error) || performance.now() >= endMs) throw error;
    }
    if (performance.now() >= endMs) throw new Error(`${complaint()} after ${START_MS / 1000} s`);
    await delay(POLL_MS);
  }
}

async function setState(
  values: FlagValues,
  context: CommandContext,
  state: ProxyState,
  what: string,
): Promise<CommandOutput> {
  const name = readValue(values, PROXY_NAME);
  const json = await (await context.client()).setProxyState(name, state);
  return { json, text: `proxy ${name} is ${what}` };
}
