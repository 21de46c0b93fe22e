/**
 * Bytes that clients and servers might send, in order or not: arbitraries for fuzzers.
 *
 * @module
 */

import fc from "fast-check";

/** Text of any bytes, one character each. */
const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => String.fromCharCode(...bytes));

const word = fc.oneof(
  anyBytes,
  fc.constantFrom("GET", "SET", "k", "", "\r\n", "*1\r\n", "$4\r\nPING\r\n", "x".repeat(300)),
);

/** A request as client libraries send it. */
const multibulk = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) =>
  `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join("")}`
);

/** A request as people type it. */
const inline = fc.array(
  fc.constantFrom("PING", "a", '"b c"', "'d'", '"\\x41"', '"', "'", "\t", "\v", "\\", "\0", "e"),
  { maxLength: 5 },
).map((parts) => `${parts.join(" ")}\r\n`);

const nothing = fc.constantFrom("*0\r\n", "*-1\r\n", "\r\n", "\n", " \r\n");

/** Requests in order, one after the other. */
export const requestStream: fc.Arbitrary<string> = fc.array(
  fc.oneof({ weight: 5, arbitrary: multibulk }, inline, nothing),
  { maxLength: 6 },
).map((requests) => requests.join(""));

/** What may come in the place of something else. */
const splinter = fc.oneof(
  anyBytes,
  fc.constantFrom("\r", "\n", "\r\n", "*", "$", "-", "+", ":", "0", "00", "1", "-1", "99999", "\0"),
  fc.constantFrom("2147483648", "9".repeat(16), "9".repeat(25), "536870913", "1048577", "*3\r\n$"),
);

/** One mistake: at a place (a share of the length) some bytes give way to others. */
const mistake = fc.record({
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.nat({ max: 6 }),
  put: splinter,
});

/** A text with mistakes in it. */
export function withMistakes(stream: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(stream, fc.array(mistake, { minLength: 1, maxLength: 3 })).map(
    ([text, mistakes]) => {
      for (const { place, removed, put } of mistakes) {
        const at = Math.floor(place * text.length);
        text = text.slice(0, at) + put + text.slice(at + removed);
      }
      return text;
    },
  );
}

/** Anything at all that a client might send. */
export const clientBytes: fc.Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: requestStream },
  { weight: 6, arbitrary: withMistakes(requestStream) },
  { weight: 1, arbitrary: anyBytes },
  { weight: 1, arbitrary: fc.array(splinter, { maxLength: 12 }).map((all) => all.join("")) },
);

/** A reply of any type, as a server sends it. */
export const reply: fc.Arbitrary<string> = fc.letrec<{ reply: string }>((tie) => {
  const line = fc.constantFrom(
    "+OK",
    "-ERR x",
    ":12",
    ":-1",
    "_",
    "#t",
    ",1.5",
    "(123",
    "+",
    "$-1",
    "*-1",
  );
  const bulk = fc.tuple(fc.constantFrom("$", "=", "!"), word).map(([type, text]) =>
    `${type}${text.length}\r\n${text}`
  );
  const aggregate = fc.tuple(
    fc.constantFrom("*", "~", ">", "%"),
    fc.array(tie("reply"), { maxLength: 4 }),
  ).map(([type, values]) => {
    const count = type === "%" ? values.length >> 1 : values.length;
    const used = type === "%" ? values.slice(0, 2 * count) : values;
    return `${type}${count}\r\n${used.join("")}`;
  });
  const withEnd = (value: fc.Arbitrary<string>) => value.map((text) => `${text}\r\n`);
  return {
    reply: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      withEnd(line),
      withEnd(bulk),
      aggregate,
    ),
  };
}).reply;

/** Where to cut: shares of the length. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
  maxLength: 8,
});

/** Cuts bytes at shares of their length. */
export function cutAt(
  bytes: Uint8Array<ArrayBuffer>,
  shares: readonly number[],
): Uint8Array<ArrayBuffer>[] {
  const places = [0, ...shares.map((share) => Math.floor(share * bytes.length)), bytes.length]
    .sort((a, b) => a - b);
  return places.slice(1).map((end, i) => bytes.slice(places[i], end)).filter((p) => p.length > 0);
}
