/**
 * How addresses are read and written.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  formatAddress,
  parseAddress,
  parseListenAddress,
  reachableHere,
} from "../../../src/base/address.ts";

const GOOD = [
  ["127.0.0.1:6379", "127.0.0.1", 6379],
  ["redis-1.local:1", "redis-1.local", 1],
  ["my_host:65535", "my_host", 65535],
  ["[::1]:6379", "::1", 6379],
  ["[fe80::1%eth0]:6379", "fe80::1%eth0", 6379],
] as const;

for (const [text, hostname, port] of GOOD) {
  Deno.test(`parseAddress() reads ${text} and formatAddress() writes it back`, () => {
    assertEquals(parseAddress(text), { hostname, port });
    assertEquals(formatAddress({ hostname, port }), text);
  });
}

Deno.test("parseAddress() makes one address of two spellings", () => {
  for (const text of ["[0:0:0:0:0:0:0:1]:6379", "[::0001]:6379", "[0::1]:6379"]) {
    assertEquals(formatAddress(parseAddress(text)), "[::1]:6379");
  }
  assertEquals(parseAddress("[FD00::A%eth0]:1").hostname, "fd00::a%eth0");
  assertEquals(parseAddress("[::ffff:127.0.0.1]:1").hostname, "::ffff:127.0.0.1");
  // `[$(POD_IP)]:9000`, whatever the pod's address is.
  assertEquals(formatAddress(parseAddress("[10.0.0.1]:9000")), "10.0.0.1:9000");
});

const BAD = [
  ["", "has no port"],
  ["localhost", "has no port"],
  [":6379", "has no host"],
  ["a:0", "has port 0"],
  ["a:", "has a bad port"],
  ["a:65536", "has a bad port"],
  ["a:+1", "has a bad port"],
  ["a:http", "has a bad port"],
  ["::1:6379", "needs brackets around IPv6"],
  ["[::1]", "has no port"],
  ["fe80::1%eth0:6379", "needs brackets around IPv6"],
  ["a:1 b:2", "has a bad host"],
  ["a:1;b:2", "has a bad host"],
  ["[localhost]:1", "has a bad host"],
  ["[1::2::3]:1", "has a bad host: no IPv6 address"],
  ["[1:2]:1", "has a bad host: no IPv6 address"],
  ["a b:1", "has a bad host"],
  ["http://a:1", "is a URL: write host:port alone"],
  ["redis://a", "is a URL: write host:port alone"],
] as const;

for (const [text, rule] of BAD) {
  Deno.test(`parseAddress() refuses "${text}": ${rule}`, () => {
    assertThrows(() => parseAddress(text), SyntaxError, `address "${text}" ${rule}`);
  });
}

Deno.test("reachableHere() names a host of this machine where every interface is listened on", () => {
  const hosts = ["", "0.0.0.0", "::", "::1", "10.0.0.1", "proxy-1"];
  const here = (own: readonly string[]) =>
    hosts.map((hostname) => formatAddress(reachableHere({ hostname, port: 1 }, () => own)));
  assertEquals(here(["127.0.0.1", "::1"]), [
    ...["127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1", "[::1]:1", "10.0.0.1:1", "proxy-1:1"],
  ]);
  // IPv6 alone.
  assertEquals(here(["::1"]), [
    ...["[::1]:1", "127.0.0.1:1", "[::1]:1", "[::1]:1", "10.0.0.1:1", "proxy-1:1"],
  ]);
});

Deno.test("parseListenAddress() allows every interface and any port", () => {
  assertEquals(parseListenAddress(":9000"), { hostname: "", port: 9000 });
  assertEquals(parseListenAddress("127.0.0.1:0"), { hostname: "127.0.0.1", port: 0 });
});
