/**
 * A client that is let go learns so with its last reply: between the two, it would ask for more in vain.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import type { AcceptedConnection } from "../../../src/io/listen.ts";
import type { WriteOwner } from "../../../src/io/write_batch.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RouterServer } from "../../support/router_server.ts";

const CLIENTS = 16;
/** Who has asked for nothing for so long is let go without a reply, in milliseconds. */
const IDLE_MS = 1_000;
/** Far longer than what has come needs to be heard, far shorter than {@linkcode IDLE_MS}. */
const PAUSE_MS = 60;
const PING = new TextEncoder().encode("*1\r\n$4\r\nPING\r\n");

/** A client that hears at once what comes. */
class Listening {
  bytes = 0;
  hasEnded = false;
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn, onReply: () => void) {
    this.#conn = conn;
    this.#listen(onReply);
  }

  async #listen(onReply: () => void): Promise<void> {
    const buffer = new Uint8Array(64);
    for (;;) {
      const count = await this.#conn.read(buffer);
      if (count === null) break;
      this.bytes += count;
      onReply();
    }
    this.hasEnded = true;
  }

  async ask(): Promise<void> {
    this.bytes = 0;
    // It may have been let go a moment ago, being idle on a busy machine.
    await this.#conn.write(PING).catch(() => {});
  }

  close(): void {
    this.#conn.close();
  }
}

Deno.test("the end comes with the last reply, also when the process is held up behind it", async () => {
  await using redis = await RedisServer.start();
  const config = { drain_timeout: 120 };
  await using proxy = await ProxyProcess.start({ servers: [redis], config, args: ["--take-over"] });
  let isHeld = true;
  const hold = () => {
    if (!isHeld) proxy.child.signal("SIGSTOP");
    isHeld = true;
  };
  const clients = await Promise.all(Array.from({ length: CLIENTS }, async () => {
    return new Listening(await Deno.connect({ hostname: "127.0.0.1", port: proxy.port }), hold);
  }));
  // Each is read as it is in the long run.
  for (let i = 0; i < 8; i++) {
    for (const client of clients) await client.ask();
    await until(() => clients.every(({ bytes }) => bytes > 0));
  }
  proxy.child.signal("SIGTERM");
  let open = clients;
  while (open.length > 0) {
    isHeld = false;
    const askedMs = performance.now();
    for (const client of open) await client.ask();
    await until(() => isHeld || open.every(({ hasEnded }) => hasEnded));
    await delay(PAUSE_MS);
    const stayed = open.filter(({ bytes, hasEnded }) => bytes > 0 && !hasEnded);
    proxy.child.signal("SIGCONT");
    await until(() => open.every(({ bytes, hasEnded }) => bytes > 0 || hasEnded));
    await delay(PAUSE_MS);
    if (performance.now() - askedMs < IDLE_MS) {
      assertEquals(stayed.filter(({ hasEnded }) => hasEnded).length, 0);
    }
    open = open.filter(({ hasEnded }) => !hasEnded);
  }
  for (const client of clients) client.close();
  assertEquals((await proxy.child.ended).code, 0);
});

/** A client that has sent a PING, and writes down what is done with its connection. */
class Noted implements AcceptedConnection {
  readonly localAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr = this.localAddr;
  readonly #notes: string[];
  readonly #name: string;
  readonly #asks = Promise.withResolvers<void>();
  #hasAsked = false;

  constructor(name: string, notes: string[]) {
    this.#name = name;
    this.#notes = notes;
  }

  ask(): void {
    this.#asks.resolve();
  }

  async read(bytes: Uint8Array): Promise<number | null> {
    await this.#asks.promise;
    if (this.#hasAsked) return null;
    this.#hasAsked = true;
    bytes.set(PING);
    return PING.length;
  }

  #note(what: string): void {
    this.#notes.push(`${this.#name} ${what}`);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(this.writeNow(bytes, undefined));
  }

  writeNow(bytes: Uint8Array, _owner: WriteOwner | undefined): number {
    this.#note("reply");
    return bytes.length;
  }

  holdToEnd(): void {
    this.#note("hold");
  }

  closeWrite(): Promise<void> {
    this.#note("end");
    return Promise.resolve();
  }

  close(): void {}
}

Deno.test("nobody else is answered between the last reply of a client and its end", async () => {
  await using server = await RouterServer.start({ options: { readMode: "direct" } });
  const notes: string[] = [];
  const clients = ["a", "b", "c"].map((name) => new Noted(name, notes));
  for (const client of clients) server.router.accept(client);
  const leaving = server.router.leaveSessions(2_000);
  // All have been told to go.
  await delay(200);
  for (const client of clients) client.ask();
  await leaving;
  assertEquals(
    notes,
    ["a", "b", "c"].flatMap((name) => [`${name} hold`, `${name} reply`, `${name} end`]),
  );
});
