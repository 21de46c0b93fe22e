/**
 * What the reply framer guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { REPLY_BULK_BYTES_MAX, ReplyFramer } from "../../../src/resp/reply_framer.ts";
import { latin1, textOf, waysToArrive } from "../../support/pieces.ts";
import { REPLIES } from "../../support/reply_cases.ts";

/** Cuts what arrives into replies; throws at a protocol error. */
function framesOf(pieces: Iterable<Uint8Array>): { replies: string[]; types: string[] } {
  const framer = new ReplyFramer();
  const replies: string[] = [];
  const types: string[] = [];
  let reply = "";
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const from = at;
      at = framer.feed(piece, at, piece.length);
      if (framer.error !== "") throw new Error(framer.error);
      reply += textOf(piece.subarray(from, at));
      if (!framer.isDone) {
        assertEquals(at, piece.length, "an unfinished reply uses up all bytes");
        continue;
      }
      replies.push(reply);
      types.push(String.fromCharCode(framer.type));
      framer.reset();
      reply = "";
    }
  }
  assertEquals(reply, "", "nothing is left over");
  return { replies, types };
}

/** The error a framer finds, at the latest when all bytes are there. */
function errorOf(bytes: string): string {
  const framer = new ReplyFramer();
  framer.feed(latin1(bytes), 0, bytes.length);
  return framer.error;
}

for (const [name, bytes] of REPLIES) {
  Deno.test(`ReplyFramer finds the end of ${name}, however the bytes arrive`, () => {
    for (const pieces of waysToArrive(latin1(bytes))) {
      assertEquals(framesOf(pieces), { replies: [bytes], types: [bytes[0]!] });
    }
  });
}

Deno.test("ReplyFramer finds each of many replies in a row, however the bytes arrive", () => {
  const texts = REPLIES.map(([, bytes]) => bytes);
  for (const pieces of waysToArrive(latin1(texts.join("")))) {
    assertEquals(framesOf(pieces).replies, texts);
  }
});

Deno.test("ReplyFramer finds the end of 100 000 arrays in each other, whole or byte by byte", () => {
  const depth = 100_000;
  const bytes = latin1(`${"*1\r\n".repeat(depth)}:1\r\n`);
  const framer = new ReplyFramer();
  assertEquals(framer.feed(bytes, 0, bytes.length), bytes.length);
  assert(framer.isDone);
  framer.reset();
  for (let at = 0; at < bytes.length; at++) {
    assert(!framer.isDone);
    framer.feed(bytes, at, at + 1);
  }
  assert(framer.isDone);
});

Deno.test("ReplyFramer keeps count of maps, sets and attributes nested in each other", () => {
  const depth = 10_000;
  const nested = `${"%1\r\n+k\r\n~1\r\n|1\r\n+a\r\n:0\r\n".repeat(depth)}_\r\n`;
  assertEquals(framesOf([latin1(nested + "+OK\r\n")]).replies, [nested, "+OK\r\n"]);
});

Deno.test("ReplyFramer tells the type of the whole reply, not of its last value", () => {
  const { types } = framesOf([latin1("*1\r\n-ERR x\r\n%1\r\n+a\r\n!1\r\nx\r\n-ERR y\r\n")]);
  assertEquals(types, ["*", "%", "-"]);
});

const MALFORMED: readonly (readonly [name: string, bytes: string, error: string])[] = [
  ["an unknown type", "xyz\r\n", "not Redis's protocol: a reply begins with byte 0x78"],
  [
    "a line end where a reply begins",
    "\r\n",
    "not Redis's protocol: a reply begins with byte 0x0d",
  ],
  [
    "an unknown type inside an array",
    "*2\r\n:1\r\n@\r\n",
    "not Redis's protocol: a reply begins with byte 0x40",
  ],
  ["a bulk that is longer than it says", "$3\r\nabcdef\r\n", "bulk is not followed by CR LF"],
  ["a length with a letter", "$1x\r\n", "unexpected byte 0x78 in a length"],
  ["a length with a second sign", "$--1\r\n", "unexpected byte 0x2d in a length"],
  ["a length with a plus sign", "*+1\r\n", "unexpected byte 0x2b in a length"],
  ["a length of nothing", "$\r\n", "unexpected byte 0x0a in a length"],
  ["a streamed string", "$?\r\n", "unexpected byte 0x3f in a length"],
  ["a length below -1", "$-2\r\n", "negative length -2"],
  ["an array length below -1", "*-7\r\n", "negative length -7"],
  ["a length of too many digits", "$1234567890123\r\n", "length is too long"],
  [
    "a bulk larger than any server has",
    `$${REPLY_BULK_BYTES_MAX + 1}\r\n`,
    `bulk of ${REPLY_BULK_BYTES_MAX + 1} bytes is too large`,
  ],
  ["an array of too many", "*4294967297\r\n", "aggregate of 4294967297 elements is too large"],
];

for (const [name, bytes, error] of MALFORMED) {
  Deno.test(`ReplyFramer refuses ${name} and says why, however the bytes arrive`, () => {
    assertEquals(errorOf(bytes), error);
    for (const pieces of waysToArrive(latin1(bytes))) {
      const framer = new ReplyFramer();
      for (const piece of pieces) {
        if (framer.error === "") framer.feed(piece, 0, piece.length);
      }
      assertEquals(framer.error, error);
      assert(!framer.isDone);
    }
  });
}

Deno.test("ReplyFramer holds nothing of a bulk: one of 4 GB is followed in pieces", () => {
  const framer = new ReplyFramer();
  const head = latin1(`$${REPLY_BULK_BYTES_MAX}\r\n`);
  framer.feed(head, 0, head.length);
  const piece = new Uint8Array(64 * 1024 * 1024);
  for (let left = REPLY_BULK_BYTES_MAX; left > 0; left -= piece.length) {
    assertEquals(framer.feed(piece, 0, piece.length), piece.length);
    assert(!framer.isDone);
  }
  assertEquals(framer.feed(latin1("\r\n+OK"), 0, 5), 2);
  assert(framer.isDone);
});
