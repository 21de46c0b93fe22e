/**
 * The request parser under anything a client may send. `FUZZ_CASES=100000` for many, `FUZZ_SEED` to
 * repeat.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RequestFramer } from "../../src/resp/request_framer.ts";
import { RequestParser } from "../../src/resp/request_parser.ts";
import {
  clientBytes,
  cutAt,
  cuts,
  requestStream,
  withMistakes,
} from "../support/arbitrary_bytes.ts";
import { FUZZ_SEED, fuzzCases } from "../support/fuzz.ts";
import { parsePieces } from "../support/parsed.ts";
import { latin1 } from "../support/pieces.ts";
import { parsePlainly } from "../support/reference_parser.ts";

const CASES = fuzzCases(4000);

console.log(`FUZZ_SEED=${FUZZ_SEED}`);

/** Asserts that the parser finds in pieces what the reference finds in the whole. */
function assertAgrees(text: string, pieces: Iterable<Uint8Array>): void {
  const { requests, error, isInRequest } = parsePieces(pieces);
  const expected = parsePlainly(text);
  assertEquals({ requests, error }, { requests: expected.requests, error: expected.error });
  if (error === "") assertEquals(isInRequest, expected.isInRequest, "what is left over");
}

Deno.test("RequestParser finds what a plain reading finds, in any bytes cut anywhere", () => {
  fc.assert(
    fc.property(clientBytes, cuts, (text, shares) => {
      assertAgrees(text, cutAt(latin1(text), shares));
    }),
    { numRuns: CASES, seed: FUZZ_SEED },
  );
});

Deno.test("RequestParser hands on requests that mean the same to whoever reads them next", () => {
  fc.assert(
    fc.property(clientBytes, (text) => {
      const { requests, forwarded } = parsePieces([latin1(text)]);
      for (const [i, bytes] of forwarded.entries()) {
        const again = parsePlainly(bytes);
        assertEquals(again, { requests: [requests[i]!], error: "", isInRequest: false });
      }
    }),
    { numRuns: CASES / 4, seed: FUZZ_SEED },
  );
});

Deno.test("RequestParser complains in one printable line, whatever it was sent", () => {
  fc.assert(
    fc.property(withMistakes(requestStream), (text) => {
      const { error } = parsePieces([latin1(text)]);
      assert(error === "" || /^ERR Protocol error: [ -~]{5,60}$/.test(error), error);
    }),
    { numRuns: CASES / 4, seed: FUZZ_SEED },
  );
});

Deno.test("RequestParser claims no byte outside of what it was given", () => {
  fc.assert(
    fc.property(clientBytes, fc.nat({ max: 50 }), (text, offset) => {
      const bytes = new Uint8Array(offset + text.length + 50).fill(0x31);
      bytes.set(latin1(text), offset);
      const parser = new RequestParser();
      let start = offset;
      const end = offset + text.length;
      for (;;) {
        const outcome = parser.parse(bytes, start, end);
        if (outcome !== "request") break;
        assert(parser.nextStart > start && parser.nextStart <= end);
        for (let i = 0; i < parser.count; i++) {
          assert(parser.start(i) <= parser.end(i) && parser.end(i) <= parser.requestEnd);
          assert(parser.start(i) >= parser.requestStart);
        }
        start = parser.nextStart;
        parser.next();
      }
    }),
    { numRuns: CASES / 4, seed: FUZZ_SEED },
  );
});

Deno.test("RequestFramer ends a request where RequestParser does, or refuses it in the same words", () => {
  const large = withMistakes(requestStream).filter((text) => /^\*[1-9]/.test(text));
  fc.assert(
    fc.property(large, cuts, (text, shares) => {
      const parser = new RequestParser();
      const bytes = latin1(text);
      const outcome = parser.parse(bytes, 0, bytes.length);
      const framer = new RequestFramer();
      let used = 0;
      for (const piece of cutAt(bytes, shares)) {
        if (!framer.isDone && framer.error === "") used += framer.feed(piece, 0, piece.length);
      }
      assertEquals(framer.isDone, outcome === "request");
      if (framer.isDone) assertEquals(used, parser.requestEnd);
      if (outcome === "error") assertEquals(`ERR Protocol error: ${framer.error}`, parser.error);
    }),
    { numRuns: CASES / 2, seed: FUZZ_SEED },
  );
});

Deno.test("canary: a parser that loses one byte where it is cut is found out", () => {
  assertThrows(
    () =>
      fc.assert(
        fc.property(clientBytes, cuts, (text, shares) => {
          const [first, ...rest] = cutAt(latin1(text), shares);
          assertAgrees(
            text,
            rest.length === 0 ? [first ?? latin1("")] : [first!.subarray(1), ...rest],
          );
        }),
        { numRuns: 1000, seed: FUZZ_SEED },
      ),
    Error,
    "Property failed",
  );
});
