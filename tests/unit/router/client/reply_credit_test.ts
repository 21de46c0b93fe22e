/**
 * What sessions may ask for at once: none waits for ever, none holds up the queue.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { COMMANDS, findByName } from "../../../../src/command/command_table.ts";
import { Asking } from "../../../../src/router/client/reply_credit.ts";
import type { Server } from "../../../../src/router/backends/backend_pool.ts";
import { ReplyGate } from "../../../../src/router/backends/reply_semaphore.ts";
import { ReplySizes } from "../../../../src/router/client/reply_sizes.ts";
import type { Request } from "../../../../src/router/request.ts";
import type { Session } from "../../../../src/router/client/session.ts";

const MB = 1024 * 1024;
const GET = findByName("get")!;
const MGET = findByName("mget")!;
const KIND = 4711;

/** What a session shows of itself when it asks. */
class Client {
  depth = 0;
  unsentBytes = 0;
  calls = 0;
  readonly router = {
    budget: { fairShareBytes: 64 * 1024, isTight: false },
    replySizes: new ReplySizes(COMMANDS.length),
  };
  readonly asking = new Asking(this as unknown as Session);

  resume(): void {
    this.calls++;
  }
}

function newServer(): Server {
  return {
    gate: new ReplyGate(128 * MB),
    newcomerGate: new ReplyGate(128 * MB),
  } as unknown as Server;
}

Deno.test("Asking leaves the line when the session must wait for its own client", () => {
  const server = newServer();
  const [slow, other] = [new Client(), new Client()];
  server.gate.take(4 * MB);
  assert(!slow.asking.mayAsk(GET, server, MB));
  assert(!other.asking.mayAsk(GET, server, MB));
  slow.unsentBytes = 4 * MB; // more has come than was expected, and its client does not read
  server.gate.giveBack(4 * MB);
  assertEquals([slow.calls, other.calls], [1, 0]);
  assert(!slow.asking.mayAsk(GET, server, MB));
  assertEquals(other.calls, 1);
  assert(other.asking.mayAsk(GET, server, MB));
});

Deno.test("Asking leaves the line when too many of a new session's requests are under way", () => {
  const server = newServer();
  const [first, other] = [new Client(), new Client()];
  server.newcomerGate.take(4 * MB);
  assert(!first.asking.mayAsk(GET, server, 0));
  assert(!other.asking.mayAsk(GET, server, 0));
  first.depth = 4;
  server.newcomerGate.giveBack(4 * MB);
  assert(!first.asking.mayAsk(GET, server, 0));
  assert(other.asking.mayAsk(GET, server, 0));
});

Deno.test("Asking trusts a session further after a large reply that was foreseen, not after another", () => {
  const server = newServer();
  const client = new Client();
  client.depth = 100;
  const replied = (replyBytes: number, isForeseen: boolean) =>
    client.asking.learn(GET, { kind: KIND, replyBytes, isForeseen } as Request);
  const mayAskSmall = () => client.asking.mayAsk(GET, server, client.asking.expectedOf(GET, 1));
  for (let i = 0; i < 10; i++) replied(10, false);
  assert(mayAskSmall());
  replied(MB, true);
  assert(mayAskSmall());
  replied(MB, false);
  server.gate.take(4 * MB);
  assert(!mayAskSmall());
});

Deno.test("Asking lets who wants parts of two servers not be passed for ever", () => {
  const servers = [newServer(), newServer()];
  const both = new Client();
  both.router.replySizes.remember(KIND, 4 * MB);
  for (const { gate } of servers) gate.take(4 * MB);
  const ask = () => both.asking.mayAskEach(MGET, KIND, servers) > 0;
  assert(!ask());
  // Clients of one server each: as one has asked, the next one waits.
  const lines = servers.map(() => [new Client(), new Client(), new Client()]);
  const tryAll = () =>
    lines.forEach((line, s) =>
      line.forEach((client, i) => {
        if (!client.asking.mayAsk(GET, servers[s]!, 4 * MB)) return;
        servers[s]!.gate.take(4 * MB);
        client.asking.leaveLine();
        line[i] = new Client();
      })
    );
  let rounds = 0;
  do {
    tryAll();
    servers[rounds % 2]!.gate.giveBack(servers[rounds % 2]!.gate.askedBytes);
    assertLess(++rounds, 20, "it waits for ever");
  } while (!ask());
  both.asking.leaveLine();
  tryAll();
  for (const { gate } of servers) assertEquals(gate.askedBytes, 4 * MB);
});
