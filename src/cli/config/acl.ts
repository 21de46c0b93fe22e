/**
 * The commands `config acl …`: the users that Redis clients log in as, where `acl = store`.
 *
 * @module
 */

import { countOf } from "../../base/count_of.ts";
import { fileReason } from "../../base/file_fault.ts";
import { hashedRules } from "../../acl/stored_users.ts";
import { bytesOfText, textOfBytes } from "../../acl/users.ts";
import type { RedisUserAnswer, RedisUsersAnswer } from "../../api/answers.ts";
import { formatByteSize, parseByteSize } from "../../base/byte_size.ts";
import {
  READ_POLICIES,
  type ReadPolicy,
  USER_LIMIT_MAX,
  type UserLimits,
} from "../../model/redis_user.ts";
import { parseWhole, wordArgument } from "../parts/arguments.ts";
import { configCommand, type ConfigRow } from "../parts/config_command.ts";
import type { CommandContext } from "../parts/context.ts";
import { readNewPassword } from "../parts/password.ts";
import {
  type Argument,
  type CommandGroup,
  type Flag,
  type FlagValues,
  isGiven,
  readValue,
  UsageError,
} from "../parts/subcommand.ts";
import { formatFields, formatTable, maskControls } from "../parts/table.ts";

const NAME: Argument<string> = {
  name: "name",
  help: "a user that Redis clients log in as",
  parse: (text) => {
    if (text !== "" && !/\s/.test(text)) return text;
    throw new SyntaxError(`"${text}" is not the name of a user: it must have no spaces`);
  },
};

const RULES: Argument<string> = {
  name: "rules",
  help: 'rules of ACL SETUSER, such as: on "~users:*" +@read',
  isRest: true,
  parse: (text) => text,
};

const FILE: Argument<string> = {
  name: "file",
  help: "an ACL file of Redis, with lines user NAME rules…",
  isFile: true,
  parse: (text) => text,
};

const PASSWORD: Flag = {
  name: "password",
  value: "",
  default: "",
  help: "set its only password: ask for it, or read it from standard input",
};

const PASSWORD_FILE: Flag<string> = {
  name: "password-file",
  value: "file",
  default: "",
  isFile: true,
  help: "set its only password: the first line of this file",
  parse: (text) => text,
};

const REQUESTS = limitFlag("requests", "requests per second, as 1000/s", parseRate(false));
const BYTES = limitFlag(
  "bytes",
  "bytes per second of requests and replies, as 10mb/s",
  parseRate(true),
);
const CONNECTIONS = limitFlag(
  "connections",
  "connected clients",
  (text) => parseWhole(text, "a number of clients", 0, USER_LIMIT_MAX),
);

const POLICY: Argument<ReadPolicy> = { ...wordArgument("policy", READ_POLICIES), isOptional: true };

const ROWS: readonly ConfigRow[] = [
  {
    name: "list",
    summary: "Show the users that Redis clients log in as.",
    run: async (_values, context) => {
      const json = await (await context.client()).redisUsers();
      const users = json.users ?? [];
      const text = users.length === 0
        ? "there are no users in the store: proxies have the default user only"
        : formatTable(
          ["name", "logs in", "rules", "limits for each proxy", "reads from"],
          users.map((user) => [
            maskControls(user.name),
            loginOf(user),
            maskControls(user.rules),
            describeLimits(user.limits),
            user.read_from ?? "",
          ]),
        );
      return { json, text: [text, ...elsewhere(json)].join("\n") };
    },
  },
  {
    name: "show",
    summary: "Show one user.",
    arguments: [NAME],
    run: async (values, context) => {
      const json = await find(context, readValue(values, NAME));
      const text = formatFields([
        ["name", maskControls(json.name)],
        ["logs in", loginOf(json)],
        ["rules", maskControls(json.rules)],
        ["limits for each proxy", describeLimits(json.limits)],
        ["reads from", json.read_from ?? "as read_from of each proxy says"],
      ]);
      return { json, text };
    },
  },
  {
    name: "set",
    summary: "Make a user, or add rules to one, at all proxies.",
    details:
      "The rules are those of ACL SETUSER. They are added to what the user has: begin with reset to\n" +
      "replace everything. Put quotes around those with signs of the shell, such as ~ * & > #. A new user is off and may do nothing. Prefer --password to a\n" +
      "rule >password: other users of this machine can read the command line.\n" +
      "Proxies with acl = store use these users. When one of them has not confirmed, the error names it.",
    arguments: [NAME, RULES],
    flags: [PASSWORD, PASSWORD_FILE],
    run: async (values, context) => {
      const name = readValue(values, NAME);
      const words = readValue(values, RULES).split(/\s+/).filter((word) => word !== "");
      if (isGiven(values, PASSWORD) || isGiven(values, PASSWORD_FILE)) {
        const password = await readNewPassword(readValue(values, PASSWORD_FILE));
        if (password === "") throw new UsageError("the password is empty: nothing was changed");
        words.push("resetpass", `>${password}`);
      }
      const rules = hashedRules(words.map(bytesOfText)).map(textOfBytes);
      const json = await (await context.client()).setRedisUser(name, rules);
      return { json, text: `user ${name} is in force at all proxies` };
    },
  },
  {
    name: "delete",
    summary: "Delete a user at all proxies. Its clients are disconnected.",
    arguments: [NAME],
    run: async (values, context) => {
      const name = readValue(values, NAME);
      const json = await (await context.client()).deleteRedisUsers([name]);
      return { json, text: `user ${name} is deleted at all proxies` };
    },
  },
  {
    name: "import",
    summary: "Take users over from an ACL file of Redis.",
    details: "Users of the same names are replaced, others stay.",
    arguments: [FILE],
    run: async (values, context) => {
      const file = readValue(values, FILE);
      const json = await (await context.client()).importRedisUsers(await readFile(file), file);
      const names = json.names ?? [];
      return { json, text: `${countOf(names.length, "user")} in force: ${names.join(", ")}` };
    },
  },
  {
    name: "limit",
    summary: "Limit what all clients of a user may use at each proxy.",
    details:
      "Limits that are not given are removed; without flags, all are. Each proxy counts for itself, over\n" +
      "all its workers. Clients above requests or bytes are slowed down; when that does not help for 5 s,\n" +
      "requests get an error. Clients above connections get one when they log in.",
    arguments: [NAME],
    flags: [REQUESTS, BYTES, CONNECTIONS],
    run: async (values, context) => {
      const name = readValue(values, NAME);
      const limits: UserLimits = {
        requests_per_second: limitOf(values, REQUESTS),
        bytes_per_second: limitOf(values, BYTES),
        connections: limitOf(values, CONNECTIONS),
      };
      const json = await (await context.client()).limitRedisUser(name, limits);
      return { json, text: `limits of user ${name} at each proxy: ${describeLimits(limits)}` };
    },
  },
  {
    name: "read-from",
    summary: "Say where all clients of a user read from: masters, replicas, or the nearest.",
    details:
      "Without a policy, as each proxy's configuration says. Clients that send READONLY or READWRITE\n" +
      "decide for themselves.",
    arguments: [NAME, POLICY],
    run: async (values, context) => {
      const name = readValue(values, NAME);
      const policy = isGiven(values, POLICY) ? readValue(values, POLICY) : undefined;
      const json = await (await context.client()).setReadsOfRedisUser(name, policy);
      const reads = policy ?? "as read_from of each proxy says";
      return { json, text: `user ${name} reads at all proxies: ${reads}` };
    },
  },
];

/** See the header. */
export const aclCommands: CommandGroup = {
  name: "acl",
  summary: "Make, change and limit the users that Redis clients log in as.",
  flags: [],
  commands: ROWS.map(configCommand),
};

async function find(context: CommandContext, name: string): Promise<RedisUserAnswer> {
  const { users } = await (await context.client()).redisUsers();
  const user = users?.find((each) => each.name === name);
  if (user === undefined) throw new Error(`there is no user ${name} in the store`);
  return user;
}

function loginOf({ on, nopass, passwords }: RedisUserAnswer): string {
  if (!on) return "off";
  return nopass ? "without password" : countOf(passwords, "password");
}

function elsewhere({ other_proxies }: RedisUsersAnswer): string[] {
  if (other_proxies === null || other_proxies.length === 0) return [];
  const names = other_proxies.map(maskControls).join(", ");
  return [`not used by ${names}: acl = store is not set there`];
}

async function readFile(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new Error(`cannot read "${maskControls(file)}": ${fileReason(error)}`);
  }
}

// -- limits --------------------------------------------------------------------------------------

function limitFlag(name: string, help: string, parse: (text: string) => number): Flag<number> {
  return { name, value: "limit", default: "", help, parse };
}

function limitOf(values: FlagValues, flag: Flag<number>): number {
  return isGiven(values, flag) ? readValue(values, flag) : 0;
}

/** Reads `1000/s`, and with `isSize` also `10mb/s`. */
function parseRate(isSize: boolean): (text: string) => number {
  return (text) => {
    const number = text.replace(/\/s$/, "");
    const wanted = isSize
      ? "bytes per second, such as 10mb/s"
      : "requests per second, such as 1000/s";
    if (!isSize) return parseWhole(number, wanted, 0, USER_LIMIT_MAX);
    const bytes = parseByteSize(number);
    if (bytes <= USER_LIMIT_MAX) return bytes;
    throw new SyntaxError(`"${text}" is not ${wanted}: at most ${formatByteSize(USER_LIMIT_MAX)}`);
  };
}

function describeLimits(limits: UserLimits): string {
  const parts = [
    limits.requests_per_second > 0 ? `${limits.requests_per_second} requests/s` : "",
    limits.bytes_per_second > 0 ? `${formatByteSize(limits.bytes_per_second)}/s` : "",
    limits.connections > 0 ? countOf(limits.connections, "connection") : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "none" : parts.join(", ");
}
