/**
 * The reply framer under anything a server may send. `FUZZ_CASES=100000` for many, `FUZZ_SEED` to
 * repeat.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReplyFramer } from "../../src/resp/reply_framer.ts";
import { cutAt, cuts, reply, withMistakes } from "../support/arbitrary_bytes.ts";
import { FUZZ_SEED, fuzzCases } from "../support/fuzz.ts";
import { latin1, textOf } from "../support/pieces.ts";
import { decodeReply } from "../support/resp_value.ts";

const CASES = fuzzCases(3000);

/** Cuts pieces into replies; stops at an error. */
function framesOf(
  pieces: Iterable<Uint8Array>,
): { replies: string[]; error: string; left: string } {
  const framer = new ReplyFramer();
  const replies: string[] = [];
  let left = "";
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const from = at;
      at = framer.feed(piece, at, piece.length);
      if (framer.error !== "") return { replies, error: framer.error, left };
      assert(at > from && at <= piece.length);
      left += textOf(piece.subarray(from, at));
      if (!framer.isDone) continue;
      replies.push(left);
      left = "";
      framer.reset();
    }
  }
  return { replies, error: "", left };
}

Deno.test("ReplyFramer finds each of any replies in a row, cut anywhere", () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 5 }), cuts, (replies, shares) => {
      const found = framesOf(cutAt(latin1(replies.join("")), shares));
      assertEquals(found, { replies, error: "", left: "" });
    }),
    { numRuns: CASES, seed: FUZZ_SEED },
  );
});

Deno.test("ReplyFramer ends a reply where a decoder ends it", () => {
  fc.assert(
    fc.property(reply, reply, (first, second) => {
      const bytes = latin1(first + second);
      const framer = new ReplyFramer();
      assertEquals(framer.feed(bytes, 0, bytes.length), decodeReply(bytes, 0)!.end);
    }),
    { numRuns: CASES, seed: FUZZ_SEED },
  );
});

Deno.test("ReplyFramer finds the same in broken replies, however they are cut", () => {
  fc.assert(
    fc.property(withMistakes(fc.array(reply, { maxLength: 4 }).map((all) => all.join(""))), cuts, (
      text,
      shares,
    ) => {
      const bytes = latin1(text);
      const whole = framesOf([bytes]);
      const pieces = framesOf(cutAt(bytes, shares));
      assertEquals([pieces.replies, pieces.error], [whole.replies, whole.error]);
    }),
    { numRuns: CASES, seed: FUZZ_SEED },
  );
});
