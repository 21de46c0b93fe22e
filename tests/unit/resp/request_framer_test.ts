/**
 * The request framer agrees with the request parser about every request of bulks.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { BULK_BYTES_MAX, ELEMENTS_MAX } from "../../../src/resp/request_parser.ts";
import { RequestFramer } from "../../../src/resp/request_framer.ts";
import { parsePieces } from "../../support/parsed.ts";
import { latin1, waysToArrive } from "../../support/pieces.ts";
import { REQUEST_CASES, type RequestCase } from "../../support/request_cases.ts";

/** Feeds pieces to one framer after the other; returns how many requests ended, and the error. */
function frame(pieces: Iterable<Uint8Array>): { requests: number; error: string } {
  let framer = new RequestFramer();
  let requests = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      at = framer.feed(piece, at, piece.length);
      if (framer.error !== "") return { requests, error: framer.error };
      if (!framer.isDone) continue;
      requests++;
      framer = new RequestFramer();
    }
  }
  return { requests, error: "" };
}

/** Whether all there is are requests of bulks: no inline command, no empty array. */
function isOfBulks({ bytes, isBeforeAuth, error }: RequestCase): boolean {
  if (isBeforeAuth || error?.startsWith("too big")) return false;
  const forwarded = parsePieces([latin1(bytes)]).forwarded.join("");
  const rest = bytes.slice(forwarded.length);
  return bytes.startsWith(forwarded) && (error === undefined ? rest === "" : rest[0] === "*");
}

for (const { name, bytes, requests, error } of REQUEST_CASES.filter(isOfBulks)) {
  Deno.test(`RequestFramer agrees with the parser about ${name}, however the bytes arrive`, () => {
    for (const pieces of waysToArrive(latin1(bytes))) {
      assertEquals(frame(pieces), { requests: requests.length, error: error ?? "" });
    }
  });
}

Deno.test("RequestFramer leaves what follows the request alone", () => {
  const framer = new RequestFramer();
  const bytes = latin1("xx*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n");
  assertEquals(framer.feed(bytes, 2, bytes.length), "xx*2\r\n$4\r\nECHO\r\n$0\r\n\r\n".length);
  assert(framer.isDone);
});

Deno.test("RequestFramer follows the largest bulk and the most bulks, and refuses one more", () => {
  const errorOf = (text: string) => {
    const framer = new RequestFramer();
    framer.feed(latin1(text), 0, text.length);
    return framer.error;
  };
  assertEquals(errorOf(`*1\r\n$${BULK_BYTES_MAX}\r\n`), "");
  assertEquals(errorOf(`*1\r\n$${BULK_BYTES_MAX + 1}\r\n`), "invalid bulk length");
  assertEquals(errorOf(`*${ELEMENTS_MAX}\r\n`), "");
  assertEquals(errorOf(`*${ELEMENTS_MAX + 1}\r\n`), "invalid multibulk length");
});
