/**
 * Users of a running proxy: how they log in, what they may do on each way of a request, and what becomes of
 * them when their rules change, in one worker and in several.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../../support/free_port.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { ReplyError, type RespValue } from "../../support/resp_value.ts";
import { keyOn, RouterServer } from "../../support/router_server.ts";
import { tlsClient, tlsFile } from "../../support/tls.ts";

const NO_KEY = "NOPERM this user has no permissions to access one of the keys used as arguments";

function textOf(value: RespValue): string {
  return value instanceof ReplyError ? value.message : JSON.stringify(value) ?? "undefined";
}

/** Sends a line; the answer as text. */
async function ask(client: RespClient, line: string): Promise<string> {
  return textOf(await client.call(...line.split(" ")));
}

/** A client that is logged in as a user with these rules. */
async function userOf(proxy: RouterServer, name: string, rules: string): Promise<RespClient> {
  using admin = await proxy.client();
  assertEquals(await ask(admin, `ACL SETUSER ${name} reset on >secret ${rules}`), '"OK"');
  const client = await proxy.client();
  assertEquals(await ask(client, `AUTH ${name} secret`), '"OK"');
  return client;
}

Deno.test("ACL commands are answered as redis-server answers them, in RESP2 and RESP3", async () => {
  await using servers = await RedisServer.startMany(2);
  await using reference = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers });
  for (const protocol of [2, 3]) {
    using own = await proxy.client();
    using there = await reference.client();
    for (const client of [own, there]) await client.call("HELLO", protocol);
    for (
      const line of [
        "ACL WHOAMI",
        "ACL LOG RESET",
        "ACL SETUSER bob on >pw ~a* %R~b* &c* +@read -get (~x +set) (%W~y +@all)",
        "ACL GETUSER bob",
        "ACL GETUSER nobody",
        "ACL LIST",
        "ACL USERS",
        "ACL CAT",
        "ACL CAT nosuch",
        "ACL CAT a b",
        "ACL SETUSER bob +nosuch",
        "ACL SETUSER bob ~a (",
        "ACL DRYRUN bob GET a",
        "ACL DRYRUN bob STRLEN b1",
        "ACL DRYRUN bob STRLEN c1",
        "ACL DRYRUN nobody GET a",
        "ACL DRYRUN bob NOSUCH",
        "ACL DRYRUN bob GET",
        "ACL GENPASS 0",
        "ACL GENPASS x",
        "ACL GENPASS 1 2",
        "ACL LOG x",
        "ACL LOG 1 2",
        "ACL SAVE",
        "ACL LOAD",
        "ACL NOSUCH",
        "ACL SETUSER",
        "ACL DELUSER default",
        "CLIENT KILL USER nobody",
        "ACL DELUSER bob nobody",
        "AUTH bob pw",
        "AUTH pw",
        "ACL LOG 0",
      ]
    ) {
      const words = line.split(" ");
      const [here, ref] = [await own.pipeline([words]), await there.pipeline([words])];
      assertEquals(here[0]!.value, ref[0]!.value, line);
    }
    assertMatch(await ask(own, "ACL GENPASS"), /^"[0-9a-f]{64}"$/);
    assertMatch(await ask(own, "ACL GENPASS 5"), /^"[0-9a-f]{2}"$/);
    assertEquals((await own.call("ACL", "LOG") as RespValue[]).length, 1);
  }
});

Deno.test("a user may do what its rules say on every way of a request", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  const [a, b] = [keyOn(0, 2, "app:"), keyOn(1, 2, "app:")];
  using client = await userOf(proxy, "app", "~app:* &app:* +@all -dbsize -client|list");
  const cases: readonly (readonly [line: string, answer: RegExp])[] = [
    [`SET ${a} 1`, /OK/],
    ["SET other 1", /NOPERM.*keys/],
    [`MGET ${a} ${b}`, /\["1",null\]/],
    [`MGET ${a} other`, /NOPERM.*keys/],
    [`MSET ${a} 1 other 2`, /NOPERM.*keys/],
    ["DBSIZE", /NOPERM.*'dbsize' command/],
    ["KEYS *", /\[/], // as in Redis: it names no key
    ["CLIENT LIST", /NOPERM.*'client\|list' command/],
    ["CLIENT ID", /\d/],
    [`EVAL return{redis.call('get',KEYS[1])} 1 ${a}`, /\["1"\]/],
    ["EVAL return{redis.call('get','other')} 1 app:x", /NOPERM.*'get' only keys that are declared/],
    ["EVAL return{redis.call('dbsize')} 1 app:x", /NOPERM.*'dbsize' command that the script calls/],
    ["EVAL return{redis.call(ARGV[1])} 1 app:x dbsize", /NOPERM.*does not name/],
    ["EVAL return{redis.call('publish',ARGV[1],'x')} 1 app:x other", /NOPERM.*channel/],
    [
      "EVAL --\rreturn{redis.call('get','other')} 1 app:x",
      /NOPERM.*'get' only keys that are declared/,
    ],
    ["EVALSHA 0123456789012345678901234567890123456789 1 app:x", /NOSCRIPT/],
    ["FCALL nosuch 1 app:x", /^Function not found$|^ERR Function not found$/],
    [`SORT app:l BY other:*`, /BY option of SORT denied due to insufficient ACL permissions/],
    [`GEORADIUS app:g 0 0 1 m STORE other`, /NOPERM.*keys/],
    ["PUBLISH app:c x", /0/],
    ["PUBLISH other x", /NOPERM.*channels/],
    ["BLPOP other 0", /NOPERM.*keys/],
    ["XREAD BLOCK 0 STREAMS other 0", /NOPERM.*keys/],
    ["WATCH other", /NOPERM.*keys/],
    ["PSUBSCRIBE app:*", /psubscribe/],
  ];
  for (const [line, answer] of cases) {
    const words = line.split(" ");
    assertMatch(textOf(await client.call(...words)), answer, line);
  }
});

Deno.test("a user loads only libraries of functions that it may run", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await userOf(proxy, "app", "~app:* +@all");
  const library = (call: string) =>
    `#!lua name=l\nredis.register_function('f', function(keys) return ${call} end)`;
  const load = async (on: RespClient, call: string) =>
    textOf(await on.call("FUNCTION", "LOAD", "REPLACE", library(call)));
  assertEquals(await load(client, "1"), '"l"');
  assertMatch(await load(client, "redis.call('get', 'other')"), /NOPERM.*every key/);
  assertMatch(await load(client, "redis.call(keys[1])"), /NOPERM.*does not name/);
  assertMatch(await ask(client, "FUNCTION RESTORE payload REPLACE"), /NOPERM.*FUNCTION DUMP/);
  assertEquals(await ask(client, "FCALL f 1 app:x"), "1");
  // Nor does it help to load one between MULTI and EXEC, or in the name of another.
  assertEquals(await ask(client, "MULTI"), '"OK"');
  assertMatch(await load(client, "redis.call('get', 'other')"), /NOPERM.*every key/);
  assertMatch(await ask(client, "EXEC"), /EXECABORT/);
  using admin = await proxy.client();
  assertEquals(await load(admin, "redis.call('get', 'other')"), '"l"');
  assertMatch(await ask(client, "FCALL f 1 app:x"), /NOPERM.*every key/);
});

Deno.test("EXEC refuses a queued SORT whose BY its user may not use any more", async () => {
  await using servers = await RedisServer.startMany(1);
  await using reference = await RedisServer.start();
  await using proxy = await RouterServer.start({ servers });
  const answers: string[] = [];
  for (const server of [proxy, reference]) {
    using admin = await server.client();
    await ask(admin, "ACL SETUSER app reset on >secret ~* +@all");
    await ask(admin, "RPUSH {a}l 1");
    using client = await server.client();
    await ask(client, "AUTH app secret");
    await ask(client, "MULTI");
    await ask(client, "SORT {a}l BY nosort GET {a}s*");
    await ask(client, "SORT {a}l BY nosort");
    await ask(admin, "ACL SETUSER app resetkeys ~{a}l");
    answers.push((await client.call("EXEC") as RespValue[]).map(textOf).join(" | "));
  }
  assertMatch(answers[0]!, /denied due to insufficient ACL permissions/);
  assertEquals(answers[0], answers[1]);
});

Deno.test("a large request begins only when its key is known and allowed", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await userOf(proxy, "writer", "%W~w:* ~rw:* +@all");
  const large = "x".repeat(2 * 1024 * 1024);
  assertEquals(textOf(await client.call("SET", "other", large)), NO_KEY);
  assertEquals(await client.call("SET", "rw:k", large, "GET"), null);
  assertEquals(await client.call("SET", "w:k", large), "OK");
  // GET stands behind the value: it is waited for, and then refused.
  assertEquals(textOf(await client.call("SET", "w:k", large, "GET")), NO_KEY);
  assertEquals(textOf(await client.call("APPEND", "other", large)), NO_KEY);
  using admin = await proxy.client();
  assertEquals(await admin.call("EXISTS", "other"), 0);
  const log = await admin.call("ACL", "LOG", 10) as RespValue[][];
  assertEquals(log.map((entry) => entry[7]), ["other", "w:k"]);
});

Deno.test("EXEC leaves out what the rules have forbidden since it was queued", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using client = await userOf(proxy, "tx", "~* +@all");
  using admin = await proxy.client();
  await client.pipeline([["MULTI"], ["INCR", "{t}a"], ["SET", "{t}b", 1], ["CLIENT", "ID"]]);
  await admin.call("ACL", "SETUSER", "tx", "-set", "-client");
  const replies = await client.call("EXEC") as RespValue[];
  const changed =
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and " +
    "the EXEC call. This command is no longer allowed for the following reason: no permission to " +
    "execute the command or subcommand";
  assertEquals(replies.map((reply) => reply instanceof ReplyError ? reply.message : reply), [
    ...[1, changed, changed],
  ]);
  assertEquals(await admin.call("EXISTS", "{t}b"), 0);
  await client.call("MULTI");
  assertMatch(await ask(client, "SET {t}b 1"), /^NOPERM/);
  assertMatch(await ask(client, "EXEC"), /^EXECABORT/);
  const [entry] = await admin.call("ACL", "LOG") as RespValue[][];
  assertEquals(entry!.slice(2, 8), ["reason", "command", "context", "multi", "object", "set"]);
  // What was refused while it was queued ends the transaction, whatever has changed since.
  await client.pipeline([["MULTI"], ["INCR", "{t}a"], ["NOSUCH"]]);
  await admin.call("ACL", "SETUSER", "tx", "-hset");
  assertMatch(await ask(client, "EXEC"), /^EXECABORT Transaction discarded because of previous/);
  assertEquals(await admin.call("GET", "{t}a"), "1");
});

Deno.test("clients lose their connection with their user, or with a channel that it may not use any more", async () => {
  await using servers = await RedisServer.startMany(2);
  await using proxy = await RouterServer.start({ servers });
  using subscriber = await userOf(proxy, "reader", "&news:* &all +@all");
  await subscriber.call("SUBSCRIBE", "news:1");
  using other = await userOf(proxy, "other", "~* +@all");
  using admin = await proxy.client();
  assertEquals(await ask(admin, "ACL SETUSER reader &more"), '"OK"');
  assertStringIncludes(await ask(admin, "CLIENT LIST"), "user=reader");
  assertEquals(await ask(admin, "ACL SETUSER reader resetchannels &all"), '"OK"');
  assertEquals((await subscriber.readToEnd()).length, 0);
  assertEquals(await ask(other, "CLIENT KILL USER other SKIPME no"), "1");
  using again = await userOf(proxy, "self", "+@all");
  assertEquals(await ask(again, "ACL DELUSER self"), "1");
  assertEquals((await again.readToEnd()).length, 0);
});

Deno.test("users are the same in all workers before a change is answered", async () => {
  await using servers = await RedisServer.startMany(2);
  const folder = await Deno.makeTempDir({ prefix: "codis-acl-" });
  const aclfile = `${folder}/users.acl`;
  await Deno.writeTextFile(aclfile, "user alice on >pw ~* &* +@all\n");
  await using proxy = await ProxyProcess.start({ servers, cpu: 2, config: { aclfile } });
  using admin = await proxy.client();
  const clients = await Promise.all(Array.from({ length: 8 }, () => proxy.client()));
  for (let i = 0; i < 5; i++) {
    await ask(admin, `ACL SETUSER many reset on >pw${i} ~k${i} +set +get`);
    for (const client of clients) {
      assertEquals(await ask(client, `AUTH many pw${i}`), '"OK"');
      assertEquals(await ask(client, `SET k${i} 1`), '"OK"');
      assertEquals(await ask(client, `SET k${i + 1} 1`), NO_KEY);
    }
  }
  const [first] = await admin.call("ACL", "LOG", 1) as RespValue[][];
  assertEquals(first!.slice(0, 2), ["count", clients.length]); // of both workers, as one entry
  assertEquals(await ask(admin, "ACL SAVE"), '"OK"');
  assertMatch(await Deno.readTextFile(aclfile), /^user many on .* ~k4 /m);
  assertEquals(await ask(admin, "ACL DELUSER many"), "1");
  for (const client of clients) await client.readToEnd();
  using alice = await proxy.client();
  assertEquals(await ask(alice, "AUTH alice pw"), '"OK"');
  assertEquals(await ask(alice, "ACL LOAD"), '"OK"');
  await alice.readToEnd(); // as in Redis, all but the default user are disconnected
  assertMatch(await ask(admin, "ACL USERS"), /"many"/);
  await Deno.remove(folder, { recursive: true });
  for (const client of clients) client.close();
});

Deno.test("a certificate logs its client in as the user that it names", async () => {
  const port = freePort();
  await using servers = await RedisServer.startMany(2);
  await using _proxy = await ProxyProcess.start({
    servers,
    config: {
      "password": "secret",
      "tls_addr": `127.0.0.1:${port}`,
      "tls_cert": tlsFile("server"),
      "tls_key": tlsFile("server-key"),
      "tls_client_ca": tlsFile("ca"),
      "tls_auth_clients": "optional",
      "tls_auth_user": "cn",
      "user.client": "on ~app:* +@all",
    },
  });
  using named = await tlsClient(port, { as: "client" });
  assertEquals(await ask(named, "ACL WHOAMI"), '"client"');
  assertEquals(await ask(named, "GET other"), NO_KEY);
  assertEquals(await ask(named, "AUTH default secret"), '"OK"');
  assertEquals(await ask(named, "ACL WHOAMI"), '"default"');
  assertEquals(await ask(named, "RESET"), '"RESET"');
  assertEquals(await ask(named, "ACL WHOAMI"), '"client"');
  using unnamed = await tlsClient(port);
  assertMatch(await ask(unnamed, "ACL WHOAMI"), /^NOAUTH/);
  assertEquals(await ask(unnamed, "AUTH secret"), '"OK"');
  assertEquals(await ask(unnamed, "ACL DELUSER client"), "1");
  assertEquals((await named.readToEnd()).length, 0);
  using gone = await tlsClient(port, { as: "client" });
  assertMatch(await ask(gone, "ACL WHOAMI"), /^NOAUTH/);
});

Deno.test("what is wrong with users in a configuration is said with file, line and rule", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codis-acl-" });
  const endOf = async (config: string, file = "") => {
    await Deno.writeTextFile(`${folder}/config.ini`, `embedded_dir=${folder}/data\n${config}`);
    await Deno.writeTextFile(`${folder}/users.acl`, file);
    const words = [
      "proxy",
      "-c",
      `${folder}/config.ini`,
      "--addr=127.0.0.1:0",
      "--http-addr=127.0.0.1:0",
    ];
    const child = startProgram(words);
    const { code } = await child.ended;
    assertEquals(code, 1, config);
    return child.stderr;
  };
  const aclfile = `aclfile=${folder}/users.acl`;
  const wrong: readonly (readonly [config: string, file: string, says: string])[] = [
    ["user.a = on >secret +nosuch", "", "config.ini:2: user.a: rule '+nosuch': Unknown command"],
    ["user.a = on>secret", "", "config.ini:2: user.a: rule 'on>***': Syntax error"],
    ["user.a = (~k >secret)", "", "config.ini:2: user.a: rule '(~k >***)': Syntax error"],
    ["user.a = on\nuser.a = off", "", "config.ini:3: user.a: Duplicate user found"],
    [`user.a = on\n${aclfile}`, "", "define either an ACL file or users in the configuration"],
    [aclfile, "user a on\nuser b +nosuch", "users.acl:2: Error in applying operation '+nosuch'"],
    [aclfile, "# a comment", "users.acl:1 should start with user keyword"],
  ];
  for (const [config, file, says] of wrong) {
    const stderr = await endOf(config, file);
    assertStringIncludes(stderr, says);
    assert(!stderr.includes("secret"), stderr);
  }
  await Deno.remove(folder, { recursive: true });
});
