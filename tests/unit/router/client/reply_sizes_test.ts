/**
 * What is learned of the sizes of replies.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { COMMANDS, findByName } from "../../../../src/command/command_table.ts";
import {
  LARGE_REPLY_BYTES,
  ReplySizes,
  requestKind,
} from "../../../../src/router/client/reply_sizes.ts";

const MB = 1024 * 1024;
const GET = findByName("get")!.id;

Deno.test("ReplySizes knows what a command's replies have mostly, and never counts it as large", () => {
  const sizes = new ReplySizes(COMMANDS.length);
  for (let i = 0; i < 40; i++) sizes.learn(requestKind(GET, i, 20), GET, 4000);
  assert(Math.abs(sizes.typical(GET) - 4000) < 100);
  assertEquals(sizes.largeReply(requestKind(GET, 39, 20)), 0);
  for (let i = 0; i < 400; i++) sizes.learn(requestKind(GET, i, 20), GET, 16 * MB);
  assertLess(sizes.typical(GET), LARGE_REPLY_BYTES);
});

Deno.test("ReplySizes remembers a large reply, and millions of small ones do not push it out", () => {
  const sizes = new ReplySizes(COMMANDS.length);
  const large = requestKind(GET, 12345, 20);
  sizes.learn(large, GET, 2 * MB);
  for (let i = 0; i < 100_000; i++) sizes.learn(requestKind(GET, i * 7919, 21), GET, 64);
  assertEquals(sizes.largeReply(large), 2 * MB);
  assertEquals(sizes.largeReply(requestKind(GET, 54321, 20)), 0);
});

Deno.test("ReplySizes forgets a large reply when small ones have taken its place", () => {
  const sizes = new ReplySizes(COMMANDS.length);
  const kind = requestKind(GET, 12345, 20);
  sizes.learn(kind, GET, 2 * MB);
  for (let i = 0; i < 60; i++) sizes.learn(kind, GET, 64);
  assertEquals(sizes.largeReply(kind), 0);
});

Deno.test("requestKind() tells requests of another length, key or command apart", () => {
  const kinds = [
    requestKind(GET, 1, 20),
    requestKind(GET, 1, 21),
    requestKind(GET, 3, 20),
    requestKind(GET + 1, 1, 20),
  ];
  assertEquals(new Set(kinds).size, kinds.length);
});
