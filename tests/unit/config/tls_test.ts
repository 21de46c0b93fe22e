/**
 * Keys about TLS that need each other are found out when the file is read.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/error.ts";

function refusal(...lines: string[]): string {
  return assertThrows(() => parseConfig(lines.join("\n"), "config.ini"), ConfigError).message;
}

Deno.test("a key that needs another one is refused with its line", () => {
  assertEquals(
    refusal("", "tls_addr = :9443"),
    "config.ini:2: tls_addr needs tls_cert and tls_key",
  );
  const half = "tls_cert and tls_key must be set together";
  assertEquals(refusal("tls_cert = a.pem"), `config.ini:1: ${half}`);
  assertEquals(refusal("tls_key = a.pem"), `config.ini:1: ${half}`);
  for (const pair of ["http_tls", "backend_tls", "coordinator"]) {
    const both = `${pair}_cert and ${pair}_key must be set together`;
    const place = [
      ...["coordinator = etcd", "zk = a:1", "product = a", "proxy_id = p", "dashboard_addr = d:1"],
      "backend_tls = on",
    ];
    for (const name of ["cert", "key"]) {
      assertEquals(refusal(...place, `${pair}_${name} = a.pem`), `config.ini:7: ${both}`);
      const empty = `${pair}_${name === "cert" ? "key" : "cert"} =`;
      assertEquals(refusal(...place, empty, `${pair}_${name} = a`), `config.ini:8: ${both}`);
    }
  }
  assertEquals(
    refusal("tls_addr = :1", "tls_cert = a", "tls_key = b", "tls_auth_clients = yes"),
    "config.ini:4: tls_auth_clients needs tls_client_ca",
  );
});

Deno.test("a key without effect gives a warning", () => {
  const { warnings } = parseConfig("tls_cert = a\ntls_key = b\ntls_client_ca = c", "config.ini");
  assertEquals(warnings, [
    "config.ini:1: tls_cert is not used without tls_addr",
    "config.ini:3: tls_client_ca is not used with tls_auth_clients = no",
  ]);
});

Deno.test("TLS to ZooKeeper is refused: its client has none", () => {
  const message = refusal("coordinator = zookeeper", "zk = tls://zk-1:2281");
  assertEquals(
    message.includes("the ZooKeeper client speaks no TLS; use etcd with https://"),
    true,
  );
});
