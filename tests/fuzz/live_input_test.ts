/**
 * Broken input against a running proxy: an error text or a clean end, never a crash, and no other
 * client notices.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import fc from "fast-check";
import { clientBytes, cutAt, cuts } from "../support/arbitrary_bytes.ts";
import { FUZZ_SEED, fuzzCases } from "../support/fuzz.ts";
import { latin1, textOf } from "../support/pieces.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { REQUEST_CASES } from "../support/request_cases.ts";
import { RespClient } from "../support/resp_client.ts";

/** Broken clients at one time. */
const AT_ONCE = 20;

/** What is not even meant to be Redis's protocol, or breaks it in ways a parser alone cannot see. */
const STRANGERS: readonly (readonly [name: string, bytes: string])[] = [
  ["a browser", "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"],
  ["a form", "POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nFLUSHALL\r\n"],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\xab".repeat(500)],
  ["SSH", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["a memcached client", "set k 0 0 5\r\nhello\r\nget k\r\n"],
  ["replies instead of requests", "+OK\r\n:1\r\n$5\r\nhello\r\n*-1\r\n"],
  ["RESP3 instead of requests", "%1\r\n+a\r\n_\r\n~2\r\n#t\r\n,1.5\r\n"],
  ["a push", ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n"],
  ["a streamed array", "*?\r\n$1\r\na\r\n.\r\n"],
  ["zero bytes", "\0".repeat(100_000)],
  ["line ends alone", "\r\n".repeat(50_000)],
  ["empty arrays alone", "*0\r\n".repeat(50_000)],
  ["ten thousand arrays in each other", "*1\r\n".repeat(10_000)],
  ["a command with an empty name", "*1\r\n$0\r\n\r\n*2\r\n$0\r\n\r\n$1\r\nx\r\n"],
  ["a command with a name of 100 KB", `*1\r\n$100000\r\n${"N".repeat(100_000)}\r\n`],
  ["a command with a name of line ends", "*1\r\n$8\r\n\r\n+OK\r\n\r\n\r\n"],
  ["a count that promises more than comes", "*1000000\r\n$4\r\nMGET\r\n$1\r\na\r\n"],
  ["a length that promises more than comes", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\nabc"],
  ["half a request", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel"],
  ["one byte", "*"],
  ["nothing", ""],
  ["a key of 1 MB", `*2\r\n$3\r\nGET\r\n$1000000\r\n${"k".repeat(1_000_000)}\r\n`],
  ["1000 unknown commands", "*1\r\n$3\r\nFOO\r\n".repeat(1000)],
  ["keys of any bytes", "*3\r\n$3\r\nSET\r\n$4\r\n\xff\xfe\0{\r\n$1\r\n}\r\n"],
  ["EVAL without keys it promises", "*3\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$10\r\n9999999999\r\n"],
  ["EVAL with a negative count", "*3\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$2\r\n-1\r\n"],
  [
    "ZUNIONSTORE with too many keys",
    "*4\r\n$11\r\nZUNIONSTORE\r\n$1\r\nd\r\n$3\r\n100\r\n$1\r\na\r\n",
  ],
  ["XREAD without ids", "*3\r\n$5\r\nXREAD\r\n$7\r\nSTREAMS\r\n$1\r\na\r\n"],
  ["SELECT of no number", "*2\r\n$6\r\nSELECT\r\n$20\r\n99999999999999999999\r\n"],
  ["HELLO of no version", "*2\r\n$5\r\nHELLO\r\n$4\r\n\xff\xff\xff\xff\r\n"],
  ["SCAN with a bad cursor", "*2\r\n$4\r\nSCAN\r\n$3\r\n-1x\r\n"],
];

/** A client that does its own work all the time and is not to notice anything. */
class Bystander {
  rounds = 0;
  #isRunning = true;
  readonly #done: Promise<void>;

  constructor(client: RespClient, id: number) {
    this.#done = this.#run(client, id);
    this.#done.catch(() => {});
  }

  async #run(client: RespClient, id: number): Promise<void> {
    using _closing = client;
    while (this.#isRunning) {
      const value = `${id}:${++this.rounds}`;
      const replies = await client.pipeline([
        ["SET", `bystander:${id}`, value],
        ["MGET", `bystander:${id}`, `nothing:${id}`],
        ["ECHO", value],
      ]);
      assertEquals(replies.map((reply) => reply.value), ["OK", [value, null], value]);
      await delay(2);
    }
  }

  async finish(): Promise<void> {
    this.#isRunning = false;
    await this.#done;
    assert(this.rounds > 0);
  }
}

/** Sends bytes in pieces and ends the sending direction; returns all that is answered. */
async function answerTo(port: number, pieces: Iterable<Uint8Array>): Promise<string> {
  using client = await RespClient.connect(port);
  const sending = (async () => {
    for (const piece of pieces) await client.sendRaw(piece);
    await client.closeWrite();
  })().catch(() => {}); // the proxy may hang up before it has read all
  const answer = await client.readToEnd();
  await sending;
  return textOf(answer);
}

async function withBystanders(work: (proxy: ProxyProcess) => Promise<void>): Promise<void> {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers });
  const bystanders = await Promise.all(
    Array.from({ length: 4 }, async (_, id) => new Bystander(await proxy.client(), id)),
  );
  await work(proxy);
  for (const bystander of bystanders) await bystander.finish();
  assert(!proxy.child.hasEnded, proxy.stdout + proxy.stderr);
  assert(!/uncaught|unhandled|panic/i.test(proxy.stdout + proxy.stderr), proxy.stderr);
}

Deno.test("every kind of broken input is answered with an error or a clean end, and nobody else notices", async () => {
  await withBystanders(async (proxy) => {
    for (const { name, bytes, error, isBeforeAuth } of REQUEST_CASES) {
      if (isBeforeAuth) continue;
      const answer = await answerTo(proxy.port, [latin1(bytes)]);
      const complaints = answer.match(/-ERR Protocol error: [ -~]*\r\n/g) ?? [];
      assertEquals(
        complaints,
        error === undefined ? [] : [`-ERR Protocol error: ${error}\r\n`],
        name,
      );
      if (error !== undefined) assert(answer.endsWith(complaints[0]!), "the error comes last");
    }
    for (const [name, bytes] of STRANGERS) {
      const answer = await answerTo(proxy.port, [latin1(bytes)]);
      // Errors and replies to what happened to be requests, whole lines all of them.
      assert(
        answer === "" || answer.endsWith("\r\n"),
        `${name}: ${JSON.stringify(answer.slice(-50))}`,
      );
    }
  });
});

Deno.test("clients that break off anywhere leave nothing behind", async () => {
  await withBystanders(async (proxy) => {
    const request = latin1(
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    );
    for (let cut = 0; cut <= request.length; cut++) {
      const client = await proxy.client();
      await client.sendRaw(request.subarray(0, cut));
      client.close();
    }
    const info = async () => {
      using client = await proxy.client();
      return await client.call("INFO", "clients") as string;
    };
    // Four bystanders and the one who asks.
    while (!(await info()).includes("connected_clients:5\r\n")) {
      await delay(20);
    }
  });
});

Deno.test("any bytes at all are answered with whole lines or a clean end, and nobody else notices", async () => {
  await withBystanders(async (proxy) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(clientBytes, cuts), { minLength: AT_ONCE, maxLength: AT_ONCE }),
        async (inputs) => {
          const answers = await Promise.all(
            inputs.map(([text, shares]) => answerTo(proxy.port, cutAt(latin1(text), shares))),
          );
          for (const [i, answer] of answers.entries()) {
            assert(answer === "" || answer.endsWith("\r\n"), JSON.stringify(inputs[i]));
          }
        },
      ),
      { numRuns: Math.ceil(fuzzCases(1200) / AT_ONCE), seed: FUZZ_SEED, endOnFailure: true },
    );
  });
});
