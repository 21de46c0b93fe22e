/**
 * In which order a subscriber gets the messages of a channel when they come from several servers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Placement } from "../../../../src/hash/placement.ts";
import { MessageOrder, type MessageSource } from "../../../../src/router/pubsub/message_order.ts";
import { readPushedFrame } from "../../../../src/router/pubsub/pushed_frame.ts";
import { latin1, textOf } from "../../../support/pieces.ts";
import { slotOf } from "../../../support/router_server.ts";

/** A connection to a server; its PINGs are answered when the test says so. */
class Source implements MessageSource {
  isUp = true;
  flushedAt = 1;
  readonly pings: (() => void)[] = [];

  constructor(readonly server: object) {}

  flush(version: number, ended: (outcome: { is: "done" }) => void): void {
    this.pings.push(() => {
      this.flushedAt = version;
      ended({ is: "done" });
    });
  }

  pong(): void {
    this.pings.shift()!();
  }
}

/** Slots that all belong to one server, two connections, and what was handed on. */
function setUp() {
  const [serverA, serverB, serverC] = [{ at: "a" }, { at: "b" }, { at: "c" }];
  const slots = {
    version: 1,
    placement: new Placement(),
    all: Array.from({ length: 1024 }, () => ({ server: serverA as object, ownerSince: 1 })),
    move(channel: string, server: object) {
      this.all[slotOf(channel)] = { server, ownerSince: ++this.version };
    },
  };
  const [a, b, c] = [new Source(serverA), new Source(serverB), new Source(serverC)];
  const got: string[] = [];
  let heldBytes = 0;
  const order = new MessageOrder(
    slots,
    () => [a, b, c],
    (message) => got.push(textOf(message).split("\r\n").at(-2)!),
    (bytes) => heldBytes += bytes,
  );
  const arrive = (source: Source, channel: string, text: string) => {
    const bytes = latin1(
      `*3\r\n$7\r\nmessage\r\n$${channel.length}\r\n${channel}\r\n$${text.length}\r\n${text}\r\n`,
    );
    order.arrived(source, readPushedFrame(bytes), bytes);
  };
  return { slots, a, b, c, got, order, arrive, held: () => heldBytes };
}

Deno.test("messages of the owner of a channel's slot are handed on at once, without a question", () => {
  const { a, b, got, arrive } = setUp();
  arrive(a, "x", "1");
  arrive(a, "x", "2");
  assertEquals([got, b.pings.length], [["1", "2"], 0]);
});

Deno.test("after a move the new owner's messages wait until the others have sent what they had", () => {
  const { slots, a, b, c, got, arrive, held } = setUp();
  arrive(a, "x", "1");
  slots.move("x", b.server);
  arrive(b, "x", "3");
  arrive(b, "x", "4");
  arrive(a, "x", "2"); // was on its way
  arrive(b, "other", "o"); // of a channel whose slot is the first one's: waits for itself only
  assertEquals([got, held() > 0], [["1", "2"], true]);
  a.pong();
  arrive(a, "x", "5"); // sent after the question: it has its place behind
  assertEquals(got, ["1", "2"]);
  c.pong();
  assertEquals(got, ["1", "2", "3", "4", "5"]);
  a.pong();
  c.pong();
  assertEquals([got.at(-1), held()], ["o", 0]);
  arrive(b, "x", "6");
  assertEquals([got.at(-1), a.pings.length], ["6", 0], "once is enough");
});

Deno.test("one question is enough for all channels that have moved", () => {
  const { slots, a, b, c, got, arrive } = setUp();
  for (const channel of ["x", "y", "z"]) slots.move(channel, b.server);
  arrive(b, "x", "1");
  a.pong();
  c.pong();
  arrive(b, "y", "2");
  arrive(b, "z", "3");
  assertEquals([got, a.pings.length, c.pings.length], [["1", "2", "3"], 0, 0]);
});

Deno.test("a move that is not known here yet does not change the order", () => {
  const { a, b, c, got, arrive } = setUp();
  arrive(b, "x", "2"); // another proxy publishes at the new owner already
  arrive(a, "x", "1");
  assertEquals(got, ["1"]);
  a.pong();
  c.pong();
  arrive(b, "x", "3");
  assertEquals([got, a.pings.length], [["1", "2", "3"], 0], "from there on without a question");
  arrive(a, "x", "4");
  assertEquals(got, ["1", "2", "3"]);
  b.pong();
  c.pong();
  assertEquals(got, ["1", "2", "3", "4"]);
});

Deno.test("a connection that is lost, or not up, is not waited for", () => {
  const { slots, a, b, c, got, order, arrive } = setUp();
  c.isUp = false;
  slots.move("x", b.server);
  arrive(b, "x", "1");
  assertEquals([got, c.pings.length], [[], 0]);
  order.gone(a);
  assertEquals(got, ["1"]);
});

Deno.test("a keyspace event has the place of its key, and an event of all keys none", () => {
  const { slots, a, b, got, arrive } = setUp();
  slots.move("key", b.server);
  for (const source of [a, b]) source.flushedAt = slots.version;
  arrive(b, "__keyspace@0__:other", "1");
  assertEquals([got, a.pings.length], [[], 1]);
  arrive(a, "__keyevent@0__:set", "2");
  arrive(b, "__keyevent@0__:set", "3");
  assertEquals(got, ["2", "3"]);
});

Deno.test("all that is held can be handed on at once", () => {
  const { slots, b, got, order, arrive, held } = setUp();
  slots.move("x", b.server);
  arrive(b, "x", "1");
  arrive(b, "x", "2");
  order.releaseAll();
  assertEquals([got, held()], [["1", "2"], 0]);
});
