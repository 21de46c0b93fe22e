/**
 * What a client's replies guarantee about pushes: each is whole, between replies, in the order in which
 * it came.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Histogram } from "../../../../src/base/histogram.ts";
import { findByName } from "../../../../src/command/command_table.ts";
import { Replies } from "../../../../src/router/client/replies.ts";
import type { ReplyHost } from "../../../../src/router/client/reply_host.ts";
import { RequestParser } from "../../../../src/resp/request_parser.ts";
import { deliver } from "../../../../src/router/request.ts";
import { Streak } from "../../../../src/router/client/streak.ts";
import { until } from "../../../support/deadline.ts";
import { latin1, textOf } from "../../../support/pieces.ts";
import { RouterServer } from "../../../support/router_server.ts";

const GET = findByName("get")!;
const PART = latin1("$100000\r\n" + "x".repeat(70_000));
const REST = latin1("x".repeat(30_000) + "\r\n");

Deno.test("a push goes out at once between replies, and after a reply of which the client has a part", async () => {
  await using server = await RouterServer.start({});
  let sent = "";
  const host = {
    shared: server.router.shared,
    credit: { ended() {}, outgrew() {}, learn() {} },
    streak: new Streak({ unreadBytes: 0, shared: server.router.shared }),
    database: 0,
    protocol: 3,
    links: [],
    remote: "",
    info: { name: "" },
    user: { name: "" },
    lastReadMs: performance.now(),
    parser: new RequestParser(),
    userTimes: new Histogram(),
    repliesLeft() {},
    endsHere: () => false,
    repliesOverflowed() {},
    close() {},
  } as unknown as ReplyHost;
  const replies = new Replies(host, {
    write(bytes) {
      sent += textOf(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  const first = replies.park(GET);
  const second = replies.park(GET);
  replies.push(latin1(">1\r\n:1\r\n"));
  await until(() => sent === ">1\r\n:1\r\n");

  deliver(first, PART, 0, PART.length, false);
  replies.push(latin1(">1\r\n:2\r\n"));
  deliver(second, latin1("$1\r\ny\r\n"), 0, 7, true);
  replies.push(latin1(">1\r\n:3\r\n"));
  assertEquals(replies.heldBytes, 7 + 2 * 8);
  deliver(first, REST, 0, REST.length, true);
  replies.push(latin1(">1\r\n:4\r\n"));
  await until(() => sent.endsWith(":4\r\n"));
  assertEquals(
    sent,
    `>1\r\n:1\r\n${textOf(PART)}${textOf(REST)}` +
      ">1\r\n:2\r\n>1\r\n:3\r\n$1\r\ny\r\n>1\r\n:4\r\n",
  );
  assertEquals([replies.heldBytes, replies.depth], [0, 0]);
});
