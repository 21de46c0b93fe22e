/**
 * What the encoder guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  asSent,
  Encoder,
  encodeRequest,
  errorReply,
  type Protocol,
  quoted,
  QUOTED_BYTES_MAX,
} from "../../../src/resp/encoder.ts";
import { latin1, textOf } from "../../support/pieces.ts";

/** A value in RESP2 and in RESP3. */
const VALUES: readonly (readonly [
  name: string,
  put: (out: Encoder) => Encoder,
  resp2: string,
  resp3: string,
])[] = [
  ["a simple string", (out) => out.simple("OK"), "+OK\r\n", "+OK\r\n"],
  ["an error", (out) => out.error("ERR x"), "-ERR x\r\n", "-ERR x\r\n"],
  ["an integer", (out) => out.integer(-5), ":-5\r\n", ":-5\r\n"],
  [
    "an integer of 64 bits",
    (out) => out.integer(9223372036854775807n),
    ":9223372036854775807\r\n",
    ":9223372036854775807\r\n",
  ],
  [
    "a bulk",
    (out) => out.bulk("h\u00e9\r\n"),
    "$5\r\nh\xc3\xa9\r\n\r\n",
    "$5\r\nh\xc3\xa9\r\n\r\n",
  ],
  ["a bulk of bytes", (out) => out.bulk(latin1("\xff\0")), "$2\r\n\xff\0\r\n", "$2\r\n\xff\0\r\n"],
  ["a verbatim text", (out) => out.verbatim("a\nb"), "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"],
  ["a null", (out) => out.null(), "$-1\r\n", "_\r\n"],
  ["a null in an array's place", (out) => out.nullArray(), "*-1\r\n", "_\r\n"],
  ["an array", (out) => out.array(1).integer(1), "*1\r\n:1\r\n", "*1\r\n:1\r\n"],
  [
    "a map",
    (out) => out.map(1).bulk("a").integer(1),
    "*2\r\n$1\r\na\r\n:1\r\n",
    "%1\r\n$1\r\na\r\n:1\r\n",
  ],
  ["a set", (out) => out.set(1).integer(1), "*1\r\n:1\r\n", "~1\r\n:1\r\n"],
];

for (const [name, put, resp2, resp3] of VALUES) {
  Deno.test(`Encoder writes ${name} in the protocol of the session`, () => {
    const written = (protocol: Protocol) => textOf(put(new Encoder(protocol)).done());
    assertEquals([written(2), written(3)], [resp2, resp3]);
  });
}

Deno.test("Encoder lets no error text end its line early", () => {
  assertEquals(textOf(errorReply("ERR a\r\n+OK\r\n")), "-ERR a  +OK  \r\n");
});

Deno.test("Encoder grows with what it is given, one value or many", () => {
  const large = "v".repeat(1_000_000);
  assertEquals(new Encoder(2).bulk(large).done().length, 1_000_000 + "$1000000\r\n\r\n".length);
  const many = new Encoder(2).array(100_000);
  for (let i = 0; i < 100_000; i++) many.integer(7);
  assertEquals(many.done().length, "*100000\r\n".length + 400_000);
});

Deno.test("Encoder copies raw bytes: what happens to them later changes nothing", () => {
  const bytes = latin1("+OK\r\n");
  const reply = new Encoder(2).raw(bytes).done();
  bytes.fill(0);
  assertEquals(textOf(reply), "+OK\r\n");
});

Deno.test("encodeRequest() writes an array of bulks, whatever the arguments hold", () => {
  const request = encodeRequest(["SET", "k\r\n", latin1("\0\xff"), ""]);
  assertEquals(textOf(request), "*4\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$2\r\n\0\xff\r\n$0\r\n\r\n");
});

Deno.test("an error's characters up to U+00FF are bytes; with others in it the text is UTF-8", () => {
  assertEquals([...errorReply("a\xe9\x80")], [...latin1("-a\xe9\x80\r\n")]);
  assertEquals(new TextDecoder().decode(errorReply("a\xe9\u20ac")), "-a\xe9\u20ac\r\n");
  const bytes = latin1(`a\xe9${"b".repeat(1000)}`);
  assertEquals(asSent(bytes, 0, bytes.length), `a\xe9${"b".repeat(QUOTED_BYTES_MAX - 2)}`);
  assertEquals(asSent(latin1("ab\0c"), 0, 4), "ab");
});

Deno.test("quoted() cuts a client's bytes and escapes all that is not printable ASCII", () => {
  const bytes = latin1(`--a\r\n\x7f\xe9~ ${"b".repeat(1000)}`);
  const text = quoted(bytes, 2, bytes.length);
  assert(text.startsWith("a\\x0d\\x0a\\x7f\\xe9~ bbb"));
  assertEquals(text.replace(/\\x../g, "?").length, QUOTED_BYTES_MAX);
  assertEquals(quoted(bytes, 2, 3), "a");
});
