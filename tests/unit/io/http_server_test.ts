/**
 * What HTTP clients may rely on, and what they may not take from each other.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import http2 from "node:http2";
import { HTTP_DEADLINES } from "../../../src/io/http_connection.ts";
import { until } from "../../support/deadline.ts";
import { type HttpHandler, type HttpServer, serveHttp } from "../../../src/io/http_server.ts";

/** Deadlines that pass within a test. */
const SHORT = {
  ...HTTP_DEADLINES,
  ...{ headMs: 200, bodyMs: 200, idleMs: 300, writeMs: 300, lingerMs: 50, tickMs: 20 },
};
const LARGE = "x".repeat(20_000_000);

/** A server with few connections and short deadlines. */
class Served implements AsyncDisposable {
  readonly server: HttpServer;
  readonly url: string;

  constructor(handler: HttpHandler, connectionsMax = 4, deadlines = SHORT) {
    const hostnames = ["127.0.0.1"];
    this.server = serveHttp({ hostnames, port: 0, connectionsMax, deadlines }, handler);
    this.url = `http://127.0.0.1:${this.server.addr.port}`;
  }

  /** A connection that has sent something. */
  async sends(text: string): Promise<Raw> {
    const raw = new Raw(await Deno.connect({ hostname: "127.0.0.1", port: this.server.addr.port }));
    await raw.send(text);
    return raw;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
  }
}

/** A connection whose bytes are seen. */
class Raw implements Disposable {
  readonly #conn: Deno.TcpConn;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  async send(text: string): Promise<void> {
    if (text !== "") await this.#conn.write(new TextEncoder().encode(text));
  }

  endSending(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** What comes next; empty at the end. */
  async read(): Promise<string> {
    const buffer = new Uint8Array(65536);
    const count = await this.#conn.read(buffer).catch(() => null);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  }

  /** All that comes until the end. */
  async rest(): Promise<string> {
    let text = "";
    for (let more = await this.read(); more !== ""; more = await this.read()) text += more;
    return text;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Already closed.
    }
  }
}

const GET = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";

Deno.test("many requests of one connection are answered, with bodies and the client's address", async () => {
  await using served = new Served(async (request, remote) => {
    const { pathname } = new URL(request.url);
    return Response.json([request.method, pathname, await request.text(), remote]);
  });
  for (let i = 0; i < 5; i++) {
    const response = await fetch(`${served.url}/p${i}`, { method: "POST", body: `body ${i}` });
    assertEquals(await response.json(), ["POST", `/p${i}`, `body ${i}`, "127.0.0.1"]);
  }
  using raw = await served.sends(GET + GET);
  const both = await raw.read();
  const more = both.split('["GET","/a"').length === 3 ? "" : await raw.read();
  assertEquals((both + more).split('["GET","/a"').length, 3);
});

Deno.test("a large answer arrives whole, also when the server is shut down meanwhile", async () => {
  const served = new Served(() => new Response(LARGE));
  const response = await fetch(served.url);
  const down = served.server.shutdown();
  assertEquals((await response.text()).length, LARGE.length);
  await down;
});

Deno.test("connections that wait are closed for new ones, those that are answered do not", async () => {
  const release = Promise.withResolvers<void>();
  await using served = new Served(
    async (request) => {
      if (new URL(request.url).pathname === "/slow") await release.promise;
      return new Response("done");
    },
    4,
    HTTP_DEADLINES,
  );
  const slow = [1, 2].map(() => fetch(`${served.url}/slow`));
  const waiting: Raw[] = [];
  // Silent ones, and ones in the middle of a request.
  for (let i = 0; i < 20; i++) {
    waiting.push(await served.sends(i % 2 === 0 ? "" : "GET /half HTTP"));
  }
  assertEquals(await (await fetch(`${served.url}/quick`)).text(), "done");
  for (const raw of waiting.slice(0, 15)) assertEquals(await raw.read(), "");
  // Now all of them are answered: there is no room.
  const more = [1, 2].map(() => fetch(`${served.url}/slow`));
  await delay(50);
  using none = await served.sends("");
  assertMatch(await none.read(), /^HTTP\/1\.1 503 .*\r\n\r\ntoo many connections\n$/s);
  release.resolve();
  for (const answer of [...slow, ...more]) assertEquals(await (await answer).text(), "done");
  for (const raw of waiting) raw[Symbol.dispose]();
});

Deno.test("half bodies, and answers that nobody takes, keep nobody out", async () => {
  await using served = new Served(
    (request) => new Response(new URL(request.url).pathname === "/large" ? LARGE : "done"),
    4,
    HTTP_DEADLINES,
  );
  const held: Raw[] = [];
  const hold = async (text: string) => {
    for (let i = 0; i < 4; i++) held.push(await served.sends(text));
  };
  /** Soon: it must first be seen that the others do nothing. */
  const isAnswered = () => until(async () => await (await fetch(served.url)).text() === "done");
  await hold("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
  await isAnswered();
  await hold("GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
  await isAnswered();
  for (const raw of held) raw[Symbol.dispose]();
});

Deno.test("half a head, half a body, silence and a client that reads nothing end by a deadline", async () => {
  await using served = new Served((request) =>
    request.method === "GET" ? new Response(LARGE) : new Response("read")
  );
  const startedMs = performance.now();
  using head = await served.sends("GET / HTTP/1.1\r\nhost: x");
  using silent = await served.sends("");
  using body = await served.sends("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
  using reader = await served.sends(GET);
  assertEquals(await head.rest(), "");
  assertEquals(await silent.rest(), "");
  assertMatch(await body.rest(), /^HTTP\/1\.1 408 .*\r\n\r\nthe body took too long\n$/s);
  await delay(600 - (performance.now() - startedMs));
  assert((await reader.rest()).length < LARGE.length);
  assert(performance.now() - startedMs < 3000);
});

Deno.test("a drop of a head now and then does not put its deadline off", async () => {
  await using served = new Served(() => new Response("never"));
  using raw = await served.sends("GET / HTTP/1.1\r\n");
  let isOpen = true;
  raw.rest().then(() => isOpen = false);
  for (let i = 0; i < 20 && isOpen; i++) {
    await delay(50);
    await raw.send("x: y\r\n").catch(() => {});
  }
  assertEquals(isOpen, false);
});

Deno.test("HTTP/2 lets no connection hold many bodies at once", async () => {
  await using served = new Served(() => new Response("done"), 4, HTTP_DEADLINES);
  const session = http2.connect(served.url);
  session.on("error", () => {});
  const statuses: number[] = [];
  const streams = Array.from({ length: 20 }, () => {
    const stream = session.request({ ":method": "POST", ":path": "/", "content-length": 10 });
    stream.on("response", (headers) => statuses.push(Number(headers[":status"])));
    stream.on("error", () => {});
    stream.resume();
    stream.write("half ");
    return stream;
  });
  for (let i = 0; i < 100 && statuses.length < 16; i++) await delay(20);
  assertEquals(statuses, Array(16).fill(503));
  for (const stream of streams) stream.end("half.");
  for (let i = 0; i < 100 && statuses.length < 20; i++) await delay(20);
  assertEquals(statuses.slice(16), Array(4).fill(200));
  session.destroy();
});

Deno.test("a body that is too long is refused", async () => {
  await using served = new Served(() => new Response("never"));
  const response = await fetch(served.url, { method: "POST", body: "x".repeat(2_000_000) })
    .catch(() => undefined);
  assertEquals(response?.status ?? 413, 413);
  await response?.body?.cancel();
  using raw = await served.sends(
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000000\r\n\r\n",
  );
  assertMatch(await raw.rest(), /^HTTP\/1\.1 413 /);
});

Deno.test("a client that ends sending behind its request is answered", async () => {
  await using served = new Served(() => new Response("done"));
  using raw = await served.sends(GET);
  await raw.endSending();
  assertMatch(await raw.rest(), /^HTTP\/1\.1 200 .*done$/s);
});

Deno.test("a client that ends sending in the middle of a body is told so, as no fault of ours", async () => {
  await using served = new Served(() => new Response("never"));
  for (const body of ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\nxyz"]) {
    using raw = await served.sends(`POST / HTTP/1.1\r\nhost: x\r\n${body}`);
    await raw.endSending();
    assertMatch(await raw.rest(), /^(HTTP\/1\.1 400 .*the body ends too early\n)?$/s);
  }
});

Deno.test("a handler that throws is a 500, and the next request is answered", async () => {
  let calls = 0;
  await using served = new Served(() => {
    if (++calls === 1) throw new Error("of the handler");
    return new Response("done");
  });
  const first = await fetch(served.url);
  assertEquals([first.status, await first.text()], [500, "of the handler\n"]);
  assertEquals(await (await fetch(served.url)).text(), "done");
});

Deno.test("the URL is the one that the client asked for, also where it names no host, or none that is one", async () => {
  await using served = new Served((request) => new Response(request.url));
  const asks = [
    "/a?b=1 HTTP/1.1\r\nhost: x.y:99",
    "/c HTTP/1.0\r\nx: y",
    "/d HTTP/1.1\r\nhost: [x",
    // What is asked for is in the line of the request, not in its Host.
    ...["/secret?", "#", "\\secret?"].map((more) => `/d HTTP/1.1\r\nhost: x${more}`),
    "/d HTTP/1.1\r\nhost: localhost@evil.example",
  ];
  const answers: string[] = [];
  for (const ask of asks) {
    using raw = await served.sends(`GET ${ask}\r\nconnection: close\r\n\r\n`);
    answers.push((await raw.rest()).replace(/^HTTP\/1.. (\d+).*\r\n\r\n/s, "$1 "));
  }
  assertEquals(answers.slice(0, 2), ["200 http://x.y:99/a?b=1", "200 http://localhost/c"]);
  for (const answer of answers.slice(2)) assertMatch(answer, /^400 /);
  // HTTP/2 tells the host in the URL alone.
  const client = Deno.createHttpClient({ http1: false, http2: true });
  const http2 = await fetch(`http://localhost:${served.server.addr.port}/e`, { client });
  assertEquals(await http2.text(), `http://localhost:${served.server.addr.port}/e`);
  client.close();
});

Deno.test("a method that no handler can be given is refused", async () => {
  await using served = new Served(() => new Response("never"));
  for (const ask of ["CONNECT x:443", "TRACE /"]) {
    using raw = await served.sends(`${ask} HTTP/1.1\r\nhost: x\r\n\r\n`);
    assertMatch(await raw.rest(), /^HTTP\/1\.1 405 /);
  }
});

Deno.test("what answers behind the limits is in a folder that only we may enter, and leaves nothing", async () => {
  const folder = await Deno.makeTempDir();
  const before = Deno.env.get("XDG_RUNTIME_DIR");
  Deno.env.set("XDG_RUNTIME_DIR", folder);
  const { serve } = Deno;
  const modes: (number | null)[] = [];
  Deno.serve = ((options: { path: string }, handler: Deno.ServeHandler) => {
    modes.push(Deno.statSync(options.path.replace(/\/[^/]*$/, "")).mode! & 0o777);
    return Reflect.apply(serve, Deno, [options, handler]);
  }) as typeof Deno.serve;
  try {
    await using served = new Served(() =>
      Response.json([...Deno.readDirSync(folder)].map(({ name }) => name))
    );
    for (let i = 0; i < 3; i++) {
      const response = await fetch(served.url, { headers: { connection: "close" } });
      assertEquals(await response.json(), []);
    }
    assertEquals(modes, [0o700, 0o700, 0o700]);
  } finally {
    Deno.serve = serve;
    if (before === undefined) Deno.env.delete("XDG_RUNTIME_DIR");
    else Deno.env.set("XDG_RUNTIME_DIR", before);
    await Deno.remove(folder);
  }
});
