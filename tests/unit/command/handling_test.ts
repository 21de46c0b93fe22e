/**
 * What the table guarantees that says what the proxy does with each command.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { COMMANDS, findByName } from "../../../src/command/command_table.ts";
import { buildHandling } from "../../../src/command/handling.ts";

const HANDLING = buildHandling();

Deno.test("every row of the handling table names a command that exists", () => {
  for (const name of HANDLING.keys()) assert(findByName(name), `no command "${name}"`);
});

Deno.test("every command without keys has been considered, none is refused by default", () => {
  for (const { name, keyPlaces, isContainer } of COMMANDS) {
    if (keyPlaces !== "none" || isContainer) continue;
    assert(HANDLING.has(name), `command "${name}" has no keys and no row`);
  }
});

Deno.test("every command that may block, administers or changes a connection has been considered", () => {
  for (const { name, flags } of COMMANDS) {
    const needsRow = ["blocking", "pubsub", "admin"].some((flag) => flags.includes(flag));
    if (needsRow) assert(HANDLING.has(name), `command "${name}" [${flags}] has no row`);
  }
});

Deno.test("every refusal tells the command and why", () => {
  for (const { name, handling, refusal, isContainer } of COMMANDS) {
    const refuses = handling === "refuse";
    assertEquals(refusal !== "", refuses, `refusal of "${name}"`);
    if (!refuses) continue;
    const [start, reason] = refusal.split(" is not allowed: ");
    assertEquals(start, `ERR handle request, command '${name.toUpperCase().replace("|", " ")}'`);
    assert(reason !== undefined && reason.length > 10 && !/[\r\n]/.test(reason));
    if (!isContainer) assert(reason !== "a subcommand is needed", `"${name}" has no reason`);
  }
});

Deno.test("replies are merged by Redis's own response policy where it has one", () => {
  for (const { name, tips, merge, handling } of COMMANDS) {
    if (handling !== "split" && handling !== "fanout") {
      const isKeyScan = ["hscan", "sscan", "zscan"].includes(name);
      assertEquals(merge, isKeyScan ? "key_scan" : "", `merge of "${name}"`);
      continue;
    }
    const policy = tips.find((tip) => tip.startsWith("response_policy:"))?.slice(16);
    if (policy !== undefined) assertEquals(merge, policy, name);
    assert(merge !== "", `merge of "${name}"`);
  }
});

Deno.test("commands that Redis calls multi_shard are split, but for MSETNX, which is all or nothing", () => {
  const multi = COMMANDS.filter((row) => row.tips.includes("request_policy:multi_shard"));
  assertEquals(
    multi.filter((row) => row.handling !== "split").map((row) => row.name),
    ["msetnx"],
  );
  const split = COMMANDS.filter((row) => row.handling === "split").map((row) => row.name);
  assertEquals(split, ["del", "exists", "mget", "mset", "touch", "unlink"]);
});

Deno.test("what deletes everything is marked destructive", () => {
  const names = COMMANDS.filter((row) => row.isDestructive).map((row) => row.name);
  assertEquals(names, [
    "flushall",
    "flushdb",
    "function|delete",
    "function|flush",
    "function|restore",
    "script|flush",
  ]);
});
