/**
 * What the request parser finds, and how it complains, is what a real redis-server does.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { splitInline } from "../../../src/resp/inline.ts";
import { fuzzParameters } from "../../support/fuzz.ts";
import { latin1, textOf } from "../../support/pieces.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";
import { REQUEST_CASES } from "../../support/request_cases.ts";

/** Sends bytes, ends the sending direction, and returns all that is answered. */
async function answerTo(port: number, bytes: Uint8Array): Promise<string> {
  using client = await RespClient.connect(port);
  // The server may hang up before it has read all.
  await client.sendRaw(bytes).then(() => client.closeWrite()).catch(() => {});
  return textOf(await client.readToEnd());
}

Deno.test("redis-server complains of broken requests in the words the parser uses", async () => {
  await using redis = await RedisServer.start({ args: ["--requirepass", "secret"] });
  const login = "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n";
  let compared = 0;
  for (const { name, bytes, error, isBeforeAuth, differs } of REQUEST_CASES) {
    if (differs !== undefined) continue;
    const answer = await answerTo(redis.port, latin1((isBeforeAuth ? "" : login) + bytes));
    const complaints = answer.match(/-ERR Protocol error: .*\r\n/g) ?? [];
    assertEquals(
      complaints,
      error === undefined ? [] : [`-ERR Protocol error: ${error}\r\n`],
      name,
    );
    compared++;
  }
  assert(compared > 40, `only ${compared} cases were compared`);
});

Deno.test("redis-server splits inline commands with any quotes into the words we find", async () => {
  await using redis = await RedisServer.start();
  const letters = ["a", "4", "x", "n", '"', "'", "\\", " ", "\t", "\v", "\f", "\r", "\xe9"];
  const line = fc.array(fc.constantFrom(...letters, '"', "\\x41", '" ', "' "), { maxLength: 24 })
    .map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(line, async (text) => {
      const bytes = latin1(text);
      const inline = splitInline(bytes, 0, bytes.length);
      const answer = await answerTo(redis.port, latin1(`EVAL "return ARGV" 0 ${text}\r\n`));
      if (inline === null) {
        assertEquals(answer, "-ERR Protocol error: unbalanced quotes in request\r\n");
      } else {
        const words = Array.from(
          { length: inline.count },
          (_, i) => inline.bytes.subarray(inline.spans[2 * i], inline.spans[2 * i + 1]),
        );
        assertEquals(answer, textOf(encodeRequests([words])));
      }
    }),
    fuzzParameters(1000),
  );
});
