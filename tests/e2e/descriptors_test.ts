/**
 * Fewer descriptors than clients: everybody is answered, and the process lives.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { Child } from "../support/child.ts";
import { until } from "../support/deadline.ts";
import { FakeRedis } from "../support/fake_redis.ts";
import { freePort } from "../support/free_port.ts";
import { configText, ProxyProcess, startProgram } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { utf8 } from "../../src/resp/encoder.ts";
import { startEtcd } from "../support/remote_coordinator.ts";
import { StoreFolder } from "../support/store.ts";

/** The `ulimit -n` of the programs. */
const OPEN_FILES = 200;
const CLIENTS = 190;
const IDLE_HTTP = 300;

async function connectMany(port: number, count: number): Promise<Deno.TcpConn[]> {
  const connections: Deno.TcpConn[] = [];
  for (let i = 0; i < count; i++) {
    connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
  }
  return connections;
}

async function ask(connection: Deno.TcpConn, text: string): Promise<string> {
  await connection.write(new TextEncoder().encode(text)).catch(() => {});
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  await response.body?.cancel();
  return response.status;
}

for (const cpu of [1, 2]) {
  Deno.test(`with descriptors for some clients only the others are told so, and HTTP goes on (--cpu=${cpu})`, async () => {
    await using redis = await RedisServer.start();
    await using proxy = await ProxyProcess.start({
      ...{ servers: [redis], cpu, openFiles: OPEN_FILES },
      config: { max_clients: 10_000 },
    });
    const lowered = /max_clients is 10000, but only \d+ more files? .* at most (\d+) clients?/;
    await until(() => lowered.test(proxy.stderr));
    const max = Number(lowered.exec(proxy.stderr)?.[1]);
    assert(max > 50 && max < CLIENTS, proxy.stderr);
    const idle = await connectMany(proxy.httpPort, IDLE_HTTP);
    const clients = await connectMany(proxy.port, CLIENTS);
    const answers: string[] = [];
    for (const client of clients) {
      answers.push(await ask(client, "PING\r\n").catch(() => "cut before it was told"));
    }
    const served = answers.filter((answer) => answer === "+PONG\r\n").length;
    // Workers that accept at the same moment may each take the last place.
    assert(served >= max && served < max + cpu, `${served} of ${max} were served`);
    const refused = answers.filter((answer) => answer === "-ERR max number of clients reached\r\n");
    // Redis, too, closes without reading what the client has sent: some may miss the text.
    assert(refused.length > (CLIENTS - served) / 2, `${refused.length} were told`);
    assertEquals(await statusOf(proxy.url("/healthz")), 200);
    const client = clients[answers.indexOf("+PONG\r\n")]!;
    assertEquals(await ask(client, "SET a b\r\n"), "+OK\r\n"); // a server's connection is opened
    for (const connection of [...idle, ...clients]) connection.close();
    assertEquals(await proxy.stop(), 0);
    assert(proxy.stderr.split("\n").length < 20, proxy.stderr);
  });
}

Deno.test("where hardly any clients fit, as many as the start tells are served by all workers, and HTTP goes on", async () => {
  await using first = await RedisServer.start();
  await using second = await RedisServer.start();
  const servers = [first, second];
  await using proxy = await ProxyProcess.start({ servers, cpu: 2, openFiles: 72 });
  const told = /max_clients is 1000, .* at most (\d+) clients?/;
  await until(() => told.test(proxy.stderr) && proxy.stderr.includes("this dashboard leads"));
  const max = Number(told.exec(proxy.stderr)?.[1]);
  const clients = await connectMany(proxy.port, max);
  const answers = await Promise.all(clients.map((client, i) => ask(client, `SET ${i} b\r\n`)));
  assertEquals(answers, Array(max).fill("+OK\r\n"), proxy.stderr);
  assertEquals(await statusOf(proxy.url("/healthz")), 200);
  for (const client of clients) client.close();
  assert(!proxy.stderr.includes("Too many open files"), proxy.stderr);
});

/** How many messages a subscriber has got, `most` at most, or what it was answered instead of an acknowledgement. */
async function messagesOf(client: Deno.TcpConn, most: number): Promise<number | string> {
  let text = "";
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await client.read(buffer).catch(() => null);
    text += new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    if (text.startsWith("-")) return text;
    const messages = text.split("$7\r\nmessage\r\n").length - 1;
    if (count === null || messages === most) return messages;
  }
}

Deno.test("with descriptors for the connections of some subscribers only, each gets all messages or an error", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers, cpu: 2, openFiles: 256 });
  await until(() => proxy.stderr.includes("this dashboard leads"));
  const clients = await connectMany(proxy.port, 100);
  const max = Number(/at most (\d+) clients/.exec(proxy.stderr)?.[1] ?? 100);
  const served: Deno.TcpConn[] = [];
  for (const client of clients) {
    if (await ask(client, "PING\r\n").catch(() => "") === "+PONG\r\n") served.push(client);
  }
  const publisher = served.pop()!;
  const channels = Array.from({ length: 8 }, (_, i) => `c${i}`);
  for (const channel of channels) await ask(publisher, `PUBLISH ${channel} x\r\n`);
  const line = utf8(`SUBSCRIBE ${channels.join(" ")}\r\n`);
  await Promise.all(served.map((client) => client.write(line)));
  const results = served.map((client) => messagesOf(client, channels.length));
  const refused = new Set<string>();
  for (const result of results) {
    void result.then((got) => typeof got === "string" && refused.add(got));
  }
  await until(() => refused.size > 0); // all were sent before
  await delay(2_000);
  for (const channel of channels) await ask(publisher, `PUBLISH ${channel} x\r\n`);
  const late = setTimeout(() => clients.forEach((client) => client.close()), 10_000);
  const got = await Promise.all(results);
  clearTimeout(late);
  const errors = got.filter((each) => typeof each === "string");
  assert(errors.length > 0 && errors.length < served.length, `${errors.length} of ${max}`);
  for (const error of errors) assertMatch(error as string, /^-ERR .*Too many open files\r\n$/);
  assertEquals(
    got.filter((each) => each !== channels.length && typeof each !== "string"),
    [],
    proxy.stderr,
  );
  for (const client of clients) client.close();
});

Deno.test("where no connection to a server can be opened for want of descriptors, the log says whose limit that is", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ servers: [redis], cpu: 1, openFiles: 200 });
  const clients = await connectMany(proxy.port, 100);
  const replies = clients.map((client) => ask(client, "BLPOP none 20\r\n").catch(() => "")); // a connection each
  await until(() => proxy.stderr.includes("Too many open files"), 10_000);
  assertMatch(
    proxy.stderr,
    /backend .* got no further connection: Too many open files; .* raise ulimit -n/,
  );
  assert(!proxy.stderr.includes("look at that server"), proxy.stderr);
  for (const client of clients) client.close();
  await Promise.all(replies);
});

/** Checks that a program ends because it may open too few files, and says what to raise. */
async function assertTooFew(child: Child): Promise<void> {
  try {
    await until(() => child.hasEnded, 20_000);
  } finally {
    child.signal("SIGKILL");
  }
  assertEquals((await child.ended).code, 1, child.stderr);
  assertMatch(child.stderr, /^codis-proxy: .*Too many open files.*; raise .*"ulimit -n 10000"$/m);
}

// With the fewest, the runtime itself would fail; with the most, all starts, and nothing is left.
for (
  const [openFiles, cpu] of [[22, 1], [22, 4], [36, 2], [36, 4], [58, 4], [62, 4], [66, 4]] as const
) {
  Deno.test(`a start for which there are too few descriptors (${openFiles}, --cpu=${cpu}) ends, and says what to raise`, async () => {
    await using folder = await StoreFolder.make();
    const text = configText({ embedded_dir: folder.dir, servers: "127.0.0.1:1" });
    const file = `${folder.dir}/config.ini`;
    await Deno.writeTextFile(file, text);
    const args = [
      "proxy",
      "-c",
      file,
      `--cpu=${cpu}`,
      "--addr=127.0.0.1:0",
      "--http-addr=127.0.0.1:0",
    ];
    const child = startProgram(args, { TMPDIR: folder.dir }, undefined, [], openFiles);
    await assertTooFew(child);
  });
}

Deno.test("a config command for which there are too few descriptors ends, and says what to raise", async () => {
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, configText({ embedded_dir: folder.dir }));
  for (const openFiles of [22, 24, 26]) {
    const args = ["config", "-c", file, "status"];
    await assertTooFew(startProgram(args, { TMPDIR: folder.dir }, undefined, [], openFiles));
  }
});

Deno.test("a dashboard for which there are too few descriptors ends, and says what to raise", async () => {
  const remote = await startEtcd();
  await using _server = remote.server;
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.ini`;
  const addr = `127.0.0.1:${freePort()}`;
  await Deno.writeTextFile(
    file,
    configText({ coordinator: "etcd", zk: remote.server.addr, dashboard_addr: addr }),
  );
  const args = ["dashboard", "-c", file, `--addr=${addr}`];
  const start = (openFiles: number) =>
    startProgram(args, { TMPDIR: folder }, undefined, [], openFiles);
  await assertTooFew(start(34));
  const enough = start(44);
  try {
    await until(() => enough.stderr.includes("this dashboard leads"), 20_000);
    // etcd may be late on a busy machine: that is not what is asked here.
    let answered = 0;
    await until(async () => {
      if (await statusOf(`http://${addr}/api/cluster`) === 200) answered++;
      return answered === 20;
    }, 20_000);
    assert(!enough.stderr.includes("Too many open files"), enough.stderr);
  } finally {
    await enough.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  }
});

/** Connects again and again, and asks, until it is told to stop; resolves then. */
async function hammer(port: number, stopping: AbortSignal, answers: Set<string>): Promise<void> {
  while (!stopping.aborted) {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      for (let i = 0; i < 20 && !stopping.aborted; i++) {
        answers.add(await ask(connection, "PING\r\n"));
        await delay(20);
      }
    } catch {
      await delay(20); // nobody listens yet, or it was cut
    }
  }
}

for (const read_mode of ["byob", "direct"]) {
  for (const cpu of [1, 2]) {
    Deno.test(`a start that takes long with hardly a descriptor survives clients that hammer (${read_mode}, --cpu=${cpu})`, async () => {
      // It is asked who it is, and says nothing.
      await using redis = new FakeRedis(() => "hang");
      const port = freePort();
      const httpPort = freePort();
      await using folder = await StoreFolder.make();
      const file = `${folder.dir}/config.ini`;
      const servers = redis.addr;
      await Deno.writeTextFile(file, configText({ embedded_dir: folder.dir, servers, read_mode }));
      const words = ["proxy", "-c", file, `--cpu=${cpu}`, `--addr=127.0.0.1:${port}`];
      const all = [...words, `--http-addr=127.0.0.1:${httpPort}`];
      const child = startProgram(all, { TMPDIR: folder.dir }, undefined, [], 72);
      const stopping = new AbortController();
      const answers = new Set<string>();
      const clients = Array.from(
        { length: 300 },
        () => hammer(port, stopping.signal, answers),
      );
      try {
        await until(() => child.hasEnded || answers.has("+PONG\r\n"), 30_000);
        await delay(1_000);
        assertEquals(child.hasEnded, false, child.stderr);
        stopping.abort();
        child.signal("SIGTERM");
        assertEquals((await child.ended).code, 0, child.stderr);
      } finally {
        stopping.abort();
        await child.end("SIGKILL");
        await Promise.all(clients);
      }
    });
  }
}

Deno.test("where there are descriptors for some thousand clients, a proxy that serves says how many", async () => {
  await using redis = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    ...{ servers: [redis], cpu: 1, openFiles: 6_000 },
    config: { max_clients: 10_000 },
  });
  const lowered = /max_clients is 10000, but only (\d+) more files? .* at most (\d+) clients?/;
  await until(() => lowered.test(proxy.stderr));
  const [, free, clients] = lowered.exec(proxy.stderr)!.map(Number);
  assert(free! > 5_800 && free! < 6_000, proxy.stderr);
  assert(clients! > 5_000 && clients! < free!, proxy.stderr);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  const shown = `maxclients\r\n$4\r\n${clients}\r\n`;
  await until(async () => (await ask(connection, "CONFIG GET maxclients\r\n")).includes(shown));
  connection.close();
});

Deno.test("with read_mode = direct, who comes without a descriptor left is told so, and served when there is one", async () => {
  const port = freePort();
  const script = new URL("../support/accepting_process.ts", import.meta.url).pathname;
  const deno = [Deno.execPath(), "run", "--no-prompt", "--no-check", "--allow-net", "--allow-read"];
  const child = new Child("sh", {
    args: ["-c", 'ulimit -n 60; exec "$@"', "sh", ...deno, script, `${port}`],
  });
  try {
    await child.waitFor(() => child.stdout.includes("full"));
    const answers = async (count: number) => {
      const connections = await connectMany(port, count);
      const told = await Promise.all(connections.map((connection) => ask(connection, "")));
      for (const connection of connections) connection.close();
      return told;
    };
    assertEquals(await answers(5), Array(5).fill("refused"));
    child.signal("SIGUSR1");
    await child.waitFor(() => child.stdout.includes("free"));
    assertEquals(await answers(5), Array(5).fill("taken"));
  } finally {
    await child.end("SIGKILL");
  }
});

/** Runs a program with a `ulimit -n` of 128, to its end. */
async function evalWithFew(code: string): Promise<Child> {
  // Deno needs descriptors of its own for the first signal, and panics when it has none.
  const prepared = `Deno.addSignalListener("SIGUSR1", () => {});\n${code}\nDeno.exit(0);`;
  const deno = [Deno.execPath(), "eval", "--config", "deno.json", prepared];
  const child = new Child("sh", { args: ["-c", 'ulimit -n 128; exec "$@"', "sh", ...deno] });
  await child.ended;
  return child;
}

Deno.test("a name is found that is looked up while the proxy counts its descriptors", async () => {
  const url = (path: string) => `"${new URL(`../../src/${path}`, import.meta.url)}"`;
  const child = await evalWithFew(`
    import { countFreeDescriptors } from ${url("base/free_descriptors.ts")};
    import { lookUp } from ${url("io/lookup.ts")};
    const held = [await lookUp("localhost").then(() => null)];
    try { for (;;) held.push(Deno.openSync("/dev/null")); } catch { /* as the count has them */ }
    const found = lookUp("localhost");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500); // another thread looks it up
    countFreeDescriptors(1);
    for (const file of held) file?.close();
    console.log((await found.catch(({ message }) => [message])).includes("127.0.0.1"));`);
  assertEquals(child.stdout.trim(), "true", child.stderr);
});

Deno.test("a name that is not found for want of descriptors is not said to have no address", async () => {
  const code = `
    import { lookUp } from "${new URL("../../src/io/lookup.ts", import.meta.url)}";
    const held = [await lookUp("localhost").then(() => null)];
    try { for (;;) held.push(Deno.openSync("/dev/null")); } catch { /* none is left */ }
    const said = await lookUp("localhost").catch(({ message }) => message);
    for (const file of held) file?.close();
    console.log(said);`;
  const child = await evalWithFew(code);
  const said = 'the name "localhost" cannot be looked up now: too many open files';
  assertEquals(child.stdout.trim(), said, child.stderr);
});

Deno.test("a dashboard whose HTTP connections are used up goes on", async () => {
  await using folder = await StoreFolder.make();
  const port = freePort();
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, configText({ embedded_dir: folder.dir }));
  const words = ["dashboard", "-c", file, `--addr=127.0.0.1:${port}`];
  const child = startProgram(words, {}, undefined, [], OPEN_FILES);
  try {
    await until(() => /this dashboard leads \(/.test(child.stderr));
    const idle = await connectMany(port, IDLE_HTTP);
    assertEquals(await statusOf(`http://127.0.0.1:${port}/api/slots`), 200);
    for (const connection of idle) connection.close();
    child.signal("SIGTERM");
    assertEquals((await child.ended).code, 0);
    assertMatch(child.stderr, /got SIGTERM/);
  } finally {
    await child.end("SIGKILL");
  }
});
