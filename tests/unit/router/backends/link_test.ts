/**
 * What a client's link guarantees: pushes reach the client that is linked, whole, and nobody else; the link
 * ends with the request that it was opened for.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import {
  Link,
  type LinkHolder,
  type LinkUser,
  NO_LINKS,
} from "../../../../src/router/backends/link.ts";
import { Server } from "../../../../src/router/backends/server.ts";
import {
  acquireRequest,
  NO_INTEREST,
  recycleRequest,
  type Request,
  type RequestOwner,
} from "../../../../src/router/request.ts";
import { sendTo } from "../../../../src/router/slots/route.ts";
import { until } from "../../../support/deadline.ts";
import { answerNothing, FakeRedis } from "../../../support/fake_redis.ts";
import { latin1, textOf } from "../../../support/pieces.ts";
import { testOptions } from "../../../support/router_server.ts";

const PUSH = ">2\r\n$4\r\npush\r\n$5\r\nhello\r\n";

/** A client that records what comes; it owns its requests as a session does. */
class Holder implements LinkHolder, LinkUser, RequestOwner {
  readonly isGone = false;
  links: readonly Link[] = NO_LINKS;
  losses: string[] = [];
  pushes: string[] = [];
  replies: string[] = [];
  resumed = 0;

  resume(): void {
    this.resumed++;
  }

  pushed(_link: Link, push: Uint8Array): void {
    this.pushes.push(textOf(push));
  }

  lost(_link: Link, cause: string): void {
    this.losses.push(cause);
  }

  clientClosed(): void {}

  replied(request: Request, bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    this.replies.push(textOf(bytes.subarray(start, end)));
    if (isLast) this.#settle(request);
  }

  failed(request: Request, text: string): void {
    this.replies.push(`-${text}`);
    this.#settle(request);
  }

  #settle(request: Request): void {
    for (const link of this.links) link.settled(request);
    recycleRequest(request);
  }
}

/** A server that pushes before each reply to GET, in two pieces. */
function pushingServer(): FakeRedis {
  return new FakeRedis(async (words, connection) => {
    if (words[0] !== "GET") return answerNothing(words);
    await connection.send(PUSH.slice(0, 12));
    await delay(20);
    return `${PUSH.slice(12)}+done\r\n`;
  });
}

function serverAt(fake: FakeRedis): Server {
  const server = new Server(fake.addr, testOptions(), {
    backendReady() {},
    backendLost() {},
    circuitOpened() {},
    circuitClosed() {},
  });
  server.uses = 1; // or no connection would be kept
  return server;
}

const GET = latin1("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");

Deno.test("pushes of a link's server reach its client whole, and not those of a shared connection", async () => {
  await using fake = pushingServer();
  const server = serverAt(fake);
  const holder = new Holder();
  const link = Link.open(server, 0, 3, holder, holder)!;
  assert(holder.links[0] === link);
  const request = acquireRequest(holder);
  assert(link.begin(request, () => {}));
  link.append(GET, 0, GET.length);
  link.complete(0);
  const shared = acquireRequest(holder);
  shared.database = 0;
  shared.protocol = 3;
  sendTo(server, shared, GET, 0, GET.length);
  await until(() => holder.replies.length === 2);
  assertEquals(holder.replies, ["+done\r\n", "+done\r\n"]);
  assertEquals(holder.pushes, [PUSH]);
  server.close();
});

Deno.test("a link ends with its request; its connection serves the next client, without pushes to the last", async () => {
  await using fake = pushingServer();
  const server = serverAt(fake);
  const [first, second] = [new Holder(), new Holder()];
  for (const holder of [first, second]) {
    const link = Link.open(server, 0, 3, holder, holder)!;
    const other = acquireRequest(NO_INTEREST);
    link.settled(other);
    assert(holder.links[0] === link, "another request of the client does not end it");
    recycleRequest(other);
    assert(link.begin(acquireRequest(holder), () => {}));
    link.append(GET, 0, GET.length);
    link.complete(0);
    await until(() => holder.replies.length === 1);
    assertEquals(holder.links, []);
  }
  assertEquals([first.pushes, second.pushes], [[PUSH], [PUSH]]);
  assertEquals(fake.connectionCount, 1);
  server.close();
});

Deno.test("a link whose request is incomplete is not lent again", async () => {
  await using fake = new FakeRedis();
  const server = serverAt(fake);
  const holder = new Holder();
  const link = Link.open(server, 0, 2, holder, holder)!;
  assert(link.begin(acquireRequest(holder), () => {}));
  link.append(GET, 0, GET.length); // answered, and the client has not said that this was all
  await until(() => holder.replies.length === 1);
  assertEquals([holder.links, link.isClosed], [[], true]);
  server.close();
});

Deno.test("breaking a link off fails its request", async () => {
  await using fake = new FakeRedis(() => "hang");
  const server = serverAt(fake);
  const holder = new Holder();
  const link = Link.open(server, 0, 2, holder, holder)!;
  assert(link.begin(acquireRequest(holder), () => {}));
  link.breakOff("gone");
  assertEquals([holder.replies, holder.links, link.isClosed, holder.losses], [
    ["-gone"],
    [],
    true,
    [],
  ]);
  server.close();
});

Deno.test("a client that has several links hears which one is lost, and keeps the others", async () => {
  await using fake = new FakeRedis();
  const server = serverAt(fake);
  const holder = new Holder();
  const [kept, lost] = [0, 0].map(() => Link.open(server, 0, 2, holder, holder)!);
  for (const link of [kept!, lost!]) {
    link.send(acquireRequest(holder), GET, 0, GET.length);
  }
  await until(() => holder.replies.length === 2);
  assertEquals([holder.links.length, holder.losses.length], [2, 0]);
  for (const backend of [...server.backends()].slice(1)) backend.breakOff("cut");
  assertEquals([holder.links, holder.losses, lost!.isClosed], [[kept!], ["cut"], true]);
  kept!.giveBack(false);
  assertEquals([kept!.isClosed, holder.links, holder.losses], [true, [], ["cut"]]);
  server.close();
});

Deno.test("a link that listens gives all that its server sends to its user, and pings by its user only", async () => {
  const asked: string[] = [];
  await using fake = new FakeRedis(async (words, connection) => {
    if (words[0] === "SELECT") return answerNothing(words);
    asked.push(words.join(" "));
    await connection.send("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n");
    await delay(20);
    return "$5\r\nhello\r\n-ERR no\r\n";
  });
  const server = serverAt(fake);
  let pings = 0;
  const holder = Object.assign(new Holder(), { keepAlive: () => pings++ });
  const link = Link.open(server, 0, 2, holder, holder)!;
  link.listen();
  link.write(GET);
  await until(() => holder.pushes.length === 2);
  assertEquals(holder.pushes, [
    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n",
    "-ERR no\r\n",
  ]);
  for (const backend of server.backends()) backend.keepAlive();
  assertEquals([pings, asked], [1, ["GET k"]]);
  link.breakOff();
  server.close();
});
