/**
 * Files of TLS that cannot be used are named with the reason, and never replace those in use.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import type { TlsIdentity } from "../../../src/io/tls.ts";
import { isSignedBy, readTlsFiles, TlsWatch } from "../../../src/io/tls_files.ts";
import { identityOf, tlsFile, tlsText } from "../../support/tls.ts";

function files(cert: string, key: string, ca = "") {
  return {
    cert: { key: "tls_cert", path: cert },
    key: { key: "tls_key", path: key },
    ca: { key: "tls_client_ca", path: ca },
  };
}

Deno.test("files that belong together are read as they are", async () => {
  const read = await readTlsFiles(files(tlsFile("server"), tlsFile("server-key"), tlsFile("ca")));
  assertEquals(read, identityOf("server"));
});

Deno.test("an expired certificate is used all the same: the log has a warning", async () => {
  await readTlsFiles(files(tlsFile("expired"), tlsFile("expired-key")));
});

Deno.test("files that cannot be used are refused with key, path and reason", async () => {
  const [server, key] = [tlsFile("server"), tlsFile("server-key")];
  const refusal = async (...paths: [string, string, string?]) =>
    (await assertRejects(() => readTlsFiles(files(...paths)), Error)).message;
  assertEquals(await refusal("/not/there.pem", key), 'tls_cert = "/not/there.pem": no such file');
  assertEquals(
    await refusal(server, tlsFile("client-key")),
    `tls_key = "${
      tlsFile("client-key")
    }": does not belong to the certificate of tls_cert = "${server}"`,
  );
  assertEquals(await refusal(key, key), `tls_cert = "${key}": has no certificate in PEM form`);
  assertEquals(
    await refusal(server, key, import.meta.filename!),
    `tls_client_ca = "${import.meta.filename}": is not a PEM file`,
  );
});

Deno.test("a certificate is known from one of another authority", () => {
  assertEquals(isSignedBy(tlsText("server"), tlsText("ca")), true);
  assertEquals(isSignedBy(tlsText("server"), tlsText("other-ca") + tlsText("ca")), true);
  assertEquals(isSignedBy(tlsText("server"), tlsText("other-ca")), false);
  assertEquals(isSignedBy(tlsText("server") + tlsText("ca"), tlsText("ca")), true);
  assertEquals(isSignedBy(tlsText("ca"), tlsText("ca")), true);
});

Deno.test("a look that is under way does not take back files that are others since", async () => {
  const [before, now] = (["server", "other-server"] as const).map((name) => ({
    named: files(tlsFile(name), tlsFile(`${name}-key`)),
    identity: { ...identityOf(name), ca: "" },
  }));
  // Each time the look is a bit further.
  for (let turns = 0; turns < 50; turns++) {
    const renewed: TlsIdentity[] = [];
    const renew = (identity: TlsIdentity) => void renewed.push(identity);
    using watch = new TlsWatch(before!.named, before!.identity, renew, 60_000);
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    watch.take(now!.named, now!.identity);
    await delay(5);
    assertEquals(renewed, [now!.identity]);
  }
});

Deno.test("changed files are read again, and bad ones leave what is in use", async () => {
  const folder = await Deno.makeTempDir();
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const put = async (name: "server" | "other-server", keyName = name) => {
    await Deno.writeTextFile(cert, tlsText(name));
    await Deno.writeTextFile(key, tlsText(`${keyName}-key`));
  };
  await put("server");
  const named = files(cert, key);
  const renewed: TlsIdentity[] = [];
  using watch = new TlsWatch(
    named,
    await readTlsFiles(named),
    (identity) => renewed.push(identity),
    60_000,
  );
  await watch.look(true);
  assertEquals(renewed, []);
  await put("other-server", "server");
  const atOnce = new Date();
  for (const file of [cert, key]) await Deno.utime(file, atOnce, atOnce);
  await watch.look(false);
  assertEquals(renewed, []);
  await put("other-server");
  // So soon that the system has no later time for it, as it has one for some milliseconds.
  for (const file of [cert, key]) await Deno.utime(file, atOnce, atOnce);
  await watch.look(false);
  assertEquals(renewed, [{ ...identityOf("other-server"), ca: "" }]);
  await Deno.remove(key);
  await watch.look(true);
  assertEquals(renewed.length, 1);
  await Deno.remove(folder, { recursive: true });
});
