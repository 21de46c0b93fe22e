/**
 * What clients may send, and what a parser must find in it: data for every test of the request side.
 *
 * @module
 */

/** One input and what is in it; texts stand for bytes, one character each. */
export interface RequestCase {
  readonly name: string;
  readonly bytes: string;
  /** The requests that are found, as words. */
  readonly requests: readonly (readonly string[])[];
  /** The protocol error after them, without `ERR Protocol error: `. */
  readonly error?: string;
  /** Whether the client has not authenticated; Redis's narrower limits are in force then. */
  readonly isBeforeAuth?: boolean;
  /** Why redis-server answers this otherwise. */
  readonly differs?: string;
}

const bulk = (length: number) => `$${length}\r\n${"x".repeat(length)}\r\n`;
const echo = (text: string) => `*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`;
const words = (count: number) => Array.from({ length: count }, () => "w");

/** Requests that are in order. */
const GOOD: readonly RequestCase[] = [
  { name: "a command without arguments", bytes: "*1\r\n$4\r\nPING\r\n", requests: [["PING"]] },
  { name: "a command with an argument", bytes: echo("hello"), requests: [["ECHO", "hello"]] },
  {
    name: "an empty argument",
    bytes: "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    requests: [["ECHO", ""]],
  },
  {
    name: "an argument of CR LF and what looks like a request",
    bytes: echo("\r\n*1\r\n$4\r\nPING\r\n"),
    requests: [["ECHO", "\r\n*1\r\n$4\r\nPING\r\n"]],
  },
  {
    name: "bytes of every value",
    bytes: echo(String.fromCharCode(...Array(256).keys())),
    requests: [["ECHO", String.fromCharCode(...Array(256).keys())]],
  },
  {
    name: "lengths of one, two, three and five digits",
    bytes: [9, 10, 99, 100, 16_384].map((n) => echo("y".repeat(n))).join(""),
    requests: [9, 10, 99, 100, 16_384].map((n) => ["ECHO", "y".repeat(n)]),
  },
  {
    name: "a pipeline",
    bytes: echo("a") + "*1\r\n$4\r\nPING\r\n" + echo("b"),
    requests: [["ECHO", "a"], ["PING"], ["ECHO", "b"]],
  },
  {
    name: "empty and negative arrays, which ask for nothing",
    bytes: "*0\r\n*-1\r\n*-7\r\n" + echo("a") + "*0\r\n",
    requests: [["ECHO", "a"]],
  },
  {
    name: "more arguments than most commands have",
    bytes: `*1001\r\n$6\r\nEXISTS\r\n${"$1\r\nw\r\n".repeat(1000)}`,
    requests: [["EXISTS", ...words(1000)]],
  },
  { name: "an inline command", bytes: "ECHO hello\r\n", requests: [["ECHO", "hello"]] },
  { name: "an inline command that ends in LF alone", bytes: "PING\n", requests: [["PING"]] },
  {
    name: "an inline command between blanks",
    bytes: "  ECHO \t  hello \t\r\n",
    requests: [["ECHO", "hello"]],
  },
  {
    name: "blank lines between inline commands",
    bytes: "\r\n\n  \r\nPING\r\n\r\n",
    requests: [["PING"]],
  },
  {
    name: "inline commands and arrays in turn",
    bytes: "PING\r\n" + echo("a") + "ECHO b\n" + echo("c"),
    requests: [["PING"], ["ECHO", "a"], ["ECHO", "b"], ["ECHO", "c"]],
  },
  {
    name: "an inline command with quotes",
    bytes: `ECHO "a b\\x41\\n" \r\nECHO 'it\\'s'\r\n`,
    requests: [["ECHO", "a bA\n"], ["ECHO", "it's"]],
  },
  {
    name: "an inline command with an empty word",
    bytes: `ECHO ""\r\n`,
    requests: [["ECHO", ""]],
  },
  {
    name: "an inline command that ends at a NUL byte",
    bytes: "PING\0 never seen\r\n",
    requests: [["PING"]],
    differs: "Redis 7.0 does not see the end of such a line, later ones do",
  },
  {
    name: "an inline command of 64 KB",
    bytes: `ECHO ${"z".repeat(65_536 - 5)}\r\n`,
    requests: [["ECHO", "z".repeat(65_536 - 5)]],
  },
  {
    name: "ten arguments and a bulk of 16 KB before AUTH",
    bytes: `*10\r\n$4\r\nAUTH\r\n${"$1\r\nw\r\n".repeat(8)}${bulk(16_384)}`,
    requests: [["AUTH", ...words(8), "x".repeat(16_384)]],
    isBeforeAuth: true,
  },
];

/** Requests that break the protocol, each after one that does not. */
const BAD: readonly RequestCase[] = ([
  ["a count that is no number", "*abc\r\n", "invalid multibulk length"],
  ["a count with trailing letters", "*1x\r\n", "invalid multibulk length"],
  ["an empty count", "*\r\n", "invalid multibulk length"],
  ["a count with a plus sign", "*+1\r\n", "invalid multibulk length"],
  ["a count with leading zeros", "*01\r\n", "invalid multibulk length"],
  ["a count of minus zero", "*-0\r\n", "invalid multibulk length"],
  ["a count with a blank", "* 1\r\n", "invalid multibulk length"],
  ["a lone minus as count", "*-\r\n", "invalid multibulk length"],
  ["a fraction as count", "*1.5\r\n", "invalid multibulk length"],
  ["a count past 32 bits", "*3000000000\r\n", "invalid multibulk length"],
  ["a count past 64 bits", "*99999999999999999999\r\n", "invalid multibulk length"],
  ["an array in an array", "*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'"],
  ["an integer in an array", "*1\r\n:1\r\n", "expected '$', got ':'"],
  ["a letter where a bulk begins", "*1\r\nPING\r\n", "expected '$', got 'P'"],
  ["a bulk length that is no number", "*1\r\n$abc\r\n", "invalid bulk length"],
  ["an empty bulk length", "*1\r\n$\r\n", "invalid bulk length"],
  ["a bulk length with leading zeros", "*1\r\n$04\r\nPING\r\n", "invalid bulk length"],
  ["a bulk length with a plus sign", "*1\r\n$+4\r\nPING\r\n", "invalid bulk length"],
  ["a null bulk", "*1\r\n$-1\r\n", "invalid bulk length"],
  ["a negative bulk length", "*2\r\n$4\r\nECHO\r\n$-5\r\n", "invalid bulk length"],
  ["a bulk of more than 512 MB", "*1\r\n$536870913\r\n", "invalid bulk length"],
  ["a bulk length past 64 bits", "*1\r\n$99999999999999999999\r\n", "invalid bulk length"],
  ["an unclosed double quote", `ECHO "abc\r\n`, "unbalanced quotes in request"],
  ["an unclosed single quote", "ECHO 'abc\r\n", "unbalanced quotes in request"],
  ["a letter after a closing quote", `ECHO "a"b\r\n`, "unbalanced quotes in request"],
  ["a count without end", "*" + "1".repeat(70_000), "too big mbulk count string"],
  ["a bulk length without end", "*1\r\n$" + "1".repeat(70_000), "too big bulk count string"],
  ["an inline command without end", "x".repeat(70_000), "too big inline request"],
] as const).map(([name, bytes, error]) => ({
  name,
  bytes: echo("before") + bytes,
  requests: [["ECHO", "before"]],
  error,
}));

/** Limits that hold before AUTH only. */
const BEFORE_AUTH: readonly RequestCase[] = [
  {
    name: "eleven arguments before AUTH",
    bytes: "*11\r\n",
    requests: [],
    error: "unauthenticated multibulk length",
    isBeforeAuth: true,
  },
  {
    name: "a bulk above 16 KB before AUTH",
    bytes: "*2\r\n$4\r\nAUTH\r\n$16385\r\n",
    requests: [],
    error: "unauthenticated bulk length",
    isBeforeAuth: true,
  },
];

/** Where this proxy is stricter than Redis, because it forwards the client's own bytes. */
const STRICTER: readonly RequestCase[] = [
  {
    name: "a bulk that is not followed by CR LF",
    bytes: "*1\r\n$4\r\nPINGXY",
    requests: [],
    error: "bulk is not followed by CR LF",
    differs: "Redis skips two bytes, whatever they are",
  },
  {
    name: "a count that ends in CR and a letter",
    bytes: "*1\rX$4\r\nPING\r\n",
    requests: [],
    error: "invalid multibulk length",
    differs: "Redis skips the byte after CR, whatever it is",
  },
  {
    name: "a bulk length that ends in LF alone",
    bytes: "*1\r\n$4\nPING\r\n",
    requests: [],
    error: "invalid bulk length",
    differs: "Redis waits for a CR",
  },
  {
    name: "a letter where a bulk begins that is not printable",
    bytes: "*1\r\n\x01",
    requests: [],
    error: "expected '$', got '\\x01'",
    differs: "Redis puts the byte itself into its answer",
  },
];

/** Every case. */
export const REQUEST_CASES: readonly RequestCase[] = [
  ...GOOD,
  ...BAD,
  ...BEFORE_AUTH,
  ...STRICTER,
];
