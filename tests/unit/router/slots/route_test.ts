/**
 * What the one way to a server guarantees: each request is counted at each of its slots, and goes over the
 * connection of its database and protocol, or over the one that is named.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Protocol } from "../../../../src/resp/encoder.ts";
import {
  acquireRequest,
  failRequest,
  type FlightCounter,
  NO_INTEREST,
  recycleRequest,
  type Request,
} from "../../../../src/router/request.ts";
import { beginAt, sendOn, sendTo } from "../../../../src/router/slots/route.ts";
import { latin1, textOf } from "../../../support/pieces.ts";

/** A connection that records what is sent over it. */
class Recorder {
  sent: string[] = [];
  constructor(readonly isUp = true) {}

  begin(request: Request): boolean {
    if (!this.isUp) failRequest(request, "down");
    return this.isUp;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.sent.push(textOf(bytes.subarray(start, end)));
  }
}

class Counter implements FlightCounter {
  inFlight = 0;
  constructor(readonly id: number) {}
  enter(): void {
    this.inFlight++;
  }
  leave(): void {
    this.inFlight--;
  }
}

Deno.test("a request goes over the connection of its database and protocol", () => {
  const asked: [number, Protocol][] = [];
  const shared = new Recorder();
  const server = {
    address: "one:1",
    backend: (database: number, protocol: Protocol) => {
      asked.push([database, protocol]);
      return shared;
    },
  };
  const request = acquireRequest(NO_INTEREST);
  request.database = 5;
  request.protocol = 3;
  sendTo(server, request, latin1("[PING]"), 1, 5);
  assertEquals(beginAt(server, request), shared);
  assertEquals([asked, shared.sent], [[[5, 3], [5, 3]], ["PING"]]);
  request.database = 0;
  request.protocol = 2;
  recycleRequest(request);
});

Deno.test("a request is counted at its slot, or at each of its slots, whatever connection it takes", () => {
  const [one, two, three] = [new Counter(1), new Counter(2), new Counter(3)];
  const request = acquireRequest(NO_INTEREST);
  request.slot = one;
  sendOn(new Recorder(), request, latin1("x"), 0, 1);
  request.slot = null;
  request.slots = [two, three];
  sendOn(new Recorder(), request, latin1("x"), 0, 1);
  assertEquals([one, two, three].map(({ inFlight }) => inFlight), [1, 1, 1]);
  recycleRequest(request);
});

Deno.test("a request that cannot be sent fails at its owner, counted, with no byte sent", () => {
  const down = new Recorder(false);
  const slot = new Counter(1);
  const seen: [string, number][] = [];
  const request = acquireRequest({
    isGone: false,
    replied() {},
    failed: (failed, text) => {
      seen.push([text, slot.inFlight]);
      failed.slot!.leave();
      recycleRequest(failed);
    },
  });
  request.slot = slot;
  sendOn(down, request, latin1("x"), 0, 1);
  assertEquals([seen, slot.inFlight, down.sent], [[["down", 1]], 0, []]);
});
