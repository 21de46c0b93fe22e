/**
 * Passwords that change while the proxy runs: the files are read again at SIGHUP, old and new are good for
 * a while, and no client notices.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { until } from "../../support/deadline.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";

/** A proxy with two workers whose secrets are in files that can be written. */
class RotatedProxy implements AsyncDisposable {
  readonly proxy: ProxyProcess;
  readonly #folder: string;
  #hangUps = 0;

  private constructor(proxy: ProxyProcess, folder: string) {
    this.proxy = proxy;
    this.#folder = folder;
  }

  static async start(
    servers: readonly RedisServer[],
    files: Readonly<Record<string, string>>,
  ): Promise<RotatedProxy> {
    const folder = await Deno.makeTempDir();
    const config: Record<string, string> = {};
    for (const [key, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${key}`, text);
      config[`${key}_file`] = `${folder}/${key}`;
    }
    const proxy = await ProxyProcess.start({ servers, cpu: 2, config });
    return new RotatedProxy(proxy, folder);
  }

  /** Writes a secret's file and sends SIGHUP; resolves with the line that the log has about it. */
  async rotate(key: string, text: string): Promise<string> {
    await Deno.writeTextFile(`${this.#folder}/${key}`, text);
    this.proxy.child.signal("SIGHUP");
    const lines = () =>
      this.proxy.stderr.split("\n").filter((line) => /config: SIGHUP: /.test(line));
    await until(() => lines().length > this.#hangUps);
    this.#hangUps++;
    return lines().at(-1)!;
  }

  async client(password: string): Promise<RespClient> {
    const client = await this.proxy.client();
    assertEquals(await client.call("AUTH", password), "OK");
    return client;
  }

  async refuses(password: string): Promise<void> {
    using client = await this.proxy.client();
    assertMatch(JSON.stringify(await client.call("AUTH", password)), /invalid password/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test("clients' password changes at SIGHUP, in all workers, and who is logged in stays", async () => {
  await using server = await RedisServer.start({ args: ["--requirepass", "servers"] });
  await using rotated = await RotatedProxy.start([server], {
    password: "one-ä€\n",
    backend_password: "servers\n",
  });
  using old = await rotated.client("one-ä€");
  assertEquals(await old.call("SET", "k", "v"), "OK");
  await rotated.refuses("two");

  assertMatch(
    await rotated.rotate("password", "two\none-ä€\n"),
    /read again: password has other values \(/,
  );
  // Some of them come to each worker.
  for (let i = 0; i < 8; i++) {
    for (const password of ["two", "one-ä€"]) (await rotated.client(password)).close();
  }
  await rotated.refuses("three");

  assertMatch(await rotated.rotate("password", "two"), /read again: password has other values \(/);
  for (let i = 0; i < 4; i++) await rotated.refuses("one-ä€");
  (await rotated.client("two")).close();
  assertEquals(await old.call("GET", "k"), "v");

  // A file that cannot be used changes nothing.
  const line = await rotated.rotate("password", "\n");
  assertMatch(line, /\[ERROR\] config: SIGHUP: nothing was changed: .*password_file = /);
  assertMatch(line, /is empty: write the secret into its first line$/);
  (await rotated.client("two")).close();
  assertEquals(await rotated.proxy.stop(), 0);
});

Deno.test("servers' passwords change one after the other, and no request fails", async () => {
  await using servers = await RedisServer.startMany(2, { args: ["--requirepass", "one"] });
  await using rotated = await RotatedProxy.start(servers, { backend_password: "one\n" });
  using client = await rotated.proxy.client();
  const work = async () => {
    for (let i = 0; i < 100; i++) assertEquals(await client.call("SET", `k${i}`, i), "OK");
  };
  await work();
  assertMatch(
    await rotated.rotate("backend_password", "two\none"),
    /read again: backend_password has other values \(/,
  );
  for (const server of servers) {
    using admin = await server.client();
    assertEquals(await admin.call("AUTH", "one"), "OK");
    assertEquals(await admin.call("CONFIG", "SET", "requirepass", "two"), "OK");
    // The other server has the old password still. A connection that is opened now needs the new one here.
    for (const database of [3, 4]) {
      using fresh = await rotated.proxy.client();
      assertEquals(await fresh.call("HELLO", "3") !== null, true);
      assertEquals(await fresh.call("SELECT", database), "OK");
      for (let i = 0; i < 20; i++) assertEquals(await fresh.call("SET", `f${i}`, i), "OK");
    }
    await work();
  }
  assertMatch(
    await rotated.rotate("backend_password", "two"),
    /read again: backend_password has other values \(/,
  );
  using fresh = await rotated.proxy.client();
  assertEquals(await fresh.call("SELECT", 5), "OK");
  for (let i = 0; i < 20; i++) assertEquals(await fresh.call("SET", `f${i}`, i), "OK");
  await rotated.rotate("backend_password", "three\nfour");
  assertEquals(await fresh.call("SELECT", 6), "OK");
  assertMatch(JSON.stringify(await fresh.call("SET", "f", 1)), /WRONGPASS/);
});

Deno.test("keys move to servers that have the old password, or the new one", async () => {
  await using servers = await RedisServer.startMany(2, { args: ["--requirepass", "one"] });
  await using rotated = await RotatedProxy.start(servers, {
    backend_password: "two\none\n",
    dashboard_token: "t2\nt1",
  });
  const { proxy } = rotated;
  using client = await proxy.client();
  for (let i = 0; i < 200; i++) assertEquals(await client.call("SET", `k${i}`, i), "OK");
  const ask = (path: string, token: string, body: unknown) =>
    fetch(proxy.url(path), {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
  const move = async (token: string, group: number) => {
    const response = await ask("/api/migrate", token, { from: 448, to: 575, new_group: group });
    return { status: response.status, text: await response.text() };
  };
  const moved = async () => {
    await until(async () => {
      for (let i = 0; i < 200; i += 17) assertEquals(await client.call("GET", `k${i}`), `${i}`);
      return await (await fetch(proxy.url("/api/migrate/tasks"))).text() === "[]";
    }, 20_000);
  };
  assertEquals((await move("t0", 1)).status, 401);
  assertEquals((await move("t1", 1)).status, 200);
  await moved();
  for (const server of servers) {
    using admin = await server.client();
    assertEquals(await admin.call("AUTH", "one"), "OK");
    assertEquals(await admin.call("CONFIG", "SET", "requirepass", "two"), "OK");
  }
  assertEquals((await move("t2", 2)).status, 200);
  await moved();
  assert(!proxy.stderr.includes("WRONGPASS"), proxy.stderr);
});
