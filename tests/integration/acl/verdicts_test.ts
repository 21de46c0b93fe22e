/**
 * Users' rules at the gate: for every way that a request takes, a user may do exactly what it may do at one
 * redis-server, and is told so in the same words.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { findByName } from "../../../src/command/command_table.ts";
import { latin1Bytes } from "../../../src/resp/latin1.ts";
import { someCommand, someRules } from "../../support/acl_cases.ts";
import { chance as chanceOf, FUZZ_SEED, fuzzParameters } from "../../support/fuzz.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { Reply, RespClient } from "../../support/resp_client.ts";
import { RouterServer } from "../../support/router_server.ts";

/** Commands in one case. */
const COMMANDS = 40;
/** What ends, blocks or changes a connection, or is not what ACL decides. */
const LEFT_OUT =
  /^(acl\||auth|hello|quit|reset|select|multi|exec|discard|watch|monitor|sync|psync|shutdown|debug|client\||(p|s)?(un)?subscribe|eval|fcall|script\||function\||config\||migrate|failover|replicaof|slaveof|swapdb|flush|bg|save|cluster|module|pf(debug|selftest)|wait|lolwut|latency|replconf)/;

function isTried(words: readonly string[]): boolean {
  const [name, second = ""] = words.map((word) => word.toLowerCase());
  const command = findByName(`${name}|${second}`) ?? findByName(name!);
  return command !== undefined && !LEFT_OUT.test(`${command.name}|`) &&
    !command.flags.includes("blocking") && !(command.isContainer && command.arity !== -1);
}

/** What the gate says; nothing for what is let through, however it ends. */
function denial({ raw }: Reply): string {
  const text = new TextDecoder().decode(raw);
  return /^-(NOPERM|ERR \w+ option of SORT denied due)/.test(text) ? text : "";
}

function commandsOf(chance: () => number, many: number): string[][] {
  const commands: string[][] = [];
  while (commands.length < many) {
    const words = someCommand(chance);
    if (isTried(words)) commands.push(words);
  }
  return commands;
}

/** Sends the same bytes to both, and compares what they answer. */
async function sameDenials(
  clients: readonly [RespClient, RespClient],
  requests: readonly (readonly string[])[],
): Promise<void> {
  const bytes = requests.map((words) => words.map(latin1Bytes));
  const [own, redis] = await Promise.all(clients.map((client) => client.pipeline(bytes)));
  for (const [i, words] of requests.entries()) {
    assertEquals(denial(own![i]!), denial(redis![i]!), JSON.stringify(words));
  }
}

Deno.test("random rules: each command is refused here exactly when redis-server refuses it", async () => {
  await using servers = await RedisServer.startMany(2);
  await using reference = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers });
  using ownAdmin = await proxy.client();
  using admin = await reference.client();
  const rule = async (...words: string[]) => {
    const bytes = words.map(latin1Bytes);
    const [here, there] = [await ownAdmin.call(...bytes), await admin.call(...bytes)];
    assertEquals(here, there, words.join(" "));
  };
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const chance = chanceOf(seed);
      await rule("ACL", "SETUSER", "tried", "on", "nopass");
      using own = await proxy.client();
      using there = await reference.client();
      await sameDenials([own, there], [["AUTH", "tried", "x"]]);
      for (let part = 0; part < 2; part++) {
        await rule("ACL", "SETUSER", "tried", "reset", "on", "nopass", ...beginnings[part]!);
        for (const words of someRules(chance)) await rule("ACL", "SETUSER", "tried", words);
        await sameDenials([own, there], commandsOf(chance, COMMANDS));
        // Between MULTI and EXEC the same is refused when it is queued.
        await rule("ACL", "SETUSER", "tried", "+multi", "+exec", "+discard");
        for (const words of commandsOf(chance, 10)) {
          await sameDenials([own, there], [["MULTI"], words, ["DISCARD"]]);
        }
      }
      await rule("ACL", "DELUSER", "tried");
    }),
    { ...fuzzParameters(15), endOnFailure: true, examples: [[FUZZ_SEED]] },
  );
});

const beginnings = [["+@all", "~a*", "%R~b*"], []];
