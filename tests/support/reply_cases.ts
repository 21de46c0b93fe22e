/**
 * What servers may send: data for every test of the reply side.
 *
 * @module
 */

/** One reply as its bytes, one character for each; the types are those of RESP2 and RESP3. */
export const REPLIES: readonly (readonly [name: string, bytes: string])[] = [
  ["a simple string", "+OK\r\n"],
  ["an empty simple string", "+\r\n"],
  ["a simple string longer than a short line", `+${"s".repeat(500)}\r\n`],
  ["an error", "-ERR some text\r\n"],
  ["an integer", ":12345\r\n"],
  ["a negative integer", ":-9223372036854775808\r\n"],
  ["a bulk", "$5\r\nhello\r\n"],
  ["an empty bulk", "$0\r\n\r\n"],
  ["a bulk of line ends", "$6\r\n\r\n+\r\n\n\r\n"],
  ["a bulk of every byte", `$256\r\n${String.fromCharCode(...Array(256).keys())}\r\n`],
  ["a bulk of some size", `$10000\r\n${"b".repeat(10_000)}\r\n`],
  ["a null bulk", "$-1\r\n"],
  ["an empty array", "*0\r\n"],
  ["a null array", "*-1\r\n"],
  ["an array", "*3\r\n$1\r\na\r\n:1\r\n+x\r\n"],
  ["an array of nulls", "*2\r\n$-1\r\n*-1\r\n"],
  ["an array of arrays", "*2\r\n*1\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n"],
  ["an array of eleven", `*11\r\n${":0\r\n".repeat(11)}`],
  ["a RESP3 null", "_\r\n"],
  ["a boolean", "#t\r\n"],
  ["a double", ",3.25\r\n"],
  ["an infinite double", ",-inf\r\n"],
  ["a big number", "(-1234567999999999999999999999999999999\r\n"],
  ["a blob error", "!21\r\nSYNTAX invalid syntax\r\n"],
  ["a verbatim string", "=15\r\ntxt:Some string\r\n"],
  ["an empty map", "%0\r\n"],
  ["a map", "%2\r\n+a\r\n:1\r\n$1\r\nb\r\n*1\r\n_\r\n"],
  ["a set", "~3\r\n+a\r\n#f\r\n,1.5\r\n"],
  ["a push", ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n"],
  ["an attribute and what it describes", "|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n:2\r\n"],
  ["an attribute inside an array", "*2\r\n:1\r\n|1\r\n+x\r\n%1\r\n+y\r\n_\r\n:2\r\n"],
  ["an attribute of no entries", "|0\r\n+OK\r\n"],
  ["a map of maps", "%1\r\n+a\r\n%1\r\n+b\r\n%1\r\n+c\r\n~0\r\n"],
];
