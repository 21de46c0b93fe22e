/**
 * Every key that can change while a process runs is in force where it counts after a reload: the table of proofs has
 * each of them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { productFetch } from "../../../src/api/product_http.ts";
import { logger, logLevel } from "../../../src/base/log.ts";
import type { ConfigKey } from "../../../src/config/key.ts";
import { CONFIG_KEYS } from "../../../src/config/keys.ts";
import { serveHttp } from "../../../src/io/http_server.ts";
import type { RouterOptions } from "../../../src/router/options.ts";
import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import { identityOf, tlsClient, tlsFile, tlsText } from "../../support/tls.ts";
import { RunningParts } from "./running_parts.ts";

/** What all start with: what must be set for other values of it to need no restart. */
const BASE = [
  ...[
    "embedded_dir = FOLDER/data",
    "log_file = FOLDER/log",
    "access_log = FOLDER/access",
    "coordinator = embedded",
  ],
  "backend_ping_period = 0",
  ...["coordinator_auth = a:b", "dashboard_token = token", "sentinel_password = s"],
  ...["backend_password = b", "backend_client_user = u", "backend_client_password = c"],
  ...["webhook_url = http://127.0.0.1:1/", "webhook_secret = w"],
  ...[
    "tls_addr = 127.0.0.1:1",
    `tls_cert = ${tlsFile("server")}`,
    `tls_key = ${tlsFile("server-key")}`,
  ],
  ...["backend_tls = on", `backend_tls_ca = ${tlsFile("ca")}`],
  ...[`backend_tls_cert = ${tlsFile("client")}`, `backend_tls_key = ${tlsFile("client-key")}`],
  ...[`http_tls_cert = ${tlsFile("server")}`, `http_tls_key = ${tlsFile("server-key")}`],
  `dashboard_ca = ${tlsFile("other-ca")}`,
];

/** How a key is proved. */
interface Proof {
  /** Its other value; `FOLDER` as in the base. */
  readonly to: string;
  /** Further lines that it needs; with a key of its own they change together. */
  readonly also?: readonly string[];
  /** Fails when the value is not in force. */
  readonly holds: (parts: RunningParts) => void | Promise<void>;
}

/** A setting that the router reads each time from its options. */
function option<K extends keyof RouterOptions>(
  to: string,
  field: K,
  value: RouterOptions[K],
): Proof {
  return { to, holds: ({ plane }) => assertEquals(plane.router.shared.options[field], value) };
}

/** A secret that others hold: the same object has the new value. */
function held(field: string, to: string): Proof {
  return { to, holds: (parts) => assertEquals(parts.secret(field).reveal(), to) };
}

/** What a client that says this gets. */
function answers(
  to: string,
  words: readonly string[],
  reply: RegExp,
  also: readonly string[] = [],
): Proof {
  return {
    ...{ to, also },
    holds: async (parts) => {
      using client = await parts.client();
      assertMatch(JSON.stringify(await client.call(...words)), reply);
    },
  };
}

/** A limit of migrations. */
function limit(to: string, field: string, value: unknown): Proof {
  return {
    to,
    holds: ({ dashboard }) =>
      assertEquals((dashboard.migrations.limits as Record<string, unknown>)[field], value),
  };
}

function logText(parts: RunningParts, file = "log.0"): string {
  return Deno.readTextFileSync(`${parts.folder}/${file}`);
}

const OTHER_CLIENTS = [
  `tls_cert = ${tlsFile("other-server")}`,
  `tls_key = ${tlsFile("other-server-key")}`,
];
const OTHER_SERVERS = [
  `backend_tls_cert = ${tlsFile("other-client")}`,
  `backend_tls_key = ${tlsFile("other-client-key")}`,
];
const OTHER_HTTP = [
  `http_tls_cert = ${tlsFile("other-server")}`,
  `http_tls_key = ${tlsFile("other-server-key")}`,
];
const ASKS = `tls_client_ca = ${tlsFile("ca")}`;

/** Connects, and closes. */
async function meets(...args: Parameters<typeof tlsClient>): Promise<unknown> {
  using client = await tlsClient(...args);
  return await client.call("PING");
}

const newClientCertificate: Proof["holds"] = async (parts) => {
  assertEquals(await meets(parts.port(true), { trust: "other-ca" }), "PONG");
};
const newServerCertificate: Proof["holds"] = ({ plane, serverTls }) => {
  assertEquals(serverTls.identity.cert, tlsText("other-client"));
  assertEquals(plane.router.shared.options.backendTls!.identity.cert, tlsText("other-client"));
};
const newHttpCertificate: Proof["holds"] = ({ http }) =>
  assertEquals(http?.cert, tlsText("other-server"));

const MB = 1024 * 1024;

/** By key. */
const PROOFS: Readonly<Record<string, Proof>> = {
  coordinator_auth: held("coordinatorAuth", "c:d"),
  dashboard_token: {
    to: "other",
    holds: ({ policy, dashboardPolicy, dashboard }) =>
      assertEquals(
        [policy.token, dashboardPolicy.token, dashboard.proxyToken!].map((secret) =>
          secret.reveal()
        ),
        ["other", "other", "other"],
      ),
  },
  sentinel_password: held("sentinelPassword", "other"),
  webhook_url: held("webhookUrl", "http://127.0.0.1:2/"),
  webhook_secret: held("webhookSecret", "other"),
  log_level: { to: "warn", holds: () => assertEquals(logLevel(), "warn") },
  log_file: {
    to: "FOLDER/other",
    holds: (parts) => {
      logger("test").info("to the other one");
      assertMatch(logText(parts, "other.0"), /to the other one/);
    },
  },
  log_format: {
    to: "json",
    holds: (parts) => {
      logger("test").info("as an object");
      assertEquals(JSON.parse(logText(parts).trim().split("\n").at(-1)!).message, "as an object");
    },
  },
  log_max_size: {
    to: "64k",
    holds: async (parts) => {
      for (const files of await logFilesAfter(parts, 100)) assert(files > 1);
    },
  },
  log_files: {
    to: "3",
    also: ["log_max_size = 64k"],
    holds: async (parts) => assertEquals(await logFilesAfter(parts, 300), [3, 3]),
  },
  request_sample: {
    to: "1",
    holds: async (parts) => {
      using client = await parts.client();
      await client.call("PING");
      await delay(300); // lines are gathered
      assert(parts.accessLines.some((lines) => lines.includes('"command":"ping"')));
    },
  },
  http_names: {
    to: "proxy.example.com",
    holds: ({ policy, dashboardPolicy }) => {
      for (const { hostnames } of [policy, dashboardPolicy]) {
        assert(hostnames.includes("proxy.example.com"));
      }
    },
  },
  password: answers("secret", ["AUTH", "secret"], /OK/),
  backend_password: {
    to: "n",
    holds: ({ plane }) => assertEquals(plane.router.shared.options.moverLogin?.password, "n"),
  },
  backend_client_password: option("n", "backendPassword", "n"),
  backend_ping_period: {
    to: "1",
    holds: async ({ plane }) => {
      let pings = 0;
      plane.router.keepAlive = () => void pings++;
      await delay(1_300);
      assert(pings > 0);
    },
  },
  backend_dial_timeout: {
    to: "123",
    holds: ({ plane: { router: { shared } } }) =>
      assertEquals(
        [
          shared.options.backendDialMs,
          shared.resp3.patienceMs,
          shared.subscribers.patienceMs,
          shared.subscribing.limitMs,
        ],
        [123, 123, 123, 123],
      ),
  },
  backend_timeout: option("7", "backendTimeoutMs", 7_000),
  slot_wait_timeout: {
    to: "7",
    holds: ({ plane: { router: { shared } } }) => {
      assertEquals([shared.options.slotWaitMs, shared.slots.all[1023]!.waitMs], [7_000, 7_000]);
    },
  },
  "user.NAME": answers("", ["AUTH", "app", "pw"], /OK/, ["user.app = on >pw ~* +@all"]),
  aclfile: answers("FOLDER/users.acl", ["AUTH", "filed", "pw"], /OK/),
  session_max_timeout: option("7", "sessionIdleMs", 7_000),
  session_auth_timeout: option("7", "sessionAuthMs", 7_000),
  session_partial_timeout: option("7", "sessionPartialMs", 7_000),
  session_write_timeout: option("7", "sessionWriteMs", 7_000),
  session_max_bufsize: option("4096", "sessionReadBytesMax", 4_096),
  session_max_pipeline: option("7", "sessionPipelineMax", 7),
  session_max_buffer: option("7mb", "sessionBufferBytesMax", 7 * MB),
  proxy_max_buffer: {
    to: "70mb",
    holds: ({ plane: { router: { shared } } }) => assertEquals(shared.budget.limitBytes, 70 * MB),
  },
  max_clients: {
    to: "1",
    holds: async (parts) => {
      using first = await parts.client();
      assertEquals(await first.call("PING"), "PONG");
      using second = await parts.client();
      assertMatch(JSON.stringify(await second.read()), /max number of clients/);
      assertEquals(parts.proxy.clientsMax, 1);
    },
  },
  read_mode: option("direct", "readMode", "direct"),
  read_from: {
    to: "prefer_replica",
    holds: ({ plane }) => {
      // Of a client that was there before.
      const [session] = plane.router.sessions.values();
      assert(session!.reads !== null);
    },
  },
  read_your_writes: option("off", "readYourWrites", false),
  replica_max_lag: option("700", "replicaLagMs", 700),
  replica_max_lag_bytes: option("7mb", "replicaLagBytesMax", 7 * MB),
  destructive_commands: answers("off", ["FLUSHALL"], /destructive_commands is off/),
  private_connections_max: option("7", "privateConnectionsMax", 7),
  multi_slot_transactions: option("on", "multiSlotTransactions", true),
  server_commands: answers("on", ["CONFIG", "SET", "maxmemory", "1"], /slot|table|not ready/i),
  slowlog_slower_than: answers("777", ["CONFIG", "GET", "slowlog-log-slower-than"], /"777"/),
  hot_key_samples: answers("0", ["HOTKEYS", "GET"], /hot_key_samples/),
  undeclared_keys: option("allow", "undeclaredKeys", true),
  tls_cert: { to: tlsFile("other-server"), also: OTHER_CLIENTS, holds: newClientCertificate },
  tls_key: { to: tlsFile("other-server-key"), also: OTHER_CLIENTS, holds: newClientCertificate },
  tls_client_ca: {
    to: tlsFile("other-ca"),
    also: ["tls_auth_clients = yes"],
    holds: async (parts) => {
      assertEquals(await meets(parts.port(true), { as: "other-client" }), "PONG");
      await assertRejects(() => meets(parts.port(true), { as: "client" }));
    },
  },
  tls_auth_clients: {
    to: "yes",
    also: [ASKS],
    holds: async (parts) => {
      assertEquals(await meets(parts.port(true), { as: "client" }), "PONG");
      await assertRejects(() => meets(parts.port(true)));
    },
  },
  tls_auth_user: {
    ...option("cn", "tlsAuthUser", "cn"),
    also: [ASKS, "tls_auth_clients = optional"],
  },
  backend_tls_ca: {
    to: tlsFile("other-ca"),
    holds: ({ serverTls }) => assertEquals(serverTls.identity.ca, tlsText("other-ca")),
  },
  backend_tls_cert: {
    to: tlsFile("other-client"),
    also: OTHER_SERVERS,
    holds: newServerCertificate,
  },
  backend_tls_key: {
    to: tlsFile("other-client-key"),
    also: OTHER_SERVERS,
    holds: newServerCertificate,
  },
  backend_tls_server_name: {
    to: "redis.example.com",
    holds: ({ plane }) =>
      assertEquals(plane.router.shared.options.backendTls!.serverName, "redis.example.com"),
  },
  http_tls_cert: { to: tlsFile("other-server"), also: OTHER_HTTP, holds: newHttpCertificate },
  http_tls_key: { to: tlsFile("other-server-key"), also: OTHER_HTTP, holds: newHttpCertificate },
  dashboard_ca: {
    to: tlsFile("ca"),
    holds: async () => {
      const options = {
        hostnames: ["127.0.0.1"],
        port: 0,
        proto: "tcp",
        connectionsMax: 4,
      } as const;
      const server = serveHttp(
        { ...options, tls: identityOf("server") },
        () => new Response("here"),
      );
      try {
        const response = await productFetch(`127.0.0.1:${server.addr.port}`, "/", {});
        assertEquals(await response.text(), "here");
      } finally {
        await server.shutdown();
      }
    },
  },
  migrate_keys_per_second: limit("7", "keysPerSecond", 7),
  migrate_bytes_per_second: limit("7kb", "bytesPerSecond", 7 * 1024),
  migrate_big_key: limit("7kb", "bigKeyBytes", 7 * 1024),
  migrate_big_key_policy: limit("refuse", "bigKeyPolicy", "refuse"),
  migrate_p99_max: limit("7", "p99MaxMs", 7),
};

/** Fills the log and the access log; returns how many files they have. */
async function logFilesAfter(parts: RunningParts, lines: number): Promise<number[]> {
  for (let i = 0; i < lines; i++) {
    logger("test").error(`line ${i} {text}`, { text: "x".repeat(1_000) });
    await parts.accessLog.write(`${"x".repeat(1_000)}\n`);
  }
  const names = [...Deno.readDirSync(parts.folder)].map(({ name }) => name);
  return ["log.", "access."].map((log) => names.filter((name) => name.startsWith(log)).length);
}

const LIVE = (CONFIG_KEYS as readonly ConfigKey[]).filter(({ reload }) => reload !== undefined);

Deno.test("a key that says that it can change has a proof, and no other", () => {
  assertEquals(Object.keys(PROOFS).sort(), LIVE.map(({ key }) => key).sort());
});

Deno.test("each of them is in force where it counts, and back again", async (test) => {
  await using parts = await RunningParts.start(BASE);
  await until(() => parts.dashboard.isLeading);
  await parts.dashboard.checkLead();
  await Deno.writeTextFile(
    `${parts.folder}/users.acl`,
    "user default on nopass ~* &* +@all\nuser filed on >pw ~* +@all\n",
  );
  for (const { key } of LIVE) {
    const { to, also = [], holds } = PROOFS[key]!;
    await test.step(key, async () => {
      await parts.reload([]);
      using _before = key === "read_from" ? await parts.client() : { [Symbol.dispose]() {} };
      await assertRejects(
        async () => await holds(parts),
        Error,
        undefined,
        "it holds before it is so",
      );
      const own = key === "user.NAME" || also.some((line) => line.startsWith(`${key} `));
      const { changed, waiting } = await parts.reload([...also, ...own ? [] : [`${key} = ${to}`]]);
      assert(changed.some((change) => change.key === key), "it is among what has changed");
      assertEquals(waiting, []);
      await holds(parts);
    });
  }
  await parts.reload([]);
  assertEquals(parts.plane.router.shared.options.sessionIdleMs, 1_800_000);
});
