/**
 * One scenario again and again, and each time another operation fails: after every run nothing is left
 * over, and what was answered was answered right.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { AcceptedConnection } from "../../../src/io/listen.ts";
import { until } from "../../support/deadline.ts";
import { textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, type Word } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";

/** What happens to the operation that fails. */
type Fault = "reset" | "end of input" | "close";

/** A connection whose operation number `failAt` fails; reads and writes are short on the way. */
class FaultyConnection implements AcceptedConnection {
  operations = 0;
  isHit = false;
  readonly #conn: Deno.TcpConn;
  readonly #fault: Fault;
  readonly #failAt: number;
  readonly #bytesMax: number;

  constructor(conn: Deno.TcpConn, fault: Fault, failAt: number, bytesMax: number) {
    this.#conn = conn;
    this.#fault = fault;
    this.#failAt = failAt;
    this.#bytesMax = bytesMax;
  }

  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#fails()) {
      if (this.#fault === "end of input") return Promise.resolve(null);
      return Promise.reject(new Deno.errors.ConnectionReset("reset by the test"));
    }
    return this.#conn.read(bytes.subarray(0, this.#bytesMax));
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#fails()) return Promise.reject(new Deno.errors.BrokenPipe("broken by the test"));
    return this.#conn.write(bytes.subarray(0, this.#bytesMax));
  }

  closeWrite(): Promise<void> {
    if (this.#fails()) return Promise.reject(new Error("not connected any more"));
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
    if (this.#fails()) throw new Deno.errors.BadResource("closed by the system already");
  }

  /** Once an operation has failed, so do all that follow. */
  #fails(): boolean {
    if (++this.operations < this.#failAt) return false;
    this.isHit = true;
    if (this.operations === this.#failAt && this.#fault === "close") this.#conn.close();
    return true;
  }
}

const [A, B] = [keyOn(0, 2), keyOn(1, 2)];

/** Requests of every kind, and what they are answered when nothing fails. */
const SCENARIO: readonly (readonly [request: Word[], reply: RespValue])[] = [
  [["SET", A, "a"], "OK"],
  [["SET", B, "b"], "OK"],
  [["MGET", A, B, "nothing"], ["a", "b", null]],
  [["ECHO", "first"], "first"],
  [["DBSIZE"], 2],
  [["SELECT", "1"], "OK"],
  [["SET", A, "x".repeat(700_000)], "OK"],
  [["STRLEN", A], 700_000],
  [["DEL", A, B], 1],
  [["SELECT", "0"], "OK"],
  [["GET", B], "b"],
  [["ECHO", "last"], "last"],
];
const BYTES = encodeRequests(SCENARIO.map(([request]) => request));

/** Sends the scenario over a plain connection and returns all that is answered. */
async function play(port: number): Promise<string> {
  const conn = await Deno.connect({ port, hostname: "127.0.0.1" });
  const sending = (async () => {
    for (let at = 0; at < BYTES.length;) at += await conn.write(BYTES.subarray(at));
    await conn.closeWrite();
  })().catch(() => {}); // the other side may have hung up
  let answer = "";
  const chunk = new Uint8Array(64 * 1024);
  try {
    for (;;) {
      const count = await conn.read(chunk);
      if (count === null) break;
      answer += textOf(chunk.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  await sending;
  conn.close();
  return answer;
}

/** What is answered when nothing fails. */
const WHOLE = SCENARIO.map(([, reply]) => {
  if (typeof reply === "number") return `:${reply}\r\n`;
  if (reply === "OK") return "+OK\r\n";
  if (typeof reply === "string") return `$${reply.length}\r\n${reply}\r\n`;
  return "*3\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n";
}).join("");

for (const fault of ["reset", "end of input", "close"] as const) {
  Deno.test(`a client's connection may fail at any operation (${fault}): nothing is left, nothing wrong was said`, async () => {
    await using servers = await RedisServer.startMany(2);
    await using proxy = await RouterServer.start({ servers });
    using direct = await proxy.client();
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    let failAt = 1;
    for (;;) {
      await direct.call("FLUSHALL");
      const playing = play(port);
      const faulty = new FaultyConnection(await listener.accept(), fault, failAt, 90_000);
      proxy.router.accept(faulty);
      const answer = await playing;
      // What came is the beginning of what was right; half a request at the end may be refused.
      const right = answer.replace(/-ERR handle response, backend conn reset\r\n$/, "");
      assert(WHOLE.startsWith(right), `operation ${failAt}: ${JSON.stringify(answer.slice(-80))}`);
      await until(() => proxy.router.sessions.size === 1);
      await until(() => proxy.leftovers().length === 0);
      if (!faulty.isHit) {
        assertEquals(answer, WHOLE);
        break;
      }
      failAt++;
    }
    assert(failAt > 15, `the scenario has ${failAt} operations only`);
    listener.close();
  });
}

/** A relay to a server that cuts everything once so many bytes have come from the server. */
class CuttingRelay implements Disposable {
  readonly addr: string;
  /** Bytes still to be passed on before the cut; Infinity after it. */
  left = Infinity;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();

  constructor(target: number) {
    this.addr = `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
    void this.#accept(target);
  }

  async #accept(target: number): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ port: target, hostname: "127.0.0.1" });
      this.#open.add(client).add(server);
      void this.#pass(client, server, () => Infinity);
      void this.#pass(server, client, () => this.left);
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, allowed: () => number): Promise<void> {
    const chunk = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await from.read(chunk);
        if (count === null) break;
        const passed = Math.min(count, allowed());
        if (allowed() !== Infinity) this.left -= passed;
        for (let at = 0; at < passed;) at += await to.write(chunk.subarray(at, passed));
        if (this.left <= 0) {
          this.left = Infinity;
          break;
        }
      }
    } catch {
      // Cut from the other side.
    }
    for (const conn of [from, to]) if (this.#open.delete(conn)) conn.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#open) conn.close();
    this.#open.clear();
  }
}

Deno.test("a server's connection may break after any byte: each request is answered once, right or with an error", async () => {
  await using servers = await RedisServer.startMany(2);
  using relay = new CuttingRelay(servers[0]!.port);
  const requests: Word[][] = [
    ["SET", A, "value of a"],
    ["PING", "1"],
    ["GET", A],
    ["MGET", A, B],
    ["PING", "2"],
    ["INCR", `{${A}}n`],
    ["EXISTS", A, B, A],
    ["GET", B],
    ["PING", "3"],
  ];
  const expected: RespValue[] = ["OK", "1", "value of a", ["value of a", "b"], "2", 1, 3, "b", "3"];
  const ofDeadServer = [0, 2, 3, 5, 6];
  let runsWithErrors = 0;
  for (let cutAfter = 1, isUntouched = false; !isUntouched; cutAfter++) {
    for (const server of servers) {
      using direct = await server.client();
      await direct.call("FLUSHALL");
      if (server === servers[1]) await direct.call("SET", B, "b");
    }
    relay.left = cutAfter;
    await using proxy = await RouterServer.start({ servers: [relay, servers[1]!] });
    using client = await proxy.client();
    const replies = (await client.pipeline(requests)).map(({ value }) => value);
    isUntouched = relay.left !== Infinity;
    let failed = 0;
    for (const [i, reply] of replies.entries()) {
      if (reply instanceof ReplyError && ofDeadServer.includes(i)) {
        assertMatch(reply.message, /backend conn failure/);
        failed++;
      } else {
        assertEquals(reply, expected[i], `cut after ${cutAfter} bytes, request ${i}`);
      }
    }
    if (failed > 0) runsWithErrors++;
    assert(failed === 0 || !isUntouched, `cut after ${cutAfter} bytes`);
    await until(async () => await client.call("PING", "on") === "on");
    await until(() => proxy.leftovers().length === 0);
    // The server is back at once, for this client too.
    await until(async () => !(await client.call("EXISTS", A) instanceof ReplyError));
  }
  assert(runsWithErrors > 40, `${runsWithErrors} runs with errors`);
});
