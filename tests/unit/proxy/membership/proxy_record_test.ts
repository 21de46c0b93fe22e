/**
 * What a proxy registers of itself.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { parseListenAddress } from "../../../../src/base/address.ts";
import { encodeProxy } from "../../../../src/model/proxy.ts";
import {
  advertisedAddress,
  newProxyRecord,
} from "../../../../src/proxy/membership/proxy_record.ts";

const IDENTITY = {
  proxyId: "proxy_1",
  listen: parseListenAddress("0.0.0.0:19000"),
  http: parseListenAddress("10.0.0.5:11000"),
  announce: { addr: undefined, http: undefined },
  hostname: "proxy-host",
  pid: 14805,
  life: "life 1 on proxy-host",
  startedMs: Date.UTC(2026, 10, 22, 5, 16, 7, 124),
};

Deno.test("newProxyRecord() is a Codis 2.0 record, offline", () => {
  const record = newProxyRecord(IDENTITY);
  assertEquals(
    encodeProxy(record),
    '{"id":"proxy_1","addr":"proxy-host:19000","last_event":"","last_event_ts":0,' +
      '"state":"offline","description":"life 1 on proxy-host","debug_var_addr":"10.0.0.5:11000","pid":14805,' +
      '"start_at":"2026-11-22 05:16:07.124 +0000 UTC"}',
  );
});

Deno.test("what is announced is registered instead of what is listened on", () => {
  const [addr, http] = ["redis.example:9000", "[2001:db8::1]:9001"].map(parseListenAddress);
  const record = newProxyRecord({ ...IDENTITY, announce: { addr, http } });
  assertEquals([record.addr, record.debug_var_addr], ["redis.example:9000", "[2001:db8::1]:9001"]);
});

Deno.test("where it speaks TLS is registered with the host of the other address, where that is asked for", () => {
  const tls = parseListenAddress("0.0.0.0:19443");
  const tlsAddrOf = (more: object) => newProxyRecord({ ...IDENTITY, ...more }).tls_addr;
  const announce = { addr: parseListenAddress("redis.example:9000"), http: undefined };
  assertEquals(tlsAddrOf({}), undefined);
  assertEquals(tlsAddrOf({ tls }), "proxy-host:19443");
  assertEquals(tlsAddrOf({ tls, announce }), "redis.example:19443");
  // The only address is the one with TLS.
  assertEquals(tlsAddrOf({ tls: IDENTITY.listen, announce }), "redis.example:9000");
});

Deno.test("advertisedAddress() replaces what other machines cannot dial", () => {
  const hostOf = (text: string) => advertisedAddress(parseListenAddress(text), "me").hostname;
  const hosts = [":1", "0.0.0.0:1", "127.0.0.1:1", "127.0.0.9:1", "[::]:1", "[::1]:1"].map(hostOf);
  assertEquals(new Set(hosts), new Set(["me"]));
  assertEquals(["10.0.0.1:1", "127.1.0.1:1", "localhost:1", "[fe80::1]:1"].map(hostOf), [
    "10.0.0.1",
    "127.1.0.1",
    "localhost",
    "fe80::1",
  ]);
});
