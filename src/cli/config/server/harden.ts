/**
 * The command `config server harden`: a Redis user with fewer rights, for what proxies do for clients.
 *
 *     config.ini: backend_client_user ─► every server: has it? ─► rules, printed ── --apply ─► set, tried
 *
 * @module
 */

import { tlsToServers } from "../../parts/redis_servers.ts";
import { type Address, formatAddress, parseAddress } from "../../../base/address.ts";
import { backendLogin, type Config } from "../../../config/config.ts";
import { RedisConnection, type RedisOptions } from "../../../redis/connection.ts";
import {
  type Argument,
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  UsageError,
} from "../../parts/subcommand.ts";
import { REDIS_ADDR } from "../../parts/arguments.ts";
import {
  type ClientUser,
  clientUserRules,
  type ClientUserState,
  clientUserState,
  setClientUser,
} from "./client_user.ts";
import type { ConfigRow } from "../../parts/config_command.ts";
import type { CommandOutput } from "../../parts/output.ts";
import type { CommandContext } from "../../parts/context.ts";
import { formatTable } from "../../parts/table.ts";

/** Longest time that a server may take for one answer, in milliseconds. */
const REPLY_MS = 5_000;

/** The name of the user that every server has. */
const DEFAULT_USER = "default";

const SERVER: Argument<string> = {
  ...REDIS_ADDR,
  help: "host:port of a Redis server; without it: all servers of the cluster",
  isOptional: true,
};

const APPLY: Flag = {
  name: "apply",
  value: "",
  default: "",
  help: "create the user or reset its rights; without this flag: only show the commands",
};

/** The user at one server; fields are spelled as they are printed. */
interface HardenedServer {
  readonly addr: string;
  readonly state: ClientUserState | "set" | "failed";
  /** An error or a note; `""`: none. */
  readonly problem: string;
  /** The command that creates the user; `""` when it cannot be created. */
  readonly command: string;
}

/** See the header. */
export const hardenRow: ConfigRow = {
  name: "harden",
  summary: "Create a Redis user with fewer rights, for the requests of clients.",
  details:
    "A client's script runs with the rights of the proxy: it can call what the proxy refuses, such " +
    "as\nFLUSHALL, MIGRATE and SWAPDB. Set backend_client_user and backend_client_password in " +
    "config.ini,\ncreate the user with --apply, then restart the proxies. Needs Redis 6. Do this for " +
    "every server\nbefore you add it.",
  arguments: [SERVER],
  flags: [APPLY],
  run: harden,
};

async function harden(values: FlagValues, context: CommandContext): Promise<CommandOutput> {
  const config = await context.config();
  const user = clientUserOf(config);
  if (user === undefined) {
    throw new UsageError(
      "set backend_client_user and backend_client_password in config.ini first",
    );
  }
  const addrs = isGiven(values, SERVER)
    ? [readValue(values, SERVER)]
    : (await (await context.client()).groups() ?? [])
      .flatMap(({ servers }) => (servers ?? []).map(({ addr }) => addr));
  const isApplied = isGiven(values, APPLY);
  const servers = await Promise.all(
    addrs.map((addr) => hardenServer(parseAddress(addr), config, user, isApplied)),
  );
  const hasFailed = servers.some(({ state }) => state === "failed");
  return {
    json: { user: user.name, servers },
    text: describe(servers, isApplied),
    exitCode: hasFailed ? 1 : 0,
  };
}

async function hardenServer(
  address: Address,
  config: Config,
  user: ClientUser,
  isApplied: boolean,
): Promise<HardenedServer> {
  const addr = formatAddress(address);
  let command = "";
  try {
    const options = { ...timesOf(config), tls: await tlsToServers(config) };
    using redis = await RedisConnection.open(address, {
      ...backendLogin(config),
      ...options,
    });
    const rules = await clientUserRules(redis, user);
    command = ["ACL", "SETUSER", user.name, ...rules].join(" ");
    if (!isApplied) {
      const state = await clientUserState(address, user, options);
      return { addr, state, problem: "", command };
    }
    const problem = await setClientUser(redis, user, rules);
    const state = await clientUserState(address, user, options);
    if (state === "in place") return { addr, state: "set", problem, command };
    return {
      addr,
      state: "failed",
      problem: `after ACL SETUSER, the user is still: ${state}`,
      command,
    };
  } catch (error) {
    return { addr, state: "failed", problem: (error as Error).message, command };
  }
}

/**
 * The user that config.ini names.
 *
 * @throws {UsageError} When the name is not allowed.
 */
function clientUserOf(config: Config): ClientUser | undefined {
  const { backendClientUser: name, backendClientPassword: password } = config;
  if (name === "") return undefined;
  if (/\s/.test(name)) {
    throw new UsageError(`backend_client_user "${name}" must not contain spaces`);
  }
  // Otherwise the dashboard would lose its rights, too.
  if (name === (config.backendUser || DEFAULT_USER)) {
    throw new UsageError(`backend_client_user "${name}" must not be backend_user`);
  }
  return { name, password, allowsDestructive: config.allowsDestructiveCommands };
}

function timesOf(config: Config): Pick<RedisOptions, "dialMs" | "replyMs"> {
  return { dialMs: config.backendDialTimeoutMs, replyMs: REPLY_MS };
}

function describe(servers: readonly HardenedServer[], isApplied: boolean): string {
  if (servers.length === 0) return "there are no servers yet";
  const rows = servers.map(({ addr, state, problem }) => [addr, state, problem]);
  const table = formatTable(["SERVER", "USER", "NOTE"], rows);
  if (isApplied) return table;
  const commands = new Map<string, string[]>();
  for (const { addr, command } of servers) {
    if (command === "") continue;
    commands.set(command, [...commands.get(command) ?? [], addr]);
  }
  const texts = [...commands].map(([command, addrs]) =>
    `In redis-cli at ${addrs.join(", ")}:\n${command}`
  );
  return [
    table,
    ...texts,
    "--apply runs these commands, and makes the servers keep the user over a restart.",
  ].join("\n\n");
}
