/**
 * What sessions may ask for at once: none waits for ever, none holds up the queue.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { COMMANDS, findByName } from "../../../../src/command/command_table.ts";
import {
  type CountedServer,
  type Creditor,
  ReplyCredit,
} from "../../../../src/router/client/reply_credit.ts";
import { ReplySemaphore } from "../../../../src/router/backends/reply_semaphore.ts";
import { ReplySizes } from "../../../../src/router/client/reply_sizes.ts";
import type { Request } from "../../../../src/router/request.ts";

const MB = 1024 * 1024;
const GET = findByName("get")!;
const MGET = findByName("mget")!;
const KIND = 4711;

/** What a session shows of itself when it asks. */
class Client {
  depth = 0;
  unsentBytes = 0;
  calls = 0;
  readonly shared = {
    budget: { fairShareBytes: 64 * 1024, isTight: false },
    replySizes: new ReplySizes(COMMANDS.length),
  };
  readonly credit = new ReplyCredit(this as unknown as Creditor);

  resume(): void {
    this.calls++;
  }
}

function newServer(): CountedServer {
  return {
    largeReplies: new ReplySemaphore(128 * MB),
    newcomerReplies: new ReplySemaphore(128 * MB),
  };
}

Deno.test("ReplyCredit leaves the queue when the session must wait for its own client", () => {
  const server = newServer();
  const [slow, other] = [new Client(), new Client()];
  server.largeReplies.acquire(4 * MB);
  assert(!slow.credit.mayAsk(GET, server, MB));
  assert(!other.credit.mayAsk(GET, server, MB));
  slow.unsentBytes = 4 * MB; // more has come than was expected, and its client does not read
  server.largeReplies.release(4 * MB);
  assertEquals([slow.calls, other.calls], [1, 0]);
  assert(!slow.credit.mayAsk(GET, server, MB));
  assertEquals(other.calls, 1);
  assert(other.credit.mayAsk(GET, server, MB));
});

Deno.test("ReplyCredit leaves the queue when too many of a new session's requests are under way", () => {
  const server = newServer();
  const [first, other] = [new Client(), new Client()];
  server.newcomerReplies.acquire(4 * MB);
  assert(!first.credit.mayAsk(GET, server, 0));
  assert(!other.credit.mayAsk(GET, server, 0));
  first.depth = 4;
  server.newcomerReplies.release(4 * MB);
  assert(!first.credit.mayAsk(GET, server, 0));
  assert(other.credit.mayAsk(GET, server, 0));
});

Deno.test("ReplyCredit trusts a session further after a large reply that was foreseen, not after another", () => {
  const server = newServer();
  const client = new Client();
  client.depth = 100;
  const replied = (replyBytes: number, isForeseen: boolean) =>
    client.credit.learn(GET, { kind: KIND, replyBytes, isForeseen } as Request);
  const mayAskSmall = () => client.credit.mayAsk(GET, server, client.credit.expectedOf(GET, 1));
  for (let i = 0; i < 10; i++) replied(10, false);
  assert(mayAskSmall());
  replied(MB, true);
  assert(mayAskSmall());
  replied(MB, false);
  server.largeReplies.acquire(4 * MB);
  assert(!mayAskSmall());
});

Deno.test("ReplyCredit lets a client that wants parts of two servers have its turn", () => {
  const servers = [newServer(), newServer()];
  const both = new Client();
  both.shared.replySizes.remember(KIND, 4 * MB);
  for (const { largeReplies } of servers) largeReplies.acquire(4 * MB);
  const ask = () => both.credit.mayAskEach(MGET, KIND, servers) > 0;
  assert(!ask());
  // Clients of one server each: as one has asked, the next one waits.
  const queues = servers.map(() => [new Client(), new Client(), new Client()]);
  const tryAll = () =>
    queues.forEach((queue, s) =>
      queue.forEach((client, i) => {
        if (!client.credit.mayAsk(GET, servers[s]!, 4 * MB)) return;
        servers[s]!.largeReplies.acquire(4 * MB);
        client.credit.leaveQueues();
        queue[i] = new Client();
      })
    );
  let rounds = 0;
  do {
    tryAll();
    servers[rounds % 2]!.largeReplies.release(servers[rounds % 2]!.largeReplies.askedBytes);
    assertLess(++rounds, 20, "it waits for ever");
  } while (!ask());
  both.credit.leaveQueues();
  tryAll();
  for (const { largeReplies } of servers) assertEquals(largeReplies.askedBytes, 4 * MB);
});
