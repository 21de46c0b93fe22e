/**
 * What the request parser guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  BULK_BYTES_MAX,
  ELEMENTS_MAX,
  ELEMENTS_MAX_BEFORE_7,
  INLINE_BYTES_MAX,
  RequestParser,
} from "../../../src/resp/request_parser.ts";
import { parsePieces } from "../../support/parsed.ts";
import { latin1, waysToArrive } from "../../support/pieces.ts";
import { REQUEST_CASES } from "../../support/request_cases.ts";

for (const { name, bytes, requests, error, isBeforeAuth } of REQUEST_CASES) {
  Deno.test(`RequestParser finds the same in ${name}, however the bytes arrive`, () => {
    for (const pieces of waysToArrive(latin1(bytes))) {
      const parsed = parsePieces(pieces, isBeforeAuth !== true);
      assertEquals(parsed.requests, requests);
      assertEquals(parsed.error, error === undefined ? "" : `ERR Protocol error: ${error}`);
      if (error === undefined) assert(!parsed.isInRequest, "nothing is left over");
    }
  });
}

Deno.test("RequestParser hands on exactly the client's bytes, and inline commands as arrays", () => {
  const array = "*2\r\n$4\r\nECHO\r\n$1\r\na\r\n";
  const { forwarded } = parsePieces([latin1(`*0\r\n${array}ECHO  'a'\r\n${array}`)]);
  assertEquals(forwarded, [array, array, array]);
});

Deno.test("RequestParser looks at each byte once, in however many reads a bulk arrives", () => {
  const parser = new RequestParser();
  const head = latin1("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n");
  assertEquals(parser.parse(head, 0, head.length), "more");
  // What was understood may be overwritten: only the length of what came is looked at from now on.
  const buffer = new Uint8Array(1_000_000);
  for (let end = head.length; end < buffer.length; end += 1000) {
    assertEquals(parser.parse(buffer, 0, end), "more");
  }
  assertEquals(parser.parsedBytes, head.length);
  assertEquals(parser.count, 2);
});

Deno.test("RequestParser accepts the largest bulk and the most arguments, and not one more", () => {
  const outcomeOf = (text: string) => {
    const bytes = latin1(text);
    return new RequestParser().parse(bytes, 0, bytes.length);
  };
  assertEquals(outcomeOf(`*1\r\n$${BULK_BYTES_MAX}\r\n`), "more");
  assertEquals(outcomeOf(`*1\r\n$${BULK_BYTES_MAX + 1}\r\n`), "error");
  assertEquals(outcomeOf(`*${ELEMENTS_MAX}\r\n`), "more");
  assertEquals(outcomeOf(`*${ELEMENTS_MAX + 1}\r\n`), "error");
  assertEquals(outcomeOf("y".repeat(INLINE_BYTES_MAX)), "more");
  assertEquals(outcomeOf("y".repeat(INLINE_BYTES_MAX + 1)), "error");
  for (const end of ["\n", "\r\n"]) {
    assertEquals(outcomeOf("y".repeat(INLINE_BYTES_MAX) + end), "request");
    assertEquals(outcomeOf("y".repeat(INLINE_BYTES_MAX + 1) + end), "error");
  }
});

Deno.test("RequestParser tells how large a request is at least, as soon as its lengths are known", () => {
  const leastOf = (text: string) => {
    const parser = new RequestParser();
    const bytes = latin1(text);
    assertEquals(parser.parse(bytes, 0, bytes.length), "more", text);
    return parser.leastBytes;
  };
  assertEquals(leastOf("*3\r\n"), 4 + 3 * 6);
  assertEquals(leastOf("*3\r\n$3\r\nSET\r\n"), 4 + 9 + 2 * 6);
  assertEquals(leastOf("*3\r\n$3\r\nSET\r\n$100\r\n"), 4 + 9 + 6 + 102 + 6);
  assertEquals(leastOf("*3\r\n$3\r\nSET\r\n$100\r\nabc"), 4 + 9 + 6 + 102 + 6);
  assertEquals(leastOf(""), 0);
});

Deno.test("RequestParser finds a request of 1 048 577 arguments", () => {
  const count = ELEMENTS_MAX_BEFORE_7 + 1;
  const bytes = new Uint8Array(10 + count * 7).fill(0);
  bytes.set(latin1(`*${count}\r\n`));
  const one = latin1("$1\r\nw\r\n");
  for (let at = 10; at < bytes.length; at += 7) bytes.set(one, at);
  const parser = new RequestParser();
  assertEquals(parser.parse(bytes, 0, bytes.length), "request");
  assertEquals(parser.count, count);
  assertEquals(parser.end(count - 1), bytes.length - 2);
  assertEquals(parser.requestEnd, bytes.length);
});

Deno.test("RequestParser keeps its place when the buffer slides between reads", () => {
  const request = latin1("*2\r\n$4\r\nECHO\r\n$26\r\nabcdefghijklmnopqrstuvwxyz\r\n");
  const parser = new RequestParser();
  const buffer = new Uint8Array(256);
  let start = 200;
  let end = start;
  for (const byte of request) {
    buffer[end++] = byte;
    const outcome = parser.parse(buffer, start, end);
    if (outcome === "request") break;
    assertEquals(outcome, "more");
    buffer.copyWithin(start - 1, start, end); // one byte nearer to the front
    start--;
    end--;
  }
  assertEquals(parser.count, 2);
  assertEquals(buffer.subarray(parser.start(1), parser.end(1)), request.subarray(19, 45));
});
