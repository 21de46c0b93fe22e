/**
 * What pooled requests guarantee.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { WriteBatch } from "../../../src/io/write_batch.ts";
import {
  acquireRequest,
  deliver,
  failRequest,
  NO_INTEREST,
  recycleRequest,
  type RequestOwner,
  WHOLE_BYTES_MIN,
} from "../../../src/router/request.ts";
import { latin1, textOf } from "../../support/pieces.ts";
import { ScriptedSink, turn } from "../../support/scripted_io.ts";

Deno.test("a request from the pool is as a new one, whoever had it before", () => {
  const used = acquireRequest(NO_INTEREST);
  used.client = {};
  used.keys = ["key"];
  used.state = "settled";
  used.chargedBytes = 10;
  used.replyType = 45;
  used.replyBytes = 99;
  used.ownBytes = latin1("x");
  used.nextSent = used;
  used.hold(latin1("held"), 0, 4);
  recycleRequest(used);
  const again = acquireRequest(NO_INTEREST);
  assert(again === used, "the pool gives the last one first");
  assertEquals(
    [again.client, again.command, again.slot, again.slots, again.keys, again.backend],
    [null, null, null, null, null, null],
  );
  assertEquals([again.next, again.nextSent, again.ownBytes, again.state], [
    null,
    null,
    null,
    "new",
  ]);
  assertEquals([again.chargedBytes, again.replyType, again.replyBytes, again.heldBytes], [
    0,
    0,
    0,
    0,
  ]);
  recycleRequest(again);
});

Deno.test("a request that is given back twice is noticed", () => {
  const request = acquireRequest(NO_INTEREST);
  recycleRequest(request);
  assertThrows(() => recycleRequest(request), Error, "given back twice");
});

Deno.test("the pool gives every request to one holder only", () => {
  const all = Array.from({ length: 1000 }, () => acquireRequest(NO_INTEREST));
  assertEquals(new Set(all).size, 1000);
  all.forEach(recycleRequest);
  const again = Array.from({ length: 1500 }, () => acquireRequest(NO_INTEREST));
  assertEquals(new Set(again).size, 1500);
  again.forEach(recycleRequest);
});

Deno.test("a request holds reply bytes in order, however they come, and copies them", () => {
  const request = acquireRequest(NO_INTEREST);
  let expected = "";
  for (let i = 0; i < 200; i++) {
    const piece = latin1(`<${String.fromCharCode(65 + i % 26).repeat(i * 7 % 100)}>`);
    request.hold(piece, 1, piece.length - 1);
    expected += textOf(piece).slice(1, -1);
    piece.fill(0);
  }
  assertEquals(
    textOf(request.held!.subarray(request.heldStart, request.heldStart + request.heldBytes)),
    expected,
  );
  recycleRequest(request);
});

Deno.test("what a request holds moves to a batch, small replies and large ones", async () => {
  const sink = new ScriptedSink();
  const batch = new WriteBatch({ wrote() {}, writeFailed() {} }, sink);
  const expected: string[] = [];
  const request = acquireRequest(NO_INTEREST);
  for (const size of [1, 500, WHOLE_BYTES_MIN - 1, WHOLE_BYTES_MIN, 1_000_000]) {
    const text = "abcdefg".repeat(Math.ceil(size / 7)).slice(0, size);
    if (size % 2 === 0) request.adopt(latin1(text));
    else request.hold(latin1(text), 0, size);
    request.moveHeld(batch);
    assertEquals(request.heldBytes, 0);
    expected.push(text);
  }
  await turn();
  await sink.takeAll();
  assert(textOf(sink.taken()) === expected.join(""));
  recycleRequest(request);
});

Deno.test("a request that held much does not keep the memory", () => {
  const request = acquireRequest(NO_INTEREST);
  request.hold(new Uint8Array(1_000_000), 0, 1_000_000);
  recycleRequest(request);
  assertEquals(acquireRequest(NO_INTEREST).held, null);
  recycleRequest(request);
});

/** An owner that records what its requests get. */
function recordingOwner(): RequestOwner & { readonly seen: string[] } {
  const seen: string[] = [];
  return {
    seen,
    isGone: false,
    replied(request, bytes, start, end, isLast) {
      const text = textOf(bytes.subarray(start, end));
      seen.push(`${text}${isLast ? "." : "…"} ${request.replyBytes}`);
    },
    failed: (_request, text) => void seen.push(`failed: ${text}`),
  };
}

Deno.test("what arrives for a request reaches its owner, and nobody else", () => {
  const [one, two] = [recordingOwner(), recordingOwner()];
  const [first, second] = [acquireRequest(one), acquireRequest(two)];
  const bytes = latin1("<abc>");
  deliver(first, bytes, 1, 3, false);
  failRequest(second, "lost");
  deliver(first, bytes, 3, 4, true);
  assertEquals(one.seen, ["ab… 2", "c. 3"]);
  assertEquals([two.seen, second.state], [["failed: lost"], "sent"]);
  recycleRequest(first);
  recycleRequest(second);
});

Deno.test("a request that is free has no owner: what arrives for it is noticed", () => {
  const request = acquireRequest(recordingOwner());
  recycleRequest(request);
  assertThrows(() => deliver(request, latin1("x"), 0, 1, true), Error, "a free request");
  assertThrows(() => failRequest(request, "lost"), Error, "a free request");
  request.state = "free"; // as it was in the pool
});

Deno.test("a request of no interest is free again with its reply or its failure", () => {
  const request = acquireRequest(NO_INTEREST);
  deliver(request, latin1("+PO"), 0, 3, false);
  assertEquals(request.state, "new");
  deliver(request, latin1("NG"), 0, 2, true);
  assertEquals(request.state, "free");
  const again = acquireRequest(NO_INTEREST);
  failRequest(again, "lost");
  assertEquals(again.state, "free");
});

Deno.test("each request has its own first bytes, however many there are and however long they are", () => {
  const bytes = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251);
  const lengths = [0, 1, 36, 128, 129, 320, 321, 900];
  for (let round = 0; round < 2; round++) {
    const requests = Array.from({ length: 10_000 }, (_, i) => {
      const request = acquireRequest(NO_INTEREST);
      assertEquals([request.isRemembered, request.beginningBytes.length], [false, 0]);
      const start = i % 90;
      request.remember(bytes, start, start + lengths[i % lengths.length]!);
      return request;
    });
    for (const [i, request] of requests.entries()) {
      const start = i % 90;
      const kept = Math.min(320, lengths[i % lengths.length]!);
      assertEquals(request.beginningBytes, bytes.subarray(start, start + kept));
      recycleRequest(request);
    }
  }
});
