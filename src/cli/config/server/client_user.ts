/**
 * The Redis user for the requests of clients, with no more rights than they need.
 *
 * A client's script runs with the rights of the proxy's connection: it can call what the proxy refuses,
 * unless the server refuses it. Redis has users with rights since version 6.
 *
 *     @all ─ @admin ─ @dangerous + what the proxy forwards of those ─ what destructive_commands forbids
 *
 * @module
 */

import { type Address, formatAddress } from "../../../base/address.ts";
import { Secret } from "../../../base/secret.ts";
import { COMMANDS } from "../../../command/command_table.ts";
import { RedisConnection, type RedisOptions, type Word } from "../../../redis/connection.ts";
import { readInfo } from "../../../redis/info.ts";
import { RedisError, type RedisValue, replyText } from "../../../redis/reply.ts";

/** The user and its rights. */
export interface ClientUser {
  readonly name: string;
  readonly password: Secret;
  /** Whether it may flush everything. */
  readonly allowsDestructive: boolean;
}

/** The state of the user at a server. */
export type ClientUserState = "in place" | "other rights" | "not there";

/** First Redis versions with users, and with rights to channels. */
const ACL_VERSION = [6, 0];
const CHANNELS_VERSION = [6, 2];

/** Categories of commands that the user does not get as a whole. */
const PRIVILEGED = ["admin", "dangerous"];

/** Commands that proxies send on their own, over the connections of the user. */
const PROXY_COMMANDS = ["info"];

/** Probes that the user must not be allowed; none has an effect. */
const DENIED: readonly Word[][] = [
  ["SWAPDB", 0, 0],
  ["MIGRATE", "host", 0, "key", 0, "no time"],
  ["CONFIG", "GET", "nothing"],
];
/** Probes that the user must be allowed; none has an effect. */
const ALLOWED: readonly Word[][] = [
  ["INFO", "server"],
  ["RESTORE", "key", "no time", "no value"],
  ["SORT", "key", "NONSENSE"],
];
/** Probes that depend on `destructive_commands`; none has an effect. */
const DESTRUCTIVE: readonly Word[][] = [["FLUSHALL", "NONSENSE"], ["FLUSHDB", "NONSENSE"]];

/** The server has no users; the message names its version. */
export class NoUsersError extends Error {
  override readonly name = "NoUsersError";
}

/** Hashes a password for an ACL rule, so that the rule does not show it. */
export async function hashPassword(password: Secret): Promise<string> {
  const bytes = new TextEncoder().encode(password.reveal());
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/**
 * The words of ACL SETUSER after the user's name. They are made for this server: versions of Redis have
 * different commands.
 *
 * @param redis A connection of a user with all rights.
 * @throws {NoUsersError} When the server is older than Redis 6.
 * @throws As `RedisConnection.call`.
 */
export async function clientUserRules(redis: RedisConnection, user: ClientUser): Promise<string[]> {
  const { redis_version: version = "0" } = await readInfo(redis, "server");
  if (!isAtLeast(version, ACL_VERSION)) {
    throw new NoUsersError(`version ${version} has no users: Redis 6.0 or later is needed`);
  }
  const lists = await redis.pipeline(PRIVILEGED.map((category) => ["ACL", "CAT", category]));
  const privileged = new Set(lists.flatMap(textsOf));
  const forwarded = COMMANDS.filter((command) =>
    command.origin === "redis" && !command.isContainer &&
    command.handling !== "refuse" && command.handling !== "local"
  );
  const isAllowed = ({ isDestructive }: { isDestructive: boolean }) =>
    user.allowsDestructive || !isDestructive;
  const returned = [
    ...PROXY_COMMANDS,
    ...forwarded.filter(isAllowed).map(({ name }) => name),
  ].filter((name) => privileged.has(name));
  // Some subcommands of a command: the rules remove all of them, and add the others again.
  const containers = new Set(
    forwarded.filter((command) => !isAllowed(command) && command.name.includes("|"))
      .map(({ name }) => name.split("|")[0]!),
  );
  const partly: string[] = [];
  for (const container of containers) {
    const [info] = await redis.call("COMMAND", "INFO", container) as RedisValue[];
    if (!Array.isArray(info)) continue;
    const rest = forwarded.filter((command) =>
      command.name.startsWith(`${container}|`) && isAllowed(command)
    );
    partly.push(`-${container}`, ...rest.map(({ name }) => `+${name}`));
  }
  return [
    ...["reset", "on", `#${await hashPassword(user.password)}`, "~*"],
    ...(isAtLeast(version, CHANNELS_VERSION) ? ["&*"] : []),
    ...["+@all", ...PRIVILEGED.map((category) => `-@${category}`)],
    ...returned.map((name) => `+${name}`),
    ...partly,
  ];
}

/**
 * Finds the state of the user at a server, with probes.
 *
 * @throws {RedisUnreachableError} When the server cannot be reached.
 */
export async function clientUserState(
  address: Address,
  user: ClientUser,
  options: Omit<RedisOptions, "user" | "password">,
): Promise<ClientUserState> {
  let redis: RedisConnection;
  try {
    const { name, password } = user;
    redis = await RedisConnection.open(address, { user: name, password, ...options });
  } catch (error) {
    if (error instanceof RedisError) return "not there";
    throw error;
  }
  using _redis = redis;
  const destructive = DESTRUCTIVE.map((words) => ({ words, may: user.allowsDestructive }));
  const probes = [
    ...DENIED.map((words) => ({ words, may: false })),
    ...ALLOWED.map((words) => ({ words, may: true })),
    ...destructive,
  ];
  const replies = await redis.pipeline(probes.map(({ words }) => words));
  const isAsWanted = probes.every(({ may }, i) => may !== isDenied(replies[i]!));
  return isAsWanted ? "in place" : "other rights";
}

/**
 * Creates the user or resets its rights, and makes the server keep the user over a restart.
 *
 * @returns Why the server does not keep it; `""`: it does.
 * @throws As `RedisConnection.call`.
 */
export async function setClientUser(
  redis: RedisConnection,
  user: ClientUser,
  rules: readonly string[],
): Promise<string> {
  await redis.call("ACL", "SETUSER", user.name, ...rules);
  const [, file] = textsOf(await redis.call("CONFIG", "GET", "aclfile"));
  const { config_file: config = "" } = await readInfo(redis, "server");
  const isInFile = file !== undefined && file !== "";
  if (!isInFile && config === "") {
    const addr = formatAddress(redis.address);
    return `${addr} has neither an aclfile nor a config file: a restart deletes the user`;
  }
  const words = isInFile ? ["ACL", "SAVE"] : ["CONFIG", "REWRITE"];
  const [reply] = await redis.pipeline([words]);
  if (!(reply instanceof RedisError)) return "";
  return `${words.join(" ")} at ${formatAddress(redis.address)}: ${reply.message}: a restart ` +
    "deletes the user";
}

function isDenied(reply: RedisValue): boolean {
  return reply instanceof RedisError && reply.code === "NOPERM";
}

function textsOf(reply: RedisValue): string[] {
  if (reply instanceof RedisError) throw reply;
  return (reply as RedisValue[]).map(replyText);
}

function isAtLeast(version: string, [major, minor]: readonly number[]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map(Number);
  return ownMajor > major! || (ownMajor === major && ownMinor >= minor!);
}
