/**
 * Compares verdicts on users' rules with a redis-server's, a million of them or more.
 *
 *     deno task fuzz:acl [--rounds=500] [--seed=N]
 *
 * A round gives 20 users random rules, compares what ACL SETUSER and ACL GETUSER answer, and then what ACL
 * DRYRUN answers for 100 random commands of each user: 2 000 verdicts. It ends at the first difference, with
 * exit code 1, and says how to see it again.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { Users } from "../../src/acl/users.ts";
import { latin1, latin1Bytes } from "../../src/resp/latin1.ts";
import type { Client } from "../../src/router/client/client.ts";
import { ACL_COMMANDS } from "../../src/router/local/acl.ts";
import { findByName } from "../../src/command/command_table.ts";
import { errorReply } from "../../src/resp/encoder.ts";
import { someCommand, someRules } from "../support/acl_cases.ts";
import { argumentsOf } from "../support/arguments.ts";
import { chance as chanceOf } from "../support/fuzz.ts";

import { RedisServer } from "../support/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";

const USERS = 20;
const COMMANDS_EACH = 100;

const flags = parseArgs(Deno.args, {
  default: { rounds: 500, seed: Math.floor(Math.random() * 2 ** 31) },
});
const rounds = Number(flags.rounds);
let seed = Number(flags.seed);

await using redis = await RedisServer.start();
using client = await RespClient.connect(redis.port);

const users = new Users([""]);
const fake = {
  protocol: 2,
  shared: { users, learned: { find: () => undefined } },
} as unknown as Client;
const counts = { rules: 0, verdicts: 0, allowed: 0, ms: 0 };

/** What we answer to an ACL command. */
function answer(words: readonly string[]): string {
  const args = argumentsOf(...words.map(latin1Bytes));
  const command = findByName(`acl|${words[1]}`)!;
  return latin1(ACL_COMMANDS[command.name]!({ client: fake, command, args })!);
}

function setUser(words: readonly string[]): string {
  const error = users.set(words[2]!, words.slice(3));
  return error === "" ? "+OK\r\n" : latin1(errorReply(`ERR ${error}`));
}

/** Single commands come in any order, as the server's table has them. */
function ordered(reply: string): string {
  return reply.split("\r\n").map((line) => line.split(" ").sort().join(" ")).join("\n");
}

async function compare(
  requests: readonly (readonly string[])[],
  ours: (words: readonly string[]) => string,
  form: (reply: string) => string = (reply) => reply,
): Promise<string[]> {
  const replies = await client.pipeline(requests.map((words) => words.map(latin1Bytes)));
  const own = requests.map(ours);
  for (const [i, words] of requests.entries()) {
    const theirs = latin1(replies[i]!.raw);
    if (form(theirs) === form(own[i]!)) continue;
    console.error(`difference in the round of --seed=${seed}: ${JSON.stringify(words)}`);
    console.error(
      `redis-server: ${JSON.stringify(theirs)}\nhere:         ${JSON.stringify(own[i])}`,
    );
    console.error(users.get(words[2]!)?.line());
    Deno.exit(1);
  }
  return own;
}

async function round(): Promise<void> {
  const chance = chanceOf(seed);
  const names = Array.from({ length: USERS }, (_, i) => `user${i}`);
  for (let part = 0; part < 3; part++) {
    const changes = names.map((name) => ["ACL", "SETUSER", name, ...someRules(chance)]);
    await compare(changes, setUser);
    counts.rules += changes.reduce((sum, words) => sum + words.length - 3, 0);
  }
  await compare(names.map((name) => ["ACL", "getuser", name]), answer, ordered);
  const trials = names.flatMap((name) =>
    Array.from({ length: COMMANDS_EACH }, () => ["ACL", "dryrun", name, ...someCommand(chance)])
  );
  const started = performance.now();
  const verdicts = await compare(trials, answer);
  counts.ms += performance.now() - started;
  counts.verdicts += verdicts.length;
  counts.allowed += verdicts.filter((reply) => reply === "+OK\r\n").length;
  // The next round starts from new users.
  await client.call("ACL", "DELUSER", ...names);
  for (const name of names) users.delete(name);
}

for (let i = 0; i < rounds; i++, seed++) await round();
console.log(
  `${rounds} rounds up to --seed=${
    seed - 1
  }: ${counts.rules} words of rules, ${counts.verdicts} verdicts ` +
    `(${
      Math.round(100 * counts.allowed / counts.verdicts)
    } % allowed), no difference to redis-server`,
);
