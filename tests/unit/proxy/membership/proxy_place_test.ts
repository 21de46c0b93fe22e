/**
 * By which name others reach the machine of a proxy.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { machineName } from "../../../../src/proxy/membership/proxy_place.ts";

/** The machine's name, its addresses, and what others are told. */
const CASES: readonly (readonly [string, readonly string[], string])[] = [
  ["proxy-1", ["127.0.0.1", "10.0.0.7"], "proxy-1"],
  ["localhosts.example", ["127.0.0.1", "10.0.0.7"], "localhosts.example"],
  // As a machine is called that nobody has named.
  ["localhost.localdomain", ["127.0.0.1", "::1", "fe80::1", "10.0.0.7"], "10.0.0.7"],
  ["localhost", ["::1", "fe80::1", "2001:db8::7"], "2001:db8::7"],
  ["", ["127.0.0.1", "2001:db8::7", "10.0.0.7"], "10.0.0.7"],
  // Nobody else can reach it.
  ["localhost", ["127.0.0.1", "::1", "fe80::1"], "localhost"],
  ["", ["127.0.0.1"], "localhost"],
];

for (const [name, own, told] of CASES) {
  Deno.test(`a machine called "${name}" with ${own.join(", ")} is reached by others as ${told}`, () => {
    assertEquals(machineName(name, own), told);
  });
}
