/**
 * What a process says of the certificate that it serves HTTP with.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { startLog, stopLog } from "../../../../src/base/log.ts";
import { warnOfForeignCertificate } from "../../../../src/cli/parts/product_tls.ts";
import { parseConfig } from "../../../../src/config/load.ts";
import { tlsFile } from "../../../support/tls.ts";

Deno.test("a certificate that the other processes will refuse is warned of once, as long as it is served", async () => {
  const lines: string[] = [];
  startLog({ level: "info", write: ({ message }) => void lines.push(message) });
  const look = async (authority: "ca" | "other-ca") => {
    const text = `dashboard_ca = ${tlsFile(authority)}\n` +
      `http_tls_cert = ${tlsFile("server")}\nhttp_tls_key = ${tlsFile("server-key")}`;
    await warnOfForeignCertificate(parseConfig(text, "test").config);
    return lines.length;
  };
  try {
    assertEquals(await look("ca"), 0);
    // At the start, and whenever the configuration is read again.
    assertEquals([await look("other-ca"), await look("other-ca")], [1, 1]);
    assertStringIncludes(lines[0]!, "the other processes of the product will refuse it");
    // Mended, and wrong again.
    assertEquals([await look("ca"), await look("other-ca"), await look("ca")], [1, 2, 2]);
  } finally {
    stopLog();
  }
});
