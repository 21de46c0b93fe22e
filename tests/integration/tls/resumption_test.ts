/**
 * A client that resumes a TLS session comes in where its certificate was checked, and nowhere else. The client
 * is Python's, since those of the runtime do not resume.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { listen } from "../../../src/io/listen.ts";
import { type ClientCertificates, TlsGate } from "../../../src/io/tls_gate.ts";
import { type CertificateName, identityOf, tlsFile, tlsText } from "../../support/tls.ts";

/** Connects to the first port, then to the second with the first one's session; prints what each said. */
const CLIENT = `
import socket, ssl, sys
version, certificate, key, *ports = sys.argv[1:]
context = ssl.create_default_context(cafile="${tlsFile("ca")}")
context.maximum_version = context.minimum_version = ssl.TLSVersion[version]
if certificate: context.load_cert_chain(certificate, key)
session = None
for port in ports:
    try:
        raw = socket.create_connection(("127.0.0.1", int(port)), 5)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as secured:
            text = secured.recv(100).decode()
            session = secured.session
            print(text or "cut", "resumed" if secured.session_reused else "whole")
    except OSError: print("cut")
`;

const VERSIONS = ["TLSv1_2", "TLSv1_3"];

/** A gate that tells each client its name. */
class Gate implements Disposable {
  readonly gate: TlsGate;
  readonly port: number;
  readonly failures: string[] = [];
  /** Called once, when the next client was taken. */
  onTaken = () => {};
  readonly #listener = listen("127.0.0.1", 0);

  constructor(certificates: ClientCertificates) {
    this.port = this.#listener.addr.port;
    this.gate = new TlsGate({ identity: identityOf("server"), certificates }, {
      take: async (connection) => {
        this.onTaken();
        this.onTaken = () => {};
        await connection.write(new TextEncoder().encode(connection.certificateName ?? "nobody"));
        connection.close();
      },
      onFailure: (_remote, cause) => this.failures.push(cause),
    });
    this.#accept();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) this.gate.take(connection);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.gate.stop();
  }
}

async function ask(
  version: string,
  as: CertificateName | undefined,
  ...ports: number[]
): Promise<string[]> {
  const files = as === undefined ? ["", ""] : [tlsFile(as), tlsFile(`${as}-key`)];
  const args = ["-c", CLIENT, version, ...files, ...ports.map(String)];
  const { stdout } = await new Deno.Command("/usr/bin/python3", { args }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("a session of a port without certificates is no way past one that asks for them", async () => {
  using open = new Gate("no");
  using closed = new Gate("yes");
  for (const version of VERSIONS) {
    const [first, second] = await ask(version, undefined, open.port, closed.port);
    assertEquals(first, "nobody whole");
    assertMatch(second!, /^cut/);
  }
  assertEquals(closed.failures, ["it sent no certificate", "it sent no certificate"]);
});

Deno.test("a certificate that is not valid does not become so in a resumed session", async () => {
  using optional = new Gate("optional");
  // What the client has of a server that checks nothing.
  const careless = createServer({
    ...identityOf("server"),
    requestCert: true,
    rejectUnauthorized: false,
  }, (socket) => socket.on("error", () => {}).end("careless"));
  await new Promise<void>((resolve) => careless.listen(0, "127.0.0.1", resolve));
  const { port } = careless.address() as AddressInfo;
  for (const version of VERSIONS) {
    for (const as of ["other-client", "expired"] as const) {
      const [first, second] = await ask(version, as, port, optional.port);
      assertEquals(first, "careless whole");
      assertMatch(second!, /^cut/);
    }
  }
  assertEquals(
    new Set(optional.failures),
    new Set(["it resumed a TLS session, and its certificate was not checked for this port"]),
  );
  await new Promise((resolve) => careless.close(resolve));
});

Deno.test("a session is resumed with its certificate, until the authority is not trusted any more", async () => {
  using server = new Gate("yes");
  const { port } = server;
  for (const version of VERSIONS) {
    assertEquals(await ask(version, "client", port, port), ["client whole", "client resumed"]);
  }
  server.onTaken = () =>
    server.gate.renew({ ...identityOf("server"), ca: `${tlsText("other-ca")}${tlsText("ca")}` });
  assertEquals(await ask("TLSv1_3", "client", port, port), ["client whole", "client resumed"]);
  assertEquals(server.failures, []);
  server.onTaken = () => server.gate.renew({ ...identityOf("server"), ca: tlsText("other-ca") });
  const [first, second] = await ask("TLSv1_3", "client", port, port);
  assertEquals(first, "client whole");
  assertMatch(second!, /^cut/);
  assertMatch(server.failures.join(), /^it resumed a TLS session, and its certificate was not/);
});
