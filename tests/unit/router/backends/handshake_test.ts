/**
 * What the start of a connection makes of the server's answers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type GreetedServer, Handshake } from "../../../../src/router/backends/handshake.ts";
import { type Protocol, utf8 } from "../../../../src/resp/encoder.ts";

const BUSY = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL.\r\n";

/** Answers a handshake; returns the error with which it ended, or whether it is done. */
function outcome(protocol: Protocol, database: number, replies: readonly string[]) {
  const learned: string[] = [];
  const server: GreetedServer = {
    options: { backendDialMs: 200, backendTimeoutMs: 15_000 },
    runsLongScripts: false,
    heardMs: 0,
    learnedResp3: (error) => void learned.push(error),
  };
  const handshake = new Handshake(server, { user: "", password: "pw" }, protocol, database);
  handshake.begin();
  for (const reply of replies) {
    const next = handshake.answered(reply.charCodeAt(0), utf8(reply));
    if (typeof next === "string") return { error: next, learned };
  }
  return { isDone: handshake.isDone, learned };
}

Deno.test("a server that runs a script can be connected to in database 0 alone", () => {
  assertEquals(outcome(2, 0, ["+OK\r\n", BUSY]), { isDone: true, learned: [] });
  assertEquals(outcome(3, 0, ["+OK\r\n", "%0\r\n", BUSY]), { isDone: true, learned: [""] });
  assertEquals(outcome(2, 4, ["+OK\r\n", BUSY]), { error: BUSY.slice(1, -2), learned: [] });
  assertEquals(outcome(2, 0, [BUSY]), { error: BUSY.slice(1, -2), learned: [] });
});

Deno.test("what HELLO 3 is answered tells whether the server knows RESP3, unless it is about our login", () => {
  const unknown = "ERR unknown command `HELLO`";
  assertEquals(outcome(3, 0, ["+OK\r\n", `-${unknown}\r\n`]), {
    error: unknown,
    learned: [unknown],
  });
  const refused = "NOPERM this user has no permissions";
  assertEquals(outcome(3, 0, ["+OK\r\n", `-${refused}\r\n`]), { error: refused, learned: [] });
  assertEquals(outcome(3, 0, ["+OK\r\n"]), { isDone: false, learned: [] });
});

Deno.test("a server that is busy with others has longer to answer than one that is not there", () => {
  const limit = (runsLongScripts: boolean, heardMs: number) =>
    new Handshake(
      {
        options: { backendDialMs: 200, backendTimeoutMs: 15_000 },
        runsLongScripts,
        heardMs,
        learnedResp3: () => {},
      },
      { user: "", password: "" },
      2,
      0,
    ).limitMs(1000);
  assertEquals([limit(false, 900), limit(true, 900), limit(false, 1100)], [200, 15_000, 15_000]);
});
