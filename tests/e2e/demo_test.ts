/**
 * The demo: a whole cluster by one command, and nothing left of it afterwards.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import type { Child } from "../support/child.ts";
import { until } from "../support/deadline.ts";
import { freePort } from "../support/free_port.ts";
import { startProgram, withFlags } from "../support/proxy_process.ts";
import { RespClient } from "../support/resp_client.ts";

/** A demo with a place of its own for temporary files, so that what it leaves there can be seen. */
class Demo implements AsyncDisposable {
  readonly port = freePort();
  readonly httpPort = freePort();
  readonly child: Child;
  readonly #tmp: string;

  constructor(tmp: string, args: string[], env: Record<string, string>) {
    this.#tmp = tmp;
    this.child = startProgram(
      [
        "demo",
        ...withFlags(
          [`--addr=127.0.0.1:${this.port}`, `--http-addr=127.0.0.1:${this.httpPort}`],
          args,
        ),
      ],
      { TMPDIR: tmp, ...env },
    );
  }

  static async start(args: string[] = [], env: Record<string, string> = {}): Promise<Demo> {
    return new Demo(await Deno.makeTempDir(), args, env);
  }

  /** The addresses of its redis-servers. */
  get servers(): string[] {
    return this.child.stdout.match(/is running: (.*)/)?.[1]?.split(", ") ?? [];
  }

  async isRunning(): Promise<this> {
    await this.child.waitFor(() => this.child.stdout.includes("Ctrl-C stops everything"));
    return this;
  }

  /** Waits for its end, and makes sure that nothing is left. */
  async endsCleanly(): Promise<number> {
    const servers = this.servers;
    const { code } = await this.child.ended;
    for (const addr of servers) assertEquals(await canConnect(addr), false, `${addr} still runs`);
    assertEquals([...Deno.readDirSync(this.#tmp)].map(({ name }) => name), []);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.end("SIGTERM");
    await Deno.remove(this.#tmp, { recursive: true });
  }
}

async function canConnect(addr: string): Promise<boolean> {
  const [hostname, port] = addr.split(":");
  try {
    (await Deno.connect({ hostname: hostname!, port: Number(port) })).close();
    return true;
  } catch {
    return false;
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`demo serves a cluster, and ${signal} leaves nothing of it`, async () => {
    await using demo = await (await Demo.start(["--redis=3"])).isRunning();
    assertEquals(demo.servers.length, 3);
    demo.child.signal("SIGHUP"); // it has no terminal that it could lose
    const client = await RespClient.connect(demo.port);
    const keys = Array.from({ length: 30 }, (_, i) => `key:${i}`);
    assertEquals(await client.call("MSET", ...keys.flatMap((key) => [key, key])), "OK");
    assertEquals(await client.call("MGET", ...keys), keys);
    assertEquals(await client.call("DBSIZE"), 30);
    client.close();
    for (const addr of demo.servers) {
      const server = await RespClient.connect(Number(addr.split(":")[1]));
      assert(Number(await server.call("DBSIZE")) > 0, `${addr} has some of the keys`);
      server.close();
    }
    const health = await fetch(`http://127.0.0.1:${demo.httpPort}/healthz`);
    assertEquals(health.status, 200);
    await health.body?.cancel();
    demo.child.signal(signal);
    assertEquals(await demo.endsCleanly(), 0);
    assertEquals(demo.child.stderr, "");
  });
}

Deno.test("demo says which port is taken, and leaves nothing", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await using demo = await Demo.start([`--addr=127.0.0.1:${listener.addr.port}`]);
    assertEquals(await demo.endsCleanly(), 1);
    assertEquals(
      demo.child.stderr,
      `codis-proxy: cannot listen on 127.0.0.1:${listener.addr.port}: ` +
        "the address is in use by another process\n",
    );
  } finally {
    listener.close();
  }
});

Deno.test("demo names the package when there is no redis-server", async () => {
  await using demo = await Demo.start([], { PATH: "/nowhere" });
  assertEquals(await demo.endsCleanly(), 1);
  assertStringIncludes(
    demo.child.stderr,
    "codis-proxy: redis-server is not in PATH: install it, for example with " +
      "apt-get install redis-server\n",
  );
});

Deno.test("demo leaves nothing when it is interrupted while it starts", async () => {
  for (const waitMs of [30, 60, 90, 120, 200]) {
    await using demo = await Demo.start();
    await delay(waitMs);
    demo.child.signal("SIGINT");
    // Before our first line runs the signal ends the process by itself: code 130.
    const code = await demo.endsCleanly();
    assert(code === 0 || code === 130, `exit code ${code} after ${waitMs} ms`);
  }
});

Deno.test("demo says when one of its redis-servers dies, and goes on with the others", async () => {
  await using demo = await (await Demo.start()).isRunning();
  const [first, second] = demo.servers;
  const server = await RespClient.connect(Number(first!.split(":")[1]));
  await server.send("SHUTDOWN", "NOSAVE");
  await demo.child.waitFor(() => demo.child.stdout.includes(`redis-server ${first} has stopped`));
  server.close();
  const client = await RespClient.connect(demo.port);
  // Some key belongs to the server that is left.
  const keys = Array.from({ length: 20 }, (_, i) => `key:${i}`);
  const isOk = async (key: string) => (await client.call("SET", key, "1").catch(() => "")) === "OK";
  await until(async () => {
    for (const key of keys) if (await isOk(key)) return true;
    return false;
  });
  assertEquals(await canConnect(second!), true);
  client.close();
  demo.child.signal("SIGTERM");
  assertEquals(await demo.endsCleanly(), 0);
});
