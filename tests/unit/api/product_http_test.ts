import { assertEquals } from "@std/assert";
import { refusedCertificate } from "../../../src/api/product_http.ts";
import { causeOfFetch } from "../../../src/control/proxies.ts";

Deno.test("a certificate that is refused is told of in the same plain words, whatever asked", () => {
  const told = [
    [
      "certificate expired: verification time 1796062403 (UNIX), but certificate is not valid after 1796062400",
      "its certificate has expired",
    ],
    ["certificate not valid yet: verification time 1 (UNIX)", "its certificate is not valid yet"],
    [
      "UnknownIssuer",
      "its certificate is not signed by an authority that we trust (dashboard_ca)",
    ],
    [
      'certificate not valid for name "::1"; certificate is only valid for 127.0.0.1',
      "its certificate is not made for that address",
    ],
    ["BadSignature", "its certificate is refused: BadSignature"],
  ] as const;
  for (const [text, plain] of told) {
    const message = `client error (Connect): invalid peer certificate: ${text}`;
    assertEquals(refusedCertificate(message), plain);
    assertEquals(causeOfFetch(new TypeError("fetch failed", { cause: new Error(message) })), plain);
  }
  assertEquals(refusedCertificate("tcp connect error: Connection refused"), undefined);
});
