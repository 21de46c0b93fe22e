/**
 * Who gets past a TLS handshake, and that nobody can stop others by not finishing one.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { listen } from "../../../src/io/listen.ts";
import type { AcceptedConnection } from "../../../src/io/listen.ts";
import { dial } from "../../../src/io/dial.ts";
import { type ClientCertificates, TlsGate, type TlsGateLimits } from "../../../src/io/tls_gate.ts";
import { until } from "../../support/deadline.ts";
import { identityOf, tlsClient } from "../../support/tls.ts";

/** A gate behind a port. */
class Gate implements Disposable {
  readonly gate: TlsGate;
  readonly port: number;
  readonly taken: AcceptedConnection[] = [];
  readonly failures: string[] = [];
  readonly #listener = listen("127.0.0.1", 0);

  constructor(certificates: ClientCertificates = "no", limits?: TlsGateLimits) {
    this.port = this.#listener.addr.port;
    this.gate = new TlsGate({ identity: identityOf("server"), certificates }, {
      take: (connection) => this.taken.push(connection),
      onFailure: (_remote, cause) => this.failures.push(cause),
    }, limits);
    this.#accept();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) this.gate.take(connection);
  }

  /** The connection that was taken last. */
  async next(): Promise<AcceptedConnection> {
    await until(() => this.taken.length > 0);
    return this.taken.shift()!;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.gate.stop();
    for (const connection of this.taken) connection.close();
  }
}

const QUICK: TlsGateLimits = { handshakeMs: 150, handshakesMax: 256 };

async function readText(connection: Pick<AcceptedConnection, "read">): Promise<string> {
  const bytes = new Uint8Array(1024);
  let text = "";
  for (;;) {
    const count = await connection.read(bytes);
    if (count === null) return text;
    text += new TextDecoder().decode(bytes.subarray(0, count));
  }
}

Deno.test("bytes go both ways, and a side that sends no more still hears the other", async () => {
  using server = new Gate();
  using client = await tlsClient(server.port);
  const connection = await server.next();
  await client.sendRaw("abc");
  await client.closeWrite();
  assertEquals(await readText(connection), "abc");
  assertEquals(await connection.write(new TextEncoder().encode("+late\r\n")), 7);
  connection.close();
  assertEquals(new TextDecoder().decode(await client.readToEnd()), "+late\r\n");
});

Deno.test("a read takes what fits and leaves the rest for the next one", async () => {
  using server = new Gate();
  using client = await tlsClient(server.port);
  const connection = await server.next();
  const sent = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
  const sending = client.sendRaw(sent).then(() => client.closeWrite());
  const got: number[] = [];
  const buffer = new Uint8Array(777);
  for (let count; (count = await connection.read(buffer)) !== null;) {
    got.push(...buffer.subarray(0, count));
  }
  await sending;
  assertEquals(got.length, sent.length);
  assert(got.every((byte, index) => byte === sent[index]));
  connection.close();
});

Deno.test("the end of a peer is seen by a reader that takes its time, too", async () => {
  using server = new Gate();
  await Promise.all(Array.from({ length: 8 }, async (_, index) => {
    const client = await tlsClient(server.port);
    const connection = await server.next();
    const sending = client.sendRaw(new Uint8Array(1_000_000)).then(() => client.closeWrite());
    const buffer = new Uint8Array(64 * 1024);
    let total = 0;
    for (let count; (count = await connection.read(buffer)) !== null;) {
      total += count;
      await new Promise((resolve) => setTimeout(resolve, index % 4));
    }
    await sending;
    assertEquals(total, 1_000_000);
    connection.close();
    client.close();
  }));
});

Deno.test("what is written arrives whole, and a peer that reads nothing holds the writer up", async () => {
  using server = new Gate();
  using client = await tlsClient(server.port);
  const connection = await server.next();
  const bytes = new Uint8Array(8 * 1024 * 1024).fill(120);
  let written = 0;
  const writing = (async () => {
    while (written < bytes.length) written += await connection.write(bytes.subarray(written));
    await connection.closeWrite();
  })();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert(written < bytes.length, `${written} bytes are written that nobody reads`);
  assertEquals((await client.readToEnd()).length, bytes.length);
  await writing;
  connection.close();
});

Deno.test("a connection that is closed rejects what waits on it", async () => {
  using server = new Gate();
  using client = await tlsClient(server.port);
  const connection = await server.next();
  const reading = connection.read(new Uint8Array(10));
  connection.close();
  connection.close();
  await assertRejects(() => reading, Error);
  await assertRejects(() => connection.write(new Uint8Array(1)), Error);
  assertEquals((await client.readToEnd()).length, 0);
});

Deno.test("who sends no TLS is cut at once, and the log can say so", async () => {
  using server = new Gate();
  const plain = await dial("127.0.0.1", server.port, 1000);
  await plain.write(new TextEncoder().encode("PING\r\n"));
  await readText(plain).catch(() => {});
  plain.close();
  await until(() => server.failures.length > 0);
  assertEquals(server.failures, ["it does not speak TLS"]);
});

Deno.test("who sends nothing is cut when the time for a handshake is over", async () => {
  using server = new Gate("no", QUICK);
  const silent = await dial("127.0.0.1", server.port, 1000);
  assertEquals(await readText(silent), "");
  silent.close();
  assertEquals(server.failures, ["no TLS handshake within 0.15 s"]);
});

Deno.test("who leaves before the first byte is let go of at once", async () => {
  using server = new Gate();
  const silent = await dial("127.0.0.1", server.port, 1000);
  silent.close();
  await until(() => server.failures.length > 0);
  assertEquals(server.failures, ["it hung up during the TLS handshake"]);
});

Deno.test("handshakes that nobody finishes keep no other client out", async () => {
  using server = new Gate("no", { handshakeMs: 60_000, handshakesMax: 4 });
  const silent = [];
  for (let i = 0; i < 12; i++) silent.push(await dial("127.0.0.1", server.port, 1000));
  using client = await tlsClient(server.port);
  await server.next();
  await until(() => server.failures.length >= 8);
  assertEquals(new Set(server.failures), new Set(["too many TLS handshakes at once"]));
  for (const connection of silent) connection.close();
  client.close();
});

Deno.test("with yes, only a certificate of the authority gets in, and gives the client its name", async () => {
  using server = new Gate("yes");
  using client = await tlsClient(server.port, { as: "client" });
  assertEquals((await server.next()).certificateName, "client");
  client.close();
  for (const as of [undefined, "other-client", "expired"] as const) {
    const before = server.failures.length;
    // TLS 1.3: the client learns of the refusal when it reads.
    const refused = tlsClient(server.port, as === undefined ? {} : { as });
    await refused.then(async (client) => {
      await client.readToEnd().catch(() => {});
      client.close();
    }, () => {});
    await until(() => server.failures.length > before);
  }
  assertEquals(server.taken, []);
  assertEquals(server.failures[0], "it sent no certificate");
});

Deno.test("with optional, no certificate is as good as a valid one, and another one is refused", async () => {
  using server = new Gate("optional");
  using named = await tlsClient(server.port, { as: "client" });
  assertEquals((await server.next()).certificateName, "client");
  using unnamed = await tlsClient(server.port);
  assertEquals((await server.next()).certificateName ?? "", "");
  const other = await tlsClient(server.port, { as: "other-client" }).catch(() => undefined);
  await other?.readToEnd().catch(() => {});
  other?.close();
  await until(() => server.failures.length > 0);
  assertEquals(server.taken, []);
  named.close();
  unnamed.close();
});

Deno.test("a new identity is for new clients: those that are there go on", async () => {
  using server = new Gate();
  using old = await tlsClient(server.port);
  const connection = await server.next();
  server.gate.renew(identityOf("other-server", "other-ca"));
  await assertRejects(() => tlsClient(server.port, { trust: "ca" }));
  using young = await tlsClient(server.port, { trust: "other-ca" });
  await connection.write(new TextEncoder().encode("+old\r\n"));
  assertEquals((await old.read()).value, "old");
  young.close();
});

Deno.test("a server whose certificate has expired, or is of another authority, is refused each time", async () => {
  using server = new Gate();
  const identity = { cert: "", key: "", ca: identityOf("server").ca };
  for (const name of ["expired", "other-server"] as const) {
    const { cert, key } = identityOf(name);
    // Without what is behind it.
    server.gate.renew({ cert: cert.replace(/(-----END CERTIFICATE-----)[^]*/, "$1"), key, ca: "" });
    for (let i = 0; i < 3; i++) {
      await assertRejects(
        () => dial("127.0.0.1", server.port, 5000, { identity, serverName: "localhost" }),
        Error,
        "not signed by an authority that we trust, or not valid now",
      );
    }
  }
});
