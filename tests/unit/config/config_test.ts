/**
 * What config.ini may say, and what each mistake is answered with.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as fc from "fast-check";
import { type Config, configEntries } from "../../../src/config/config.ts";
import { loadConfig, parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/error.ts";
import { CONFIG_KEYS } from "../../../src/config/keys.ts";

function read(text: string): Config {
  return parseConfig(text, "config.ini").config;
}

function complaint(text: string): string {
  return assertThrows(() => parseConfig(text, "config.ini"), ConfigError).message;
}

Deno.test("parseConfig() gives every key its default when the file is empty", () => {
  const config = read("");
  assertEquals(config.coordinator, "embedded");
  assertEquals(config.product, "test");
  assertEquals(config.servers, []);
  assertEquals(config.dashboardAddr, undefined);
  assertEquals(config.backendPingPeriodMs, 5_000);
  assertEquals(config.backendDialTimeoutMs, 1_000);
  assertEquals(config.sessionMaxTimeoutMs, 1_800_000);
  assertEquals(config.sessionMaxBufsizeBytes, 131_072);
  assertEquals(config.sessionMaxPipeline, 1024);
  assertEquals(config.proxyMaxBufferBytes, 128 * 1024 * 1024);
  assertEquals(config.slotWaitTimeoutMs, 20_000);
  assertEquals(config.zkSessionTimeoutMs, 30_000);
  assertEquals(config.allowsDestructiveCommands, true);
});

Deno.test("parseConfig() reads a Codis 2.0 file as Codis 2.0 does", () => {
  const { config, warnings } = parseConfig(
    [
      "# a comment",
      "   # an indented one",
      "",
      "zk=zk-1:2181, zk-2 , zk-3:2182",
      "product = demo",
      "product=last",
      "proxy_id=proxy_9",
      "dashboard_addr=localhost:18087",
      "password=a=b # not a comment",
      "  session_max_timeout  =  60  ",
      "zk_session_timeout=30\r",
    ].join("\n"),
    "config.ini",
  );
  assertEquals(config.coordinator, "zookeeper");
  assertEquals(config.coordinatorEndpoints, ["zk-1:2181", "zk-2", "zk-3:2182"]);
  assertEquals(config.product, "last");
  assertEquals(config.proxyId, "proxy_9");
  assertEquals(config.dashboardAddr, { hostname: "localhost", port: 18087 });
  assertEquals(config.password.reveal(), "a=b # not a comment");
  assertEquals(config.sessionMaxTimeoutMs, 60_000);
  assertEquals(config.zkSessionTimeoutMs, 30_000);
  assertEquals(warnings, [
    "config.ini:6: product is set twice: this line is used, line 5 is ignored",
    "config.ini:9: password: a comment is a line of its own, this one is part of the value",
    "config.ini:4: zk is set and coordinator is not: using zookeeper",
    "config.ini:4: zk is set and protected_mode is not: as in Codis 2.0, the proxy answers HTTP requests " +
    "of every machine (metrics, slots); write protected_mode = yes or no",
    "config.ini: zk_session_timeout = 30 means 30 seconds",
  ]);
});

const REMOTE = "coordinator = etcd\nzk = 127.0.0.1:2379\nproxy_id = p\ndashboard_addr = a:1\n";

const MISTAKES: readonly { name: string; text: string; message: string }[] = [
  {
    name: "a line without =",
    text: "product = a\nhunter2",
    message: 'config.ini:2: line without "=": write key = value',
  },
  {
    name: "an unknown key",
    text: "\n\nsesion_max_timeout = 3",
    message: 'config.ini:3: unknown key "sesion_max_timeout", did you mean "session_max_timeout"?',
  },
  {
    name: "an unknown key that resembles nothing",
    text: "colour = red",
    message: 'config.ini:1: unknown key "colour"',
  },
  {
    name: "not a number",
    text: "session_max_timeout = soon",
    message: 'config.ini:1: session_max_timeout = "soon": must be a whole number',
  },
  {
    name: "a number that is not whole",
    text: "backend_timeout = 1.5",
    message: 'config.ini:1: backend_timeout = "1.5": must be a whole number',
  },
  {
    name: "an empty number",
    text: "max_clients =",
    message: 'config.ini:1: max_clients = "": must be a whole number',
  },
  {
    name: "a negative number",
    text: "backend_ping_period = -1",
    message: 'config.ini:1: backend_ping_period = "-1": must not be negative',
  },
  {
    name: "a negative size",
    text: "session_max_bufsize = -1",
    message: 'config.ini:1: session_max_bufsize = "-1": must not be negative',
  },
  {
    name: "a number above its bound",
    text: "slot_wait_timeout = 30",
    message: 'config.ini:1: slot_wait_timeout = "30": must be whole seconds, 1 to 29',
  },
  {
    name: "a bad size",
    text: "proxy_max_buffer = 12xb",
    message:
      'config.ini:1: proxy_max_buffer = "12xb": size "12xb" is not a whole number with K, M, G, T or P',
  },
  {
    name: "a size below its bound",
    text: "migrate_big_key = 100",
    message:
      'config.ini:1: migrate_big_key = "100": must be bytes, K/M/G suffix allowed, at least 1kb',
  },
  {
    name: "a word that is not offered",
    text: "coordinator = consul",
    message: 'config.ini:1: coordinator = "consul": must be one of embedded, zookeeper, etcd',
  },
  {
    name: "a switch that is neither on nor off",
    text: "destructive_commands = yes",
    message: 'config.ini:1: destructive_commands = "yes": must be on or off',
  },
  {
    name: "an empty product",
    text: "product =",
    message: 'config.ini:1: product = "": must not be empty',
  },
  {
    name: "a product that is two path pieces",
    text: "product = a/b",
    message: 'config.ini:1: product = "a/b": must not contain "/"',
  },
  {
    name: "an address without port",
    text: "servers = localhost",
    message:
      'config.ini:1: servers = "localhost": address "localhost" has no port: write host:port',
  },
  {
    name: "an address with a bad port",
    text: "servers = a:1,b:65536",
    message:
      'config.ini:1: servers = "a:1,b:65536": address "b:65536" has a bad port: a port is 1 to 65535',
  },
  {
    name: "the same server twice",
    text: "servers = a:1,a:1",
    message: 'config.ini:1: servers = "a:1,a:1": must not name "a:1" twice',
  },
  {
    name: "a hole in a list",
    text: "servers = a:1,,b:1",
    message: 'config.ini:1: servers = "a:1,,b:1": must not have an empty item between commas',
  },
  {
    name: "a required key that is missing",
    text: "coordinator = zookeeper\nproxy_id = p\ndashboard_addr = a:1",
    message: "config.ini: zk must be set when coordinator = zookeeper",
  },
  {
    name: "a required key that is empty",
    text: `${REMOTE}zk =`,
    message: "config.ini:5: zk must be set when coordinator = etcd",
  },
  {
    name: "a required key that only has a default",
    text: "coordinator = etcd\nzk = a:1\ndashboard_addr = a:1",
    message: "config.ini: proxy_id must be set when coordinator = etcd",
  },
  ...["announce_addr = 0.0.0.0:9000", "announce_http_addr = [::]:9000"].map((text) => ({
    name: `an address of every interface (${text})`,
    text,
    message: `config.ini:1: ${text.replace(/= (.*)/, '= "$1"')}: must be an address that other ` +
      "machines can reach",
  })),
  ...["a b", "é", "x".repeat(65)].map((zone) => ({
    name: `a zone that no server can have (${zone})`,
    text: `zone = ${zone}`,
    message: `config.ini:1: zone = "${zone}": must be at most 64 letters, digits and . _ : -`,
  })),
  {
    name: "a port behind a name of HTTP",
    text: "http_names = codis.example.com:80",
    message: 'config.ini:1: http_names = "codis.example.com:80": must name hosts, without ports',
  },
];

const INVISIBLE: readonly { name: string; text: string; message: string }[] = [
  {
    name: "a comment of another kind",
    text: "; product = a",
    message: 'config.ini:1: comments begin with "#", not with ";"',
  },
  {
    name: "a section",
    text: "product = a\n[codis]",
    message: "config.ini:2: there are no sections here: remove the line",
  },
  {
    name: "a comment behind a number",
    text: "max_clients = 10 # at a time",
    message: 'config.ini:1: max_clients = "10 # at a time": must be a whole number ' +
      "(a comment is a line of its own, this one is part of the value)",
  },
  {
    name: "quotes around an address",
    text: 'servers = "a:1"',
    message: 'config.ini:1: servers = "\\"a:1\\"": address ""a:1"" has a bad host: letters, ' +
      'digits, ".", "-" and "_" only (the quotes are part of the value)',
  },
  {
    name: "a URL for an address",
    text: "dashboard_addr = http://x:1",
    message: 'config.ini:1: dashboard_addr = "http://x:1": address "http://x:1" is a URL: write ' +
      "host:port alone",
  },
  {
    name: "a path behind ZooKeeper's hosts",
    text: "zk = a:1,b:2181/codis",
    message: 'config.ini:1: zk = "a:1,b:2181/codis": must not have a path: everything is stored ' +
      "below /zk/codis",
  },
  {
    name: "one client's share above the whole",
    text: "proxy_max_buffer = 32mb\nsession_max_buffer = 64mb",
    message: 'config.ini:2: session_max_buffer = "64mb": must not be above proxy_max_buffer (32mb)',
  },
  {
    name: "a user without a password",
    text: "\nbackend_user = proxy",
    message: "config.ini:2: backend_user needs backend_password or password",
  },
  {
    name: "two servers without a comma",
    text: "servers = a:1 b:2",
    message: 'config.ini:1: servers = "a:1 b:2": address "a:1 b:2" has a bad host: letters, ' +
      'digits, ".", "-" and "_" only',
  },
  {
    name: "a value without a key",
    text: "= 5",
    message: "config.ini:1: line without a key: write key = value",
  },
  {
    name: "a folder without a name",
    text: "embedded_dir =",
    message: 'config.ini:1: embedded_dir = "": must not be empty',
  },
  {
    name: "a session without time",
    text: "zk_session_timeout = 0",
    message: 'config.ini:1: zk_session_timeout = "0": must be whole milliseconds, 1 to 3600000',
  },
  {
    name: "a session shorter than a second",
    text: "zk_session_timeout = 500",
    message: 'config.ini:1: zk_session_timeout = "500": must be 1 to 100 seconds, or at least ' +
      "1000 ms",
  },
  {
    name: "a token that HTTP cannot carry",
    text: "dashboard_token = 漢字",
    message: "config.ini:1: dashboard_token = ***: must be Latin letters, digits and signs: " +
      "HTTP headers cannot hold others",
  },
  {
    name: "a token that is longer than HTTP servers take",
    text: `dashboard_token = ${"x".repeat(4_097)}`,
    message:
      "config.ini:1: dashboard_token = ***: must have at most 4096 characters, this one has 4097",
  },
  {
    name: "a user of clients without a password",
    text: "backend_client_user = clients",
    message: "config.ini:1: backend_client_user and backend_client_password must be set together",
  },
  {
    name: "a tab",
    text: "product =\ta",
    message: "config.ini:1: product: the line has a tab: use spaces",
  },
  {
    name: "a tab beside the key",
    text: "product\t= a",
    message: "config.ini:1: the line has a tab: use spaces",
  },
  {
    name: "a NUL byte",
    text: "password = a\0b",
    message: "config.ini:1: password: the line has an invisible character: U+0000",
  },
  {
    name: "line ends of old Macs",
    text: "product = a\rproxy_id = b",
    message: "config.ini:1: product: the line has an invisible character: U+000D",
  },
  {
    name: "a space that is none",
    text: "product\u00a0= a",
    message: "config.ini:1: the line has an invisible character: U+00A0",
  },
];

for (const { name, text, message } of [...MISTAKES, ...INVISIBLE]) {
  Deno.test(`parseConfig() answers ${name} with file, line, key, value and rule`, () => {
    assertEquals(complaint(text), message);
  });
}

Deno.test("parseConfig() takes blanks and comments of any kind, and secrets as they are", () => {
  const config = read("\ufeffproduct = a\n\t \n# \u0007\tbell\npassword = \u00a0x\n");
  assertEquals([config.product, config.password.reveal()], ["a", "\u00a0x"]);
});

Deno.test("parseConfig() lets nobody have more than all, when only the whole is lowered", () => {
  const config = read("proxy_max_buffer = 32mb");
  assertEquals(config.sessionMaxBufferBytes, 32 * 1024 * 1024);
});

Deno.test("parseConfig() warns of what is set and does nothing", () => {
  const { warnings } = parseConfig(
    `${REMOTE}servers = a:1\ncoordinator_ca = ca.pem\nprotected_mode = yes`,
    "c",
  );
  const why = "servers is not used when coordinator = etcd";
  assertEquals(warnings, [
    `c:5: ${why}: add them with \`codis-proxy config server add\``,
    "c:6: coordinator_ca is not used without an endpoint of etcd with https://",
  ]);
  const embedded = parseConfig("coordinator = embedded\nzk = a:1\nproduct = 'a'", "c");
  assertEquals(embedded.warnings, [
    "c:3: product: the quotes are part of the value",
    "c:2: zk is not used when coordinator = embedded: the store is in embedded_dir",
  ]);
});

Deno.test("parseConfig() serves every machine, with a warning, where a file of Codis 2.0 does", () => {
  const codis2 = "zk = a:1\nproxy_id = p\ndashboard_addr = a:1\n";
  const warned = (text: string, reader: "proxy" | "control" = "proxy") => {
    const { config, warnings } = parseConfig(text, "c", reader);
    return [config.protectedMode, warnings.some((line) => line.includes("protected_mode is not"))];
  };
  assertEquals(warned(codis2), ["no", true]);
  assertEquals(warned(`${codis2}coordinator = etcd`), ["no", true]);
  assertEquals(warned(codis2, "control"), ["no", false]);
  assertEquals(warned(`${codis2}protected_mode = no`), ["no", false]);
  assertEquals(warned(`${codis2}protected_mode = yes`), ["yes", false]);
  assertEquals(warned(`${codis2}coordinator = embedded`), ["yes", false]);
  assertEquals(warned("servers = a:1"), ["yes", false]);
});

Deno.test("loadConfig() reads UTF-8, with or without its mark, and names what is none", async () => {
  const file = await Deno.makeTempFile();
  try {
    const line = new TextEncoder().encode("product = a\n");
    await Deno.writeFile(file, new Uint8Array([0xef, 0xbb, 0xbf, ...line]));
    assertEquals((await loadConfig(file)).config.product, "a");
    await Deno.writeFile(file, new Uint8Array([...line, 0x70, 0x3d, 0xe9, 0x0a]));
    const latin = await assertRejects(() => loadConfig(file), ConfigError);
    assertEquals(latin.message, `${file}:2: the line is not UTF-8: save the file as UTF-8`);
    await Deno.writeFile(file, new Uint8Array([0xff, 0xfe, 0x70, 0, 0x3d, 0]));
    const wide = await assertRejects(() => loadConfig(file), ConfigError);
    assertEquals(wide.message, `${file}: the file is UTF-16: save it as UTF-8`);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a message quotes a value of any size in part", () => {
  const long = "x".repeat(1_000_000);
  for (
    const text of [
      `max_clients = ${long}`,
      `${long} = 1`,
      `user.${long} = on\nuser.${long} = on`,
      `user.${long} = a\tb`,
      `zone = ${long}`,
      `servers = ${long}`,
      `servers = ${long}:1,${long}:1`,
      `servers = ${long}:x`,
      `zk = https://${long}/`,
      `zk = ${long}/a`,
      `addr = ${long}`,
      `addr = [${long}]`,
      `coordinator = ${long}`,
      `session_max_buffer = ${long}`,
      `webhook_url = ${long}`,
      `announce_addr = 0.0.0.0:1\nhttp_names = ${long}/`,
      `password_file = /${long}`,
    ]
  ) {
    const { length } = complaint(text);
    assert(length < 700, `${text.slice(0, 30)}…: ${length}`);
  }
});

Deno.test("parseConfig() answers any text with a config or with one line that can be printed", () => {
  const keys = CONFIG_KEYS.map((row) => row.key);
  const line = fc.tuple(
    fc.oneof(fc.constantFrom(...keys), fc.string({ unit: "binary", maxLength: 8 })),
    fc.constantFrom("=", " = ", "", "\t=", "=="),
    fc.oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.integer().map(String)),
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 4 }),
      fc.constantFrom("\n", "\r\n", "\r"),
      (lines, end) => {
        try {
          const { config, warnings } = parseConfig(lines.join(end), "config.ini");
          assertEquals(config.sessionMaxBufferBytes <= config.proxyMaxBufferBytes, true);
          assertEquals(warnings.filter((warning) => /\p{Cc}/u.test(warning)), []);
        } catch (error) {
          assertInstanceOf(error, ConfigError);
          assertMatch(error.message, /^config\.ini(:\d+)?: \P{Cc}+$/u);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("loadConfig() names a file that it cannot read", async () => {
  const missing = await assertRejects(() => loadConfig("/nowhere/config.ini"), ConfigError);
  assertEquals(missing.message, "/nowhere/config.ini: cannot read config file: no such file");
  const folder = await Deno.makeTempDir();
  try {
    const unreadable = await assertRejects(() => loadConfig(folder), ConfigError);
    assertStringIncludes(unreadable.message, `${folder}: cannot read config file: `);
    assertEquals(unreadable.message.includes("\n"), false);
  } finally {
    await Deno.remove(folder);
  }
});

Deno.test("parseConfig() needs no proxy_id for a dashboard, as codis-config needs none", () => {
  const text = "coordinator = zookeeper\nzk = a:1\ndashboard_addr = a:1";
  assertEquals(parseConfig(text, "config.ini", "control").config.coordinator, "zookeeper");
  assertThrows(() => parseConfig(text, "config.ini", "proxy"), ConfigError, "proxy_id must be set");
  const without = "coordinator = zookeeper\nzk = a:1";
  assertThrows(
    () => parseConfig(without, "config.ini", "control"),
    ConfigError,
    "dashboard_addr must be set",
  );
});

Deno.test("configEntries() prints every key as config.ini spells it, secrets masked", () => {
  const entries = new Map(
    configEntries(read(`${REMOTE}password = hunter2\nservers = [::1]:1,b:2`)),
  );
  assertEquals([...entries.keys()], CONFIG_KEYS.map((row) => row.key));
  assertEquals(entries.get("password"), "***");
  assertEquals(entries.get("backend_password"), "");
  assertEquals(entries.get("servers"), "[::1]:1,b:2");
  assertEquals(entries.get("session_max_timeout"), "1800");
  assertEquals(entries.get("session_max_buffer"), "64mb");
  assertEquals(entries.get("destructive_commands"), "on");
});

Deno.test("Config shows no password however it is printed", () => {
  const config = read("password = hunter2");
  assertEquals(Deno.inspect(config).includes("hunter2"), false);
  assertEquals(JSON.stringify(config).includes("hunter2"), false);
  assertEquals(`${config.password}`, "***");
});

Deno.test("users in the store are refused beside users here: one of them would not count", () => {
  const text = "take them over with `config acl import FILE`";
  assertStringIncludes(complaint("acl = store\naclfile = users.acl"), `config.ini:2: acl = store`);
  assertStringIncludes(complaint("user.alice = on\nacl = store"), text);
  assertEquals(read("acl = store\npassword = x").acl, "store");
});

Deno.test("ZooKeeper's hosts are no URLs, and an entry for Jodis clients is none of the store's own", () => {
  const cases = [
    [
      "coordinator = zookeeper\nproxy_id = a\ndashboard_addr = b:1\nzk = z,http://y:2181",
      'c:4: zk = "z,http://y:2181": ZooKeeper\'s hosts',
    ],
    ["jodis_addr = http://etcd:2379", 'c:1: jodis_addr = "http://etcd:2379": ZooKeeper\'s hosts'],
    ["jodis_addr = zk\njodis_auth = nobody", "c:2: jodis_auth = ***: must be user:password"],
    [
      "jodis_addr = zk\njodis_compatible = on\nproxy_id = a\nzk = zk\ndashboard_addr = b:1",
      'c:2: jodis_compatible = "on": must be off when coordinator = zookeeper',
    ],
  ] as const;
  for (const [text, message] of cases) {
    assertThrows(() => parseConfig(text, "c"), ConfigError, message);
  }
  const { warnings } = parseConfig("jodis_compatible = on\njodis_auth = a:b", "c");
  assertEquals(warnings, [
    "c:2: jodis_auth is not used without jodis_addr",
    "c:1: jodis_compatible is not used without jodis_addr",
  ]);
});
