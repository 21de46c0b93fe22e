/**
 * What the proxy's own error texts guarantee.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  askAgain,
  backendDown,
  backendFailure,
  isServerLost,
  isUnsent,
  moveFailed,
  notAllowed,
  SLOT_NOT_READY,
  slotWaitedOut,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from "../../../src/router/errors.ts";
import { argumentsOf } from "../../support/arguments.ts";
import { latin1, textOf } from "../../support/pieces.ts";
import { errorReply } from "../../../src/resp/encoder.ts";

Deno.test("unknownCommand() is Redis's text: the name and the beginning of the arguments", () => {
  assertEquals(
    unknownCommand(argumentsOf("FOO", "a", "b c")),
    "ERR unknown command 'FOO', with args beginning with: 'a' 'b c' ",
  );
  assertEquals(
    unknownCommand(argumentsOf("foo")),
    "ERR unknown command 'foo', with args beginning with: ",
  );
});

Deno.test("unknownCommand() quotes a client's bytes up to a NUL and no more than 128 of each part", () => {
  const text = unknownCommand(
    argumentsOf(latin1("x\r\n+OK\r\n"), "y".repeat(1000), "z".repeat(1000)),
  );
  assert(text.startsWith("ERR unknown command 'x\r\n+OK\r\n', with args"), text);
  assertEquals(textOf(errorReply(text)).indexOf("\r"), textOf(errorReply(text)).length - 2);
  assert(unknownCommand(argumentsOf(latin1("a\0b"), "c")).startsWith("ERR unknown command 'a', "));
  assertEquals(text.match(/y/g)?.length, 128);
  assert(!text.includes("z"));
  assert(unknownCommand(argumentsOf("n".repeat(100_000))).length < 300);
});

Deno.test("unknownSubcommand() is Redis's text", () => {
  assertEquals(
    unknownSubcommand("client", argumentsOf("CLIENT", "fo\no")),
    "ERR unknown subcommand 'fo\no'. Try CLIENT HELP.",
  );
});

Deno.test("wrongArity() is Redis's text", () => {
  assertEquals(wrongArity("get"), "ERR wrong number of arguments for 'get' command");
});

Deno.test("texts about a request that was not sent say so in Codis 3.2's words", () => {
  assertEquals(
    slotWaitedOut(7, 20_000),
    "ERR handle request, slot 7 is blocked by a change that took longer than 20000 ms",
  );
  assertEquals(
    backendDown("10.0.0.1:6379", "connection refused"),
    "ERR handle request, backend conn failure, 10.0.0.1:6379: connection refused",
  );
  assertEquals(
    notAllowed("client|reply", "it changes the connection"),
    "ERR handle request, command 'CLIENT REPLY' is not allowed: it changes the connection",
  );
});

Deno.test("texts about a request that may have been executed name the server and the cause", () => {
  assertEquals(
    backendFailure("10.0.0.1:6379", "connection reset by peer"),
    "ERR handle response, backend conn failure, 10.0.0.1:6379: connection reset by peer",
  );
});

Deno.test("a server's own code stays at the beginning, but for codes that are about our login or a move", () => {
  assertEquals(
    backendDown("a:1", "BUSY Redis is busy running a script."),
    "BUSY Redis is busy running a script. (handle request, backend conn failure, a:1)",
  );
  assertEquals(
    moveFailed(3, "a:1", "LOADING Redis is loading the dataset in memory"),
    "LOADING Redis is loading the dataset in memory (handle request, bad slotsmgrt resp: slot 3 from a:1)",
  );
  for (const cause of ["WRONGPASS invalid pair", "NOAUTH Authentication required.", "ERR x"]) {
    assertEquals(
      backendDown("a:1", cause),
      `ERR handle request, backend conn failure, a:1: ${cause}`,
    );
  }
  assertEquals(
    moveFailed(3, "a:1", "IOERR error or timeout reading from target"),
    "ERR handle request, bad slotsmgrt resp: slot 3 from a:1: IOERR error or timeout reading from target",
  );
});

Deno.test("who can safely ask again gets Redis's word for that before the same text", () => {
  const down = "handle request, backend conn failure, a:1: connection refused";
  assertEquals(askAgain(backendDown("a:1", "connection refused")), `LOADING ${down}`);
  for (
    const text of [
      backendFailure("a:1", "connection refused"),
      backendDown("a:1", "WRONGPASS invalid username-password pair"),
      backendDown("a:1", "BUSY Redis is busy running a script."),
      SLOT_NOT_READY,
      slotWaitedOut(7, 20_000),
    ]
  ) assertEquals(askAgain(text), text);
});

Deno.test("a text tells whether its server is lost, or has refused the proxy, and whether the request was sent", () => {
  const lost = ["connection refused", "no answer for 500 ms", "connection closed by the server"];
  for (const cause of [...lost, "another server has taken its place", "LOADING Redis is loading"]) {
    const [down, failure] = [backendDown("[::1]:6379", cause), backendFailure("a:1", cause)];
    assert(isServerLost(down) && isUnsent(down), down);
    assert(isServerLost(failure) && !isUnsent(failure), failure);
  }
  const refused = ["WRONGPASS invalid username-password pair", "ERR invalid DB index"];
  const ours = ["Too many open files (os error 24)", "ERR max number of clients reached"];
  const unknown = [
    "protocol error from the server: no type",
    "the server sent a reply nobody asked for",
  ];
  for (const cause of [...refused, ...ours, ...unknown, "NOPERM this user may not select"]) {
    assert(!isServerLost(backendDown("a:1", cause)), cause);
    assert(!isServerLost(backendFailure("a:1", cause)), cause);
  }
  assert(!isServerLost(moveFailed(7, "a:1", backendDown("b:1", "connection refused"))));
  assert(!isServerLost(slotWaitedOut(7, 20_000)));
});
