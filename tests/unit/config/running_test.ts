/**
 * What a running process does with another configuration: all of it or nothing, and each value knows where it
 * comes from.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ConfigReader } from "../../../src/config/config.ts";
import { changeText, differenceOf } from "../../../src/config/difference.ts";
import type { ConfigKey } from "../../../src/config/key.ts";
import { CONFIG_KEYS } from "../../../src/config/keys.ts";
import type { ConfigLine } from "../../../src/config/lines.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { type ConfigOutcome, RunningConfig } from "../../../src/config/running.ts";

/** A configuration in a file of its own. */
class Written implements AsyncDisposable {
  readonly folder: string;
  readonly file: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.file = `${folder}/config.ini`;
  }

  static async with(text: string): Promise<Written> {
    const written = new Written(await Deno.makeTempDir());
    await written.write(text);
    return written;
  }

  write(text: string): Promise<void> {
    return Deno.writeTextFile(this.file, text);
  }

  read(): Promise<string> {
    return Deno.readTextFile(this.file);
  }

  load(flags?: Map<string, ConfigLine>, reader: ConfigReader = "proxy"): Promise<RunningConfig> {
    return RunningConfig.load(this.file, reader, flags);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function texts({ changed, waiting, kept }: ConfigOutcome): string[][] {
  return [changed, waiting, kept].map((changes) =>
    changes.map((change) => changeText(change).replace(/\(\/.*\//, "("))
  );
}

function keyOf(running: RunningConfig, key: string) {
  const { value, at, source } = running.keys().find(({ row }) => row.key === key)!;
  return [value, source, at.replace(/^\/.*\//, "")];
}

Deno.test("a reload says what has changed and what waits for a restart, and masks secrets", async () => {
  await using written = await Written.with("max_clients = 5\npassword = old\nproto = tcp\n");
  const running = await written.load();
  const { config, config: { password } } = running;
  await written.write("\nmax_clients = 7\npassword = new\nproto = tcp4\nproduct = other\n");
  assertEquals(texts(await running.reload("test")), [
    ["password has other values (config.ini:3)", "max_clients 5 → 7 (config.ini:2)"],
    ["product test → other (config.ini:5)", "proto tcp → tcp4 (config.ini:4)"],
    [],
  ]);
  assertEquals([running.config === config, config.maxClients, config.proto], [true, 7, "tcp"]);
  assertEquals([config.password === password, password.reveal()], [true, "new"]);
  assertEquals(keyOf(running, "max_clients"), ["7", "file", "config.ini:2"]);
  assertEquals(keyOf(running, "proto"), ["tcp", "file", "config.ini:3"]);
  assertEquals(keyOf(running, "read_mode"), ["byob", "default", "default"]);
  assertEquals(running.waiting.map(({ key }) => key), ["product", "proto"]);
  // Back to what is in force: nothing waits any more.
  await written.write("max_clients = 7\npassword = new\n");
  assertEquals(texts(await running.reload("test")), [[], [], []]);
});

Deno.test("a mistake anywhere changes nothing, and is told with value and rule", async () => {
  await using written = await Written.with("max_clients = 5\n");
  const running = await written.load();
  await written.write("max_clients = 6\nbackend_timeout = never\n");
  await assertRejects(() => running.reload("test"), Error, 'backend_timeout = "never": must be');
  assertEquals(running.config.maxClients, 5);
  assertMatch(running.lastReload!.error, /:2: backend_timeout/);
  // A part that cannot be made ready, and one that fails on the way.
  await written.write("max_clients = 6\n");
  const put: number[] = [];
  let isBad = true;
  running.use({ prepare: (next) => Promise.resolve(() => void put.push(next.maxClients)) });
  running.use({
    prepare: (next) =>
      Promise.resolve(() => {
        if (isBad && next.maxClients === 6) throw new Error("worker 0 does not answer");
      }),
  });
  await assertRejects(() => running.reload("test"), Error, "does not answer");
  assertEquals([running.config.maxClients, put], [5, [6, 5]]);
  isBad = false;
  await running.reload("test");
  assertEquals([running.config.maxClients, running.lastReload!.error], [6, ""]);
});

Deno.test("a file that is empty, or none, does not take all settings back", async () => {
  await using written = await Written.with("password = secret\n");
  const running = await written.load();
  await written.write("\n");
  await assertRejects(() => running.reload("test"), Error, "the config file is empty");
  await Deno.remove(written.file);
  await Deno.symlink("/dev/null", written.file);
  await assertRejects(() => running.reload("test"), Error, "it is no plain file");
  assertEquals(running.config.password.reveal(), "secret");
});

Deno.test("a dry run checks all and changes nothing", async () => {
  await using written = await Written.with("max_clients = 5\n");
  const running = await written.load();
  await written.write("max_clients = 6\n");
  assertEquals(texts(await running.reload("test", true))[0], ["max_clients 5 → 6 (config.ini:1)"]);
  assertEquals([running.config.maxClients, running.lastReload], [5, undefined]);
});

Deno.test("what waits for a restart must not make the rest meaningless", async () => {
  await using written = await Written.with("tls_addr = :1\ntls_cert = a\ntls_key = b\n");
  const running = await written.load();
  await written.write("max_clients = 5\n");
  const outcome = await running.reload("test");
  // All three wait together: the address needs them.
  assertEquals(outcome.waiting.map(({ key }) => key), ["tls_addr", "tls_cert", "tls_key"]);
  assertEquals([running.config.tlsCert, running.config.maxClients], ["a", 5]);
});

Deno.test("CONFIG SET counts more than the file, until the file says something else", async () => {
  await using written = await Written.with("max_clients = 5\nread_mode = byob\n");
  const running = await written.load();
  await running.set([["max_clients", "9"], ["read_mode", "direct"]], "test");
  assertEquals(keyOf(running, "max_clients"), ["9", "set", "CONFIG SET"]);
  await written.write("max_clients = 6\nread_mode = byob\n");
  assertEquals(texts(await running.reload("test")), [
    ["max_clients 9 → 6 (config.ini:1)"],
    [],
    ["read_mode direct → byob (config.ini:2)"],
  ]);
  for (
    const [key, value, rule] of [
      ["max_clients", "0", /must be a whole number, 1 to/],
      ["max_clients", "7\nproto = tcp4", /invisible character/],
      ["proto", "tcp4", /proto needs a restart/],
      ["dashboard_token", "new", /to set or unset dashboard_token needs one/],
      ["users", "x", /no key/],
      ["user.NAME", "on", /ACL SETUSER/],
      ["session_max_buffer", "1tb", /must not be above proxy_max_buffer/],
    ] as const
  ) {
    const { message } = await assertRejects(
      () => running.set([["read_from", "replica"], [key, value]], "t"),
      Error,
    );
    assertMatch(message, rule);
    assertEquals(running.config.readFrom, "master");
  }
});

Deno.test("CONFIG REWRITE writes what was set, unless somebody else has changed the file", async () => {
  await using written = await Written.with("# mine\nmax_clients = 5\n");
  await Deno.chmod(written.file, 0o640);
  const running = await written.load();
  await running.set([["max_clients", "9"], ["log_level", "warn"]], "test");
  assertEquals(await running.rewrite("test"), ["max_clients", "log_level"]);
  assertEquals(await written.read(), "# mine\nmax_clients = 9\nlog_level = warn\n");
  assertEquals((await Deno.stat(written.file)).mode! & 0o777, 0o640);
  assertEquals(keyOf(running, "log_level"), ["warn", "file", "config.ini:3"]);
  assertEquals([...Deno.readDirSync(written.folder)].length, 1);
  await running.set([["max_clients", "10"]], "test");
  await written.write("# theirs\nmax_clients = 9\nlog_level = warn\n");
  await assertRejects(() => running.rewrite("test"), Error, "was changed since it was read");
  assertMatch(await written.read(), /theirs/);
  await Deno.remove(written.file);
  await assertRejects(() => running.rewrite("test"), Error, "no such file");
  assertEquals(running.config.maxClients, 10);
});

Deno.test("CONFIG SET and REWRITE read no file of a secret again: a reload does", async () => {
  await using written = await Written.with("max_clients = 5\n");
  const file = `${written.folder}/password`;
  await Deno.writeTextFile(file, "old");
  await written.write(`max_clients = 5\npassword_file = ${file}\n`);
  const running = await written.load();
  const { password } = running.config;
  await Deno.writeTextFile(file, "new");
  await running.set([["max_clients", "6"]], "test");
  await running.rewrite("test");
  await running.reload("test", true);
  await running.set([["max_clients", "7"]], "test");
  assertEquals([password.reveal(), running.config.maxClients], ["old", 7]);
  await assertRejects(() => running.set([["password", "x"]], "test"), Error, "are both set");
  await running.reload("test");
  assertEquals(password.reveal(), "new");
  await Deno.remove(file);
  await running.set([["max_clients", "8"]], "test");
  assertEquals([password.reveal(), running.config.maxClients], ["new", 8]);
  await assertRejects(() => running.reload("test"), Error, "no such file");
});

Deno.test("a flag counts more than the file, and says so", async () => {
  await using written = await Written.with("log_level = debug\n");
  const flag = { value: "error", at: "flag --log-level", source: "flag" } as const;
  const running = await written.load(new Map([["log_level", flag]]));
  assertEquals(keyOf(running, "log_level"), ["error", "flag", "flag --log-level"]);
  await written.write("log_level = info\n");
  assertEquals(texts(await running.reload("test")), [[], [], []]);
});

Deno.test("changes are made one after the other", async () => {
  await using written = await Written.with("");
  const running = await written.load();
  const order: string[] = [];
  running.use({
    prepare: async ({ maxClients }) => {
      order.push(`prepare ${maxClients}`);
      await Promise.resolve();
      return async () => {
        await Promise.resolve();
        order.push(`put ${maxClients}`);
      };
    },
  });
  await Promise.all([1, 2, 3].map((count) => running.set([["max_clients", `${count}`]], "test")));
  assertEquals(order, [1, 2, 3].flatMap((count) => [`prepare ${count}`, `put ${count}`]));
});

Deno.test("every key is of one class: it changes, waits, or waits to be set", () => {
  const of = (row: ConfigKey) => row.reload ?? "restart";
  const rows = CONFIG_KEYS as readonly ConfigKey[];
  assertEquals([...new Set(rows.map(of))].sort(), ["live", "restart", "while_set"]);
  // Where the store is and who we are in it cannot change under a running process.
  for (
    const key of ["coordinator", "embedded_dir", "zk", "product", "proxy_id", "tls_addr", "proto"]
  ) {
    assertEquals(of(rows.find((row) => row.key === key)!), "restart", key);
  }
  const read = (text: string) => parseConfig(text, "c").config;
  const { changed, waiting } = differenceOf(
    read("dashboard_token = a\nhttp_tls_cert = a\nhttp_tls_key = b"),
    read("dashboard_token = b"),
  );
  assertEquals(changed.map(({ key }) => key), ["dashboard_token"]);
  assertEquals(waiting.map(({ key }) => key), ["http_tls_cert", "http_tls_key"]);
});
