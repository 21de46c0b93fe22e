/** What is made of a request's marks: stages that add up, whatever has happened to it. */

import { assertEquals } from "@std/assert";
import { acquireRequest, NO_INTEREST, type Request } from "../../../../src/router/request.ts";
import { longestStage, stageTimes } from "../../../../src/router/slow_log/stages.ts";

const NEVER = { heldUpMs: () => 0 };

/** A request with these marks; what is left out follows at once. */
function request(marks: Partial<Request>): Request {
  const made = acquireRequest(NO_INTEREST);
  return Object.assign(
    made,
    { readMs: 100, startedMs: 100 },
    marks,
  );
}

const SENT = {
  sentIn: { sinceMs: 100, wroteMs: 100 },
  sentMs: 100,
  firstMs: 100,
  wholeMs: 100,
  turnMs: 100,
};

Deno.test("each mark that is late makes its stage", () => {
  const cases: [Partial<Request>, number, Record<string, number>][] = [
    [
      {
        ...SENT,
        startedMs: 110,
        sentMs: 110,
        sentIn: { sinceMs: 100, wroteMs: 110 },
        firstMs: 110,
        wholeMs: 110,
      },
      110,
      {
        queue: 10_000,
      },
    ],
    [
      { ...SENT, sentIn: { sinceMs: 100, wroteMs: 130 }, firstMs: 131, wholeMs: 131, turnMs: 131 },
      131,
      {
        send: 30_000,
        server: 1_000,
      },
    ],
    [{ ...SENT, firstMs: 150, wholeMs: 170, turnMs: 175 }, 180, {
      server: 50_000,
      receive: 20_000,
      order: 5_000,
      write: 5_000,
    }],
    // The server's reply was not read for 30 ms, because its client did not read.
    [
      {
        ...SENT,
        firstMs: 120,
        wholeMs: 140,
        turnMs: 140,
        detour: { waited: "", openedMs: 0, heldBackMs: 30 },
      },
      140,
      {
        server: 10_000,
        write: 30_000,
      },
    ],
    // Its slot was never open again.
    [
      {
        detour: { waited: "slot", openedMs: 0, heldBackMs: 0 },
        wholeMs: 120,
        turnMs: 120,
        isFailed: true,
      },
      120,
      { slot: 20_000 },
    ],
    // The system never took it for the server: the connection could not be opened, or nobody read.
    [
      {
        ...SENT,
        sentIn: { sinceMs: 100, wroteMs: 0 },
        firstMs: 0,
        wholeMs: 150,
        turnMs: 150,
        isFailed: true,
      },
      150,
      { send: 50_000 },
    ],
    // Others have been sent since in what it was sent in.
    [
      { ...SENT, sentIn: { sinceMs: 140, wroteMs: 141 }, firstMs: 150, wholeMs: 150, turnMs: 150 },
      150,
      {
        server: 50_000,
      },
    ],
    // It was answered before we were told that it was taken.
    [
      { ...SENT, sentIn: { sinceMs: 100, wroteMs: 0 }, firstMs: 150, wholeMs: 150, turnMs: 150 },
      150,
      {
        server: 50_000,
      },
    ],
    // Its slot was blocked, then its key was moved.
    [
      {
        ...SENT,
        detour: { waited: "key", openedMs: 110, heldBackMs: 0 },
        sentMs: 125,
        sentIn: { sinceMs: 100, wroteMs: 125 },
        firstMs: 126,
        wholeMs: 126,
      },
      126,
      { slot: 10_000, key: 15_000, server: 1_000 },
    ],
    // It was never sent: the proxy has asked servers something else.
    [{ wholeMs: 107.5, turnMs: 107.5 }, 107.5, { proxy: 7_500 }],
  ];
  for (const [marks, writtenMs, expected] of cases) {
    const made = request(marks);
    const times = stageTimes(made, writtenMs, 0, NEVER);
    assertEquals(times, expected, JSON.stringify(marks));
    const sum = Object.values(times).reduce((total, usecs) => total + usecs, 0);
    assertEquals(sum, (writtenMs - made.readMs) * 1000);
  }
});

Deno.test("the fastest reply of late is the network's share, and stalls are taken out", () => {
  const made = request({ ...SENT, firstMs: 150, wholeMs: 150, turnMs: 150 });
  assertEquals(stageTimes(made, 150, 8, NEVER), { network: 8_000, server: 42_000 });
  const stall = {
    heldUpMs: (from: number, to: number) => Math.max(0, Math.min(to, 145) - Math.max(from, 110)),
  };
  const times = stageTimes(made, 150, 20, stall);
  assertEquals(times, { network: 15_000, loop: 35_000 });
  assertEquals([longestStage(times), longestStage({})], ["loop", "proxy"]);
});
