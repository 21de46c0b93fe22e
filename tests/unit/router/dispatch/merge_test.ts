/**
 * Replies of many servers become one reply.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { MergeRule } from "../../../../src/command/command.ts";
import type { Protocol } from "../../../../src/resp/encoder.ts";
import { PartReply } from "../../../../src/router/dispatch/gather.ts";
import { firstError, mergeInOrder, MERGES } from "../../../../src/router/dispatch/merge.ts";
import { probeKey } from "../../../../src/resp/probe_key.ts";
import { latin1, textOf } from "../../../support/pieces.ts";

/** A reply in memory that has those of others before and behind it. */
function partOf(text: string, isError: boolean, isFailure: boolean): PartReply {
  const others = "*1\r\n$1\r\nz\r\n";
  const start = others.length;
  const held = latin1(others + text + others);
  return new PartReply(held, isError, isFailure, start, start + text.length);
}

/** A server's reply. */
function reply(text: string): PartReply {
  return partOf(text, /^[-!]/.test(text), false);
}

/** An error that the proxy put in the place of a reply. */
function failure(text: string): PartReply {
  return partOf(text, true, true);
}

function merge(name: MergeRule, replies: readonly PartReply[], protocol: Protocol = 2): string {
  return textOf(MERGES[name]!(replies, protocol));
}

const BAD = "-ERR handle response, unexpected reply from a server: ";

/** A key of our own, as a server tells it. */
const TRIAL = `$55\r\n${textOf(probeKey())}\r\n`;

/** Merges of good replies; texts stand for whole replies. */
const CASES: readonly (readonly [
  name: MergeRule,
  promise: string,
  replies: readonly string[],
  merged: string,
])[] = [
  ["all_succeeded", "gives the first of equal replies", ["+OK\r\n", "+OK\r\n"], "+OK\r\n"],
  [
    ...["all_succeeded", "counts no server that has no library to delete"] as const,
    ...[["-ERR Library not found\r\n", "+OK\r\n"], "+OK\r\n"] as const,
  ],
  [
    ...["all_succeeded", "says that no server has the library"] as const,
    ...[
      ["-ERR Library not found\r\n", "-ERR Library not found\r\n"],
      "-ERR Library not found\r\n",
    ] as const,
  ],
  ["agg_sum", "adds integers", [":1\r\n", ":20\r\n", ":0\r\n"], ":21\r\n"],
  ["agg_sum", "gives one integer as it is", [":5\r\n"], ":5\r\n"],
  [
    "agg_sum",
    "adds integers beyond 2^53 exactly",
    [":9007199254740993\r\n", ":9007199254740992\r\n"],
    ":18014398509481985\r\n",
  ],
  ["agg_max", "gives the largest integer", [":1\r\n", ":20\r\n", ":3\r\n"], ":20\r\n"],
  [
    "union",
    "names once what several servers name",
    ["*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*0\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"],
    "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
  ],
  ["union", "refuses what is no array", ["*0\r\n", ":1\r\n"], `${BAD}:1..\r\n`],
  [
    "pairs_max",
    "gives the largest integer for each name",
    ["*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:7\r\n", "*4\r\n$1\r\na\r\n:2\r\n$1\r\nb\r\n:0\r\n"],
    "*4\r\n$1\r\na\r\n:2\r\n$1\r\nb\r\n:7\r\n",
  ],
  ["pairs_max", "gives nothing for no name", ["*0\r\n", "*0\r\n"], "*0\r\n"],
  ["agg_sum", "refuses what is no integer", [":1\r\n", "+OK\r\n"], `${BAD}+OK..\r\n`],
  [
    "agg_logical_and",
    "gives 1 only where every server said 1",
    ["*3\r\n:1\r\n:1\r\n:0\r\n", "*3\r\n:1\r\n:0\r\n:0\r\n"],
    "*3\r\n:1\r\n:0\r\n:0\r\n",
  ],
  [
    "concat",
    "joins arrays in the order of the servers",
    ["*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*0\r\n", "*1\r\n$1\r\nc\r\n"],
    "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
  ],
  ["concat", "joins nothing to nothing", ["*0\r\n", "*0\r\n"], "*0\r\n"],
  ["concat", "refuses what is no array", ["*0\r\n", ":1\r\n"], `${BAD}:1..\r\n`],
  [
    "concat",
    "leaves out keys of our own",
    [`*2\r\n$1\r\na\r\n${TRIAL}`, "*0\r\n"],
    "*1\r\n$1\r\na\r\n",
  ],
  ["concat", "keeps keys with NULs", ["*1\r\n$2\r\n\0c\r\n"], "*1\r\n$2\r\n\0c\r\n"],
  ["random_key", "gives no key of our own", [TRIAL, "$1\r\nk\r\n"], "$1\r\nk\r\n"],
  ["random_key", "gives the only key there is", ["$-1\r\n", "$1\r\nk\r\n"], "$1\r\nk\r\n"],
  ["random_key", "knows RESP3's null", ["_\r\n", "$1\r\nk\r\n"], "$1\r\nk\r\n"],
];

for (const [name, promise, replies, merged] of CASES) {
  Deno.test(`merge ${name} ${promise}`, () => {
    assertEquals(merge(name, replies.map(reply)), merged);
  });
}

Deno.test("every merge answers with a server's error when there is one", () => {
  const error = "-OOM command not allowed\r\n";
  for (const name of ["all_succeeded", "agg_sum", "agg_logical_and", "concat"] as const) {
    const good = name === "agg_sum" ? ":1\r\n" : name === "all_succeeded" ? "+OK\r\n" : "*0\r\n";
    assertEquals(merge(name, [reply(good), reply(error), reply(good)]), error);
  }
});

Deno.test("a server's own error comes before one of the proxy's, wherever it stands", () => {
  const lost = failure("-ERR handle response, backend conn failure\r\n");
  const own = reply("-OOM command not allowed\r\n");
  assertEquals(textOf(firstError([lost, own])!), "-OOM command not allowed\r\n");
  assertEquals(textOf(firstError([lost])!), "-ERR handle response, backend conn failure\r\n");
  assertEquals(firstError([reply(":1\r\n")]), undefined);
});

Deno.test("merge random_key needs one server that answers, and answers null for no keys", () => {
  assertEquals(
    merge("random_key", [reply("-LOADING\r\n"), reply("$1\r\nk\r\n")]),
    "$1\r\nk\r\n",
  );
  assertEquals(merge("random_key", [reply("$-1\r\n"), reply("$-1\r\n")]), "$-1\r\n");
  assertEquals(merge("random_key", [reply("_\r\n")], 3), "_\r\n");
  assertEquals(merge("random_key", [reply("-LOADING\r\n"), reply("$-1\r\n")]), "-LOADING\r\n");
});

Deno.test("merge random_key gives every server's key in its turn", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 500 && seen.size < 3; i++) {
    seen.add(merge("random_key", ["a", "b", "c"].map((k) => reply(`$1\r\n${k}\r\n`))));
  }
  assertEquals(seen.size, 3);
});

Deno.test("an unexpected reply is quoted in one printable line, cut short", () => {
  const text = merge("agg_sum", [reply(`$40\r\n\x01\r\n\x02${"x".repeat(36)}\r\n`)]);
  assert(text.startsWith(BAD));
  assert(/^-[ -~]+\r\n$/.test(text), text);
  assert(text.length < 120);
});

/** Replies to the parts of a command of many keys; `owners` says whom each key was sent to. */
const IN_ORDER: readonly (readonly [
  promise: string,
  owners: readonly number[],
  replies: readonly string[],
  merged: string,
])[] = [
  [
    "each key gets the answer of whom it was sent to",
    [0, 1, 1, 0, 1],
    ["*2\r\n$1\r\na\r\n$2\r\nbb\r\n", "*3\r\n$1\r\nx\r\n$0\r\n\r\n$-1\r\n"],
    "*5\r\n$1\r\na\r\n$1\r\nx\r\n$0\r\n\r\n$2\r\nbb\r\n$-1\r\n",
  ],
  [
    "values of any type and length go through",
    [1, 0, 1, 0],
    [`*2\r\n$100\r\n${"v".repeat(100)}\r\n_\r\n`, "*2\r\n:-7\r\n%1\r\n+k\r\n*1\r\n#t\r\n"],
    `*4\r\n:-7\r\n$100\r\n${"v".repeat(100)}\r\n%1\r\n+k\r\n*1\r\n#t\r\n_\r\n`,
  ],
  ["what nobody asked for is left out", [0], ["*2\r\n$1\r\na\r\n$1\r\nb\r\n"], "*1\r\n$1\r\na\r\n"],
  ["a missing answer is an error", [0, 1, 0], ["*1\r\n$1\r\na\r\n", "*0\r\n"], `${BAD}*0..\r\n`],
  ["half an answer is an error", [0], ["*1\r\n$5\r\na\r\n"], `${BAD}*1..$5..a..\r\n`],
  ["no array is an error", [0, 1], ["*1\r\n$1\r\na\r\n", "$1\r\nx\r\n"], `${BAD}$1..x..\r\n`],
  ["a null array is an error", [0], ["*-1\r\n"], `${BAD}*-1..\r\n`],
  [
    "a server's error is the answer",
    [0, 1],
    ["*1\r\n$1\r\na\r\n", "-NOAUTH x\r\n"],
    "-NOAUTH x\r\n",
  ],
];

for (const [promise, owners, replies, merged] of IN_ORDER) {
  Deno.test(`answers to many keys, put in their order: ${promise}`, () => {
    const found = mergeInOrder(replies.map(reply), Uint16Array.from(owners), owners.length);
    assertEquals(textOf(found), merged);
  });
}

Deno.test("more than a thousand answers are put in order", () => {
  const owners = Uint16Array.from({ length: 3000 }, (_, i) => i % 3);
  const part = (id: number) =>
    reply(`*1000\r\n${Array.from({ length: 1000 }, (_, i) => `:${3 * i + id}\r\n`).join("")}`);
  assertEquals(
    textOf(mergeInOrder([0, 1, 2].map(part), owners, owners.length)),
    `*3000\r\n${Array.from({ length: 3000 }, (_, i) => `:${i}\r\n`).join("")}`,
  );
});
