/**
 * Where a dashboard says that it is: where others reach it, also when two share a config file.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { formatAddress, parseListenAddress } from "../../../../src/base/address.ts";
import { announcedAddress } from "../../../../src/cli/dashboard/announced_address.ts";
import { parseConfig } from "../../../../src/config/load.ts";

/** `dashboard_addr`, `--addr`, and what is announced. */
const CASES = [
  // As in Codis 2.0.
  ["10.0.0.21:18087", ":18087", "10.0.0.21:18087"],
  ["dash:18087", "0.0.0.0:18087", "dash:18087"],
  // A load balancer, or a server with TLS on the same machine, stands before it.
  ["dash:80", ":18087", "dash:80"],
  ["dash:443", "127.0.0.1:18087", "dash:443"],
  // Two on one machine, or on two, with one config file.
  ["127.0.0.1:18087", "127.0.0.1:18088", "127.0.0.1:18088"],
  ["127.0.0.1:18087", "127.0.0.2:18087", "127.0.0.2:18087"],
  ["localhost:18087", "127.0.0.1:18088", "localhost:18088"],
  ["localhost:18087", ":18088", "localhost:18088"],
  ["localhost:18087", "[::]:18088", "localhost:18088"],
  ["10.0.0.21:18087", "10.0.0.21:18088", "10.0.0.21:18088"],
  ["10.0.0.21:18087", "10.0.0.22:18087", "10.0.0.22:18087"],
  ["localhost:18087", "10.0.0.22:18087", "10.0.0.22:18087"],
  // Its certificate names the host of dashboard_addr.
  ["https://dash-1:18087", "10.0.0.22:18087", "dash-1:18087"],
  ["https://dash-1:18087", "dash-1:18088", "dash-1:18088"],
  // Which port it will be is not known yet.
  ["127.0.0.1:18087", "127.0.0.1:0", "127.0.0.1:18087"],
  ["", ":18087", "127.0.0.1:18087"],
  ["", "10.0.0.22:18087", "10.0.0.22:18087"],
] as const;

for (const [given, asked, announced] of CASES) {
  Deno.test(`with dashboard_addr = ${given} and --addr=${asked}, ${announced} is announced`, () => {
    const { config } = parseConfig(given === "" ? "" : `dashboard_addr = ${given}`, "test");
    const address = announcedAddress(parseListenAddress(asked), config);
    assertEquals(formatAddress(address), announced);
  });
}

Deno.test("with proto = tcp6 and no host, a dashboard is announced where it listens: at ::1", () => {
  const { config } = parseConfig("proto = tcp6", "test");
  assertEquals(
    formatAddress(announcedAddress(parseListenAddress(":18087"), config)),
    "[::1]:18087",
  );
});
