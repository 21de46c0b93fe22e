/**
 * RDB files of a real server: read in pieces of any size, and imported.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ByteWindow } from "../../../src/import/byte_window.ts";
import { RdbReader } from "../../../src/import/rdb/rdb_reader.ts";
import { latin1 } from "../../../src/resp/latin1.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";
import { makeAllValues } from "./all_values.ts";

/** Length of the end of a dump: version and checksum. */
const FOOTER_BYTES = 10;

/** What an RDB has: type byte and value of each key, by its name; its library. */
interface Contents {
  readonly values: Map<string, string>;
  readonly expiries: Map<string, number>;
  readonly databases: Map<string, number>;
  library: string;
}

/** Reads an RDB that comes in pieces. */
async function readIn(pieces: readonly Uint8Array[]): Promise<Contents> {
  const window = new ByteWindow();
  const reader = new RdbReader(window);
  const contents: Contents = {
    values: new Map(),
    expiries: new Map(),
    databases: new Map(),
    library: "",
  };
  const left = [...pieces];
  const source = {
    read: (into: Uint8Array) => {
      const piece = left.shift();
      if (piece === undefined) return Promise.resolve(null);
      into.set(piece);
      return Promise.resolve(piece.length);
    },
  };
  for (;;) {
    const step = reader.next();
    if (step === "end") break;
    if (step === "more") {
      if (await window.fill(source) === 0) throw new Error("the RDB is not whole");
    } else if (step === "key") {
      const name = latin1(reader.name);
      const value = latin1(window.bytes, reader.valueStart, reader.valueEnd);
      contents.values.set(name, String.fromCharCode(reader.type) + value);
      contents.expiries.set(name, reader.expiryMs);
      contents.databases.set(name, reader.database);
    } else if (step === "function") contents.library = latin1(reader.name);
  }
  assertEquals(window.length, 0);
  return contents;
}

async function savedFile(client: RespClient): Promise<string> {
  assertEquals(await client.call("SAVE"), "OK");
  const [, folder] = await client.call("CONFIG", "GET", "dir") as string[];
  return `${folder}/dump.rdb`;
}

Deno.test("an RDB: every value is as DUMP gives it, wherever the pieces end", async () => {
  await using server = await RedisServer.start({ args: ["--rdbcompression", "yes"] });
  using client = await RespClient.connect(server.port);
  await makeAllValues(client);
  const library = "#!lua name=l\nredis.register_function('f', function() return 1 end)";
  await client.call("FUNCTION", "LOAD", library);
  const bytes = await Deno.readFile(await savedFile(client));

  const whole = await readIn([bytes]);
  assertEquals(whole.library, library);
  const names = [...whole.values.keys()].map((name) =>
    Uint8Array.from(name, (c) => c.charCodeAt(0))
  );
  assertEquals(whole.values.size, await client.call("DBSIZE"));
  const dumps = await client.pipeline(names.map((name) => ["DUMP", name]));
  const expiries = await client.pipeline(names.map((name) => ["PEXPIRETIME", name]));
  for (const [i, [name, value]] of [...whole.values].entries()) {
    const { raw } = dumps[i]!;
    const start = raw.indexOf(10) + 1;
    assertEquals(latin1(raw, start, raw.length - 2 - FOOTER_BYTES), value, name);
    const expiry = expiries[i]!.value as number;
    assertEquals(whole.expiries.get(name), expiry === -1 ? 0 : Number(expiry));
  }

  for (let at = 1; at < bytes.length; at++) {
    const cut = await readIn([bytes.subarray(0, at), bytes.subarray(at)]);
    // Strings are equal by their bytes; comparing maps of them at each position takes long.
    assert(cut.values.size === whole.values.size);
    for (const [name, value] of whole.values) {
      assert(cut.values.get(name) === value, `${at}: ${name}`);
    }
  }
  const single = await readIn(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  assertEquals(single, whole);
});

Deno.test("an RDB that is damaged, or not whole, is not taken for a good one", async () => {
  await using server = await RedisServer.start();
  using client = await RespClient.connect(server.port);
  await makeAllValues(client);
  const bytes = await Deno.readFile(await savedFile(client));
  const error = (act: () => Promise<unknown>) => act().then(() => "", (e) => e.message as string);
  const flipped = bytes.slice();
  flipped[flipped.length - 20]! ^= 1;
  assert(await error(() => readIn([flipped])) !== "");
  assertStringIncludes(await error(() => readIn([bytes.subarray(0, -9)])), "not whole");
  const newer = new TextEncoder().encode("REDIS0099");
  assertStringIncludes(await error(() => readIn([newer])), "RDB version 99 is not known");
  const other = new TextEncoder().encode("GARBAGE!!");
  assertStringIncludes(await error(() => readIn([other])), "no RDB begins like this");
});

Deno.test("import --from=rdb: writes all keys of all databases, those that are chosen, under new names", async () => {
  await using servers = await RedisServer.startMany(3);
  const [source, ...targets] = servers as unknown as [RedisServer, RedisServer, RedisServer];
  await using proxy = await ProxyProcess.start({ servers: targets });
  using client = await RespClient.connect(source.port);
  using product = await RespClient.connect(proxy.port);
  await makeAllValues(client);
  await client.pipeline([["SELECT", 5], ["SET", "other", "database"], ["SET", "x:1", "1"]]);
  await client.call("SELECT", 0);
  const file = await savedFile(client);
  const run = async (...words: string[]) => {
    const child = startProgram([
      "import",
      ...["-c", `${proxy.folder}/config.ini`, `--from=rdb:${file}`, ...words],
    ]);
    const { code } = await child.ended;
    return { code, output: child.stdout, error: child.stderr };
  };

  const counted = await run("--dry-run");
  assertEquals([counted.code, JSON.parse(counted.output).keys], [0, 31]);
  assertEquals(await product.call("DBSIZE"), 0);

  const done = await run();
  assertEquals([done.code, JSON.parse(done.output).keys], [0, 31], done.error);
  const names = await client.call("KEYS", "*") as string[];
  for (const name of names) {
    const [there, here] = await Promise.all(
      [client, product].map((one) => one.call("DUMP", name)),
    );
    // Sets and hashes of many entries have an order of their own at each server.
    if (/hashtable|hash:large/.test(name)) assert(here !== null);
    else assertEquals(here, there, name);
  }
  const left = await product.call("PTTL", "expires") as number;
  assert(left > 4_000_000 && left <= 5_000_000, `${left}`);
  await product.call("SELECT", 5);
  assertEquals(await product.call("GET", "other"), "database");

  const chosen = await run("--db=5", "--match=x:*", "--strip=x:", "--prefix=y:");
  assertEquals([chosen.code, JSON.parse(chosen.output).keys], [0, 1], chosen.error);
  assertEquals(await product.call("GET", "y:1"), "1");

  // A server that restored a damaged value might end.
  const bytes = await Deno.readFile(file);
  bytes[bytes.length - 20]! ^= 1;
  await Deno.writeFile(file, bytes);
  await product.call("FLUSHALL");
  const damaged = await run();
  assertEquals(damaged.code, 1);
  assertStringIncludes(damaged.error, "the checksum at its end is wrong: it is damaged");
  await Deno.writeFile(file, bytes.subarray(0, -9));
  assertStringIncludes((await run()).error, "it is not whole");
  assertEquals(await product.call("DBSIZE"), 0);

  const missing = await run("--once");
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.error, "--once is for sources that are servers, not for files");
});

/** An RDB of Redis 7.4, with the hash `h` whose field `f` ends in a thousand seconds, and the string `s`. */
function rdbWithFieldThatExpires(): Uint8Array {
  const text = (word: string) => [word.length, ...new TextEncoder().encode(word)];
  const endsMs = new Uint8Array(8);
  new DataView(endsMs.buffer).setBigUint64(0, BigInt(Date.now() + 1_000_000), true);
  // The fields' times count from the first end, and 0 stands for none.
  const hash = [24, ...text("h"), ...endsMs, 2, 1, ...text("f"), ...text("1"), 0];
  return new Uint8Array([
    ...new TextEncoder().encode("REDIS0012"),
    ...[254, 0, 0, ...text("s"), ...text("1")],
    ...[...hash, ...text("g"), ...text("2"), 255],
    ...new Uint8Array(8), // no checksum
  ]);
}

Deno.test("fields that expire are not dropped where servers do not know them: the import ends, and says what to do", async () => {
  await using server = await RedisServer.start();
  await using proxy = await ProxyProcess.start({ servers: [server] });
  using product = await RespClient.connect(proxy.port);
  const file = `${proxy.folder}/newer.rdb`;
  await Deno.writeFile(file, rdbWithFieldThatExpires());
  const run = async (...words: string[]) => {
    const from = ["-c", `${proxy.folder}/config.ini`, `--from=rdb:${file}`];
    const child = startProgram(["import", ...from, ...words]);
    return { ...await child.ended, output: child.stdout, error: child.stderr };
  };
  const refused = await run();
  assertEquals(refused.code, 1);
  assertMatch(
    refused.error,
    /key "h" of database 0 is a hash with fields that expire, which the servers written to do not know \(the oldest is 7\.[\d.]+\): leave it out with --except, or use newer servers/,
  );
  assertEquals(await product.call("EXISTS", "h"), 0);
  const without = await run("--merge", "--except=h");
  assertEquals([without.code, JSON.parse(without.output).keys], [0, 1], without.error);
  assertEquals(await product.call("KEYS", "*"), ["s"]);
});
