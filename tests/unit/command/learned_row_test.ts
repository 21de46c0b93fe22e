/**
 * What is decided of commands that only the servers know.
 *
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { CommandReplyError, readCommandReply } from "../../../src/command/command_reply.ts";
import { buildCommand, type TableRow } from "../../../src/command/command_row.ts";
import { BAD_ARGUMENTS, KeyIndexes, keyIndexes } from "../../../src/command/key.ts";
import { findByName } from "../../../src/command/command_table.ts";
import {
  type AllowedWay,
  handleLearned,
  printAllowedWay,
  readAllowedWay,
} from "../../../src/command/learned_row.ts";
import { utf8 } from "../../../src/resp/encoder.ts";
import { argumentsOfLine } from "../../support/arguments.ts";
import {
  type CommandFields,
  encodeValue,
  type MadeUp,
  madeUp,
  recordedCommands,
} from "../../support/knowing_server.ts";

function rowsOf(commands: readonly CommandFields[]): Map<string, TableRow> {
  return readCommandReply(utf8(encodeValue(commands)));
}

/** What is done with a made-up command: `forward`, `split concat`, or the reason of its refusal. */
function decided(change: MadeUp, way?: AllowedWay, name = "my.cmd"): string {
  const { own } = handleLearned(rowsOf([madeUp(name, change)]).get(name)!, way);
  const how = own.isBlocking ? "block" : own.handling;
  return own.reason || `${how} ${own.merge}`.trim();
}

Deno.test("of Redis before 7, first key, last key and step say where keys are", () => {
  const rows = rowsOf(recordedCommands("redis-4.0.14"));
  const [, , , first, last, step, , , specs] = rows.get("mset")!;
  assertEquals([first, last, step], [1, -1, 2]);
  assertEquals(specs, [{
    flags: [],
    begin_search: { type: "index", spec: { index: 1 } },
    find_keys: { type: "range", spec: { lastkey: -1, keystep: 2, limit: 0 } },
  }]);
  assertEquals(rows.get("rpoplpush")![8][0]!.find_keys.spec, { lastkey: 1, keystep: 1, limit: 0 });
  assertEquals(rows.get("ping")![8], []);
});

Deno.test("what real servers say of the commands that the table has is where the table has their keys", () => {
  for (const server of ["redis-4.0.14", "redis-6.2.14", "redis-7.4.1", "valkey-8.0.1"]) {
    for (const [name, row] of rowsOf(recordedCommands(server))) {
      const known = findByName(name);
      if (known === undefined || row[2].includes("movablekeys")) continue;
      if (known.keyPlaces !== "static" || known.handling === "refuse") continue;
      if (name === "touch" && server === "redis-4.0.14") continue; // it names its first key only
      assertEquals([row[3], row[4], row[5]], known.reportedKeys, `${name} of ${server}`);
    }
  }
});

Deno.test("Redis 7.4's commands of hash fields are forwarded by their key; WAITAOF is ours, nothing else of it is sent", () => {
  const done: Record<string, string> = {};
  for (const [name, row] of rowsOf(recordedCommands("redis-7.4.1"))) {
    if (findByName(name) === undefined) done[name] = handleLearned(row, undefined).own.handling;
  }
  const names =
    "hexpire hexpireat hexpiretime hpersist hpexpire hpexpireat hpexpiretime hpttl httl";
  assertEquals(done, {
    ...Object.fromEntries(names.split(" ").map((name) => [name, "forward"])),
    "waitaof": "local",
  });
});

Deno.test("keys are found by specifications; what does not say enough is refused", () => {
  assertEquals(decided({}), "forward");
  assertEquals(decided({ keys: [1, -1, 1] }), "forward");
  const counted = {
    flags: ["RO"],
    begin_search: { type: "index", spec: { index: 2 } },
    find_keys: { type: "keynum", spec: { keynumidx: 0, firstkey: 1, keystep: 1 } },
  };
  const movable = ["readonly", "movablekeys"];
  assertEquals(decided({ keys: [0, 0, 0], flags: movable, specs: [counted] }), "forward");
  const unknown = {
    flags: ["RO"],
    begin_search: { type: "unknown", spec: {} },
    find_keys: { type: "unknown", spec: {} },
  };
  const where = /its servers do not say where all its keys are/;
  assertMatch(decided({ specs: [unknown] }), where);
  assertMatch(decided({ specs: [{ ...counted, flags: ["RO", "incomplete"] }] }), where);
  // A module that finds them itself; and Redis 6, which says no more than that they are somewhere.
  assertMatch(decided({ flags: [...movable, "module"] }), where);
  assertMatch(decided({ keys: [0, 0, 0], flags: movable }), where);
  // Where the subcommand is.
  assertMatch(decided({}, undefined, "my.cmd|get"), where);
  assertEquals(decided({ keys: [2, 2, 1] }, undefined, "my.cmd|get"), "forward");
  const channel = { ...counted, flags: ["not_key"] };
  assertMatch(decided({ keys: [0, 0, 0], specs: [channel] }), /it names no keys/);
});

Deno.test("tips decide what is split or asked of every master, and how replies are merged", () => {
  const tips = (...words: string[]) =>
    words.map((word, i) => `${["request", "response"][i]}_policy:${word}`);
  const many: MadeUp = { keys: [1, -1, 1] };
  assertEquals(decided({ ...many, tips: tips("multi_shard") }), "split concat");
  assertEquals(decided({ ...many, tips: tips("multi_shard", "agg_sum") }), "split agg_sum");
  assertEquals(decided({ ...many, tips: tips("multi_shard", "special") }), "forward");
  // Not a plain list of keys.
  assertEquals(decided({ keys: [2, -1, 1], tips: tips("multi_shard") }), "forward");
  const none: MadeUp = { keys: [0, 0, 0] };
  for (const merge of ["one_succeeded", "all_succeeded", "agg_min", "agg_logical_or"]) {
    assertEquals(decided({ ...none, tips: tips("all_shards", merge) }), `fanout ${merge}`);
    assertEquals(decided({ ...none, tips: tips("all_nodes", merge) }), `fanout ${merge}`);
  }
  assertEquals(decided({ ...none, tips: tips("all_shards") }), "fanout concat");
  assertMatch(decided({ ...none, tips: tips("all_shards", "special") }), /cannot be made one/);
  assertMatch(decided({ ...none, tips: tips("special") }), /nor which servers it is for/);
});

Deno.test("an operator may allow what is refused for caution, but nothing that concerns a connection", () => {
  const none: MadeUp = { keys: [0, 0, 0] };
  assertEquals(decided(none, "any"), "forward");
  assertEquals(decided(none, "all"), "fanout all_succeeded");
  assertEquals(decided({ ...none, tips: ["response_policy:agg_sum"] }, "all"), "fanout agg_sum");
  assertEquals(decided({ ...none, flags: ["admin"] }, "all"), "fanout all_succeeded");
  const first = { key: 1, blocks: false };
  assertEquals(decided({ flags: ["noscript"] }, first), "forward");
  assertEquals(decided({}, first, "ft.search"), "forward");
  // A module's command that blocks and does not say so.
  assertEquals(decided({}, { key: 1, blocks: true }), "block");
  assertEquals(decided({ flags: ["blocking"] }, first), "block");
  assertEquals(decided({ flags: ["blocking"] }), "block");
  assertMatch(
    decided({}, undefined, "ft.search"),
    /an index knows only the keys of its own server/,
  );
  assertMatch(decided({ flags: ["blocking"] }, "any"), /hold up the connection/);
  assertMatch(decided({ ...none, flags: ["blocking"] }), /hold up the connection/);
  assertMatch(decided({ categories: ["@connection"] }, "any"), /state of a connection/);
  assertMatch(decided({ ...none, flags: ["pubsub"] }, "any"), /messages need/);
  const { row } = handleLearned(rowsOf([madeUp("my.cmd", { arity: -1 })]).get("my.cmd")!, {
    key: 3,
    blocks: false,
  });
  assertEquals(row.slice(1, 6), [-4, "readonly", 3, 3, 1]);
});

Deno.test("keys that a number announces, each with a value, are found as Redis 8.4's MSETEX has them", () => {
  const counted = {
    flags: ["OW", "update"],
    begin_search: { type: "index", spec: { index: 1 } },
    find_keys: { type: "keynum", spec: { keynumidx: 0, firstkey: 1, keystep: 2 } },
  };
  const fields = madeUp("msetex", {
    arity: -4,
    flags: ["write", "denyoom", "movablekeys"],
    keys: [0, 0, 0],
    specs: [counted],
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  });
  const { row, own } = handleLearned(rowsOf([fields]).get("msetex")!, undefined);
  assertEquals(own.handling, "forward"); // it cannot be split as MSET can
  const command = buildCommand({ id: 0, origin: "learned", row, subcommands: [] }, own);
  const found = new KeyIndexes();
  assertEquals(keyIndexes(command, argumentsOfLine("MSETEX 2 a 1 b 2 NX EX 5"), found), 2);
  assertEquals([...found.values.subarray(0, 2)], [2, 4]);
  assertEquals(keyIndexes(command, argumentsOfLine("MSETEX 9 a 1"), found), BAD_ARGUMENTS);
});

Deno.test("of well-known modules, all keys are found where a command names more than it says", () => {
  const keysOf = (line: string): string[] => {
    const name = line.split(" ")[0]!.toLowerCase();
    const { row, own } = handleLearned(rowsOf([madeUp(name, { arity: -1 })]).get(name)!, undefined);
    const command = buildCommand({ id: 0, origin: "learned", row, subcommands: [] }, own);
    const args = argumentsOfLine(line);
    const found = new KeyIndexes();
    const count = keyIndexes(command, args, found);
    return [...found.values.subarray(0, count)].map((i) => line.split(" ")[i]!);
  };
  assertEquals(keysOf("JSON.MGET a b c $.x"), ["a", "b", "c"]);
  assertEquals(keysOf("JSON.MSET a $ 1 b $ 2"), ["a", "b"]);
  assertEquals(keysOf("CMS.MERGE to 2 a b WEIGHTS 1 2"), ["to", "a", "b"]);
  assertEquals(keysOf("TDIGEST.MERGE to 1 a COMPRESSION 100"), ["to", "a"]);
  assertEquals(keysOf("JSON.SET a $ 1"), ["a"]);
});

Deno.test("ways are written as they are read", () => {
  for (const way of ["any", "all", "key=1", "key=12", "block=1"]) {
    assertEquals(printAllowedWay(readAllowedWay(way)!), way);
  }
  for (const text of ["", "key=0", "key=-1", "key=", "key=x", "each"]) {
    assertEquals(readAllowedWay(text), null, text);
  }
});

Deno.test("what is not a reply to COMMAND is not taken for one", () => {
  const replies = [
    "-NOPERM no\r\n",
    "*1\r\n",
    "+OK\r\n",
    "*1\r\n*1\r\n$3\r\nget\r\n",
    "",
    "*2\r\n:1",
  ];
  for (const text of replies) {
    assertThrows(() => readCommandReply(utf8(text)), CommandReplyError);
  }
  assertThrows(() => readCommandReply(utf8("*1\r\n".repeat(1_000_000))), CommandReplyError);
});
