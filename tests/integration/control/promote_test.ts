/**
 * What operators may rely on when they promote a replica: no write that a client had an answer to is
 * lost, whatever version the servers are, and no server refuses writes for ever.
 *
 * `CODIS_SERVER=<path>` names a real codis-server to try it on.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ConnectionLossError } from "../../../src/coordinator/errors.ts";
import { encodeIntent } from "../../../src/control/intent.ts";
import { checkTree } from "../../../src/store/check.ts";
import { loadTree } from "../../../src/store/product_tree.ts";
import { loadGroup, masterOf } from "../../../src/store/groups.ts";
import { readIfThere, type Store } from "../../../src/store/store.ts";
import { encodeWriteHold } from "../../../src/store/write_holds.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { FakeRedis } from "../../support/fake_redis.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { type RedisOptions, RedisServer } from "../../support/redis_server.ts";
import { ReplyError } from "../../support/resp_value.ts";
import { StoreFolder } from "../../support/store.ts";

const WRITERS = 16;
const ROUNDS = Number(Deno.env.get("PROMOTE_ROUNDS") ?? 4);
/** Writes that are acknowledged before each promotion. */
const WRITES = 2_000;
/** Servers that cannot let writes wait: without CLIENT there is no CLIENT PAUSE. */
const NO_PAUSE: RedisOptions = { args: ["--rename-command", "CLIENT", ""] };
const CODIS_SERVER = Deno.env.get("CODIS_SERVER");

for (
  const [name, options] of [
    ["on Redis 7, where writes wait", {}],
    ["where writes cannot wait, as before Redis 6.2", NO_PAUSE],
  ] as const
) {
  Deno.test(`${ROUNDS} promotions under ${WRITERS} writers lose no acknowledged write, ${name}`, async () => {
    await promoteUnderLoad(options);
  });
}

if (CODIS_SERVER === undefined) {
  console.log("CODIS_SERVER is not set: promotion is NOT tried on a real codis-server");
}
Deno.test({
  name: `${ROUNDS} promotions under ${WRITERS} writers lose no acknowledged write, on ${
    CODIS_SERVER ?? "a real codis-server (set CODIS_SERVER)"
  }`,
  ignore: CODIS_SERVER === undefined,
  fn: () => promoteUnderLoad({ program: CODIS_SERVER! }),
});

/** Counters go up by one each: a write that was lost shows as a count that was told twice. */
async function promoteUnderLoad(options: RedisOptions): Promise<void> {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2, options);
  const [a, b] = servers.map(({ addr }) => addr) as [string, string];
  for (const server of servers) {
    using client = await server.client();
    assertEquals(await client.call("CONFIG", "SET", "min-slaves-max-lag", 0), "OK");
  }
  const store = await folder.openFilled(a);
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr: b, type: "slave" });
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  let isWriting = true;
  let acknowledged = 0;
  const lost: string[] = [];
  const refusals = new Map<string, number>();
  const writers = Array.from({ length: WRITERS }, async (_, i) => {
    using client = await proxy.client();
    for (let last = 0; isWriting;) {
      const count = await client.call("INCR", `counter:${i}`);
      if (typeof count === "number") {
        if (count <= last) lost.push(`counter:${i}: ${count} after ${last}`);
        last = count;
        acknowledged++;
      } else {
        const code = (count as ReplyError).message.split(" ", 1)[0]!;
        refusals.set(code, (refusals.get(code) ?? 0) + 1);
      }
    }
  });
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const [addr, next] = round % 2 === 0 ? [b, servers[1]!] : [a, servers[0]!];
      await until(async () => {
        using client = await next.client();
        return /master_link_status:up/.test(`${await client.call("INFO", "replication")}`);
      });
      const enough = acknowledged + WRITES;
      await until(() => acknowledged > enough);
      await dashboard.done("POST", "/api/server_group/1/promote", { addr, group_id: 1 });
    }
  } finally {
    isWriting = false;
    await Promise.all(writers);
  }
  console.log(acknowledged, "writes acknowledged, refused:", Object.fromEntries(refusals));
  assertEquals(lost, []);
  for (const code of refusals.keys()) assertMatch(code, /^(NOREPLICAS|READONLY)$/);
  // Both are as they were before.
  for (const server of servers) {
    using client = await server.client();
    for (const name of ["min-slaves-to-write", "min-slaves-max-lag"]) {
      assertEquals(`${(await client.call("CONFIG", "GET", name) as unknown[])[1]}`, "0");
    }
  }
  assertEquals(await readIfThere(store, store.paths.writeHold(a)), undefined);
  assertEquals(await readIfThere(store, store.paths.writeHold(b)), undefined);
}

for (
  const [how, args] of [
    ["", []],
    [", also where CONFIG may not be asked", ["--rename-command", "CONFIG", ""]],
  ] as const
) {
  Deno.test(`a master that would take writes as a replica is not replaced${how}`, async () => {
    await using folder = await StoreFolder.make();
    const options = { args: ["--replica-read-only", "no", ...args] };
    await using servers = await RedisServer.startMany(2, options);
    const [old, addr] = servers.map((server) => server.addr) as [string, string];
    await using dashboard = await DashboardServer.start(await folder.openFilled(old));
    await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
    using master = await servers[0]!.client();
    const promote = (force: boolean) =>
      dashboard.ask("POST", "/api/server_group/1/promote", { addr, group_id: 1, force });
    assertMatch(
      (await promote(false)).text,
      /replica-read-only no.* CONFIG SET slave-read-only yes/,
    );
    assertMatch(`${await master.call("INFO", "replication")}`, /role:master/);
    assertEquals(await master.call("SET", "k", "v"), "OK");
    const { json } = await dashboard.get("/api/check");
    const found = json.problems.map(({ problem }: { problem: string }) => problem).join("\n");
    assertMatch(found, new RegExp(`${addr} takes writes although it is a replica`));
    if (args.length === 0) {
      assertEquals(await master.call("CONFIG", "SET", "replica-read-only", "yes"), "OK");
    }
    assertEquals((await promote(args.length > 0)).status, 200);
  });
}

for (const isFrozen of [false, true]) {
  const what = isFrozen ? "and follows itself" : "its writes";
  Deno.test(`a master that a killed dashboard left refusing ${what} takes writes again under the next`, async () => {
    await using folder = await StoreFolder.make();
    await using servers = await RedisServer.startMany(2, NO_PAUSE);
    const [old, addr] = servers.map((server) => server.addr) as [string, string];
    const store = await folder.openFilled(old);
    {
      await using dashboard = await DashboardServer.start(store);
      await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
    }
    using master = await servers[0]!.client();
    assertEquals(await master.call("SET", "k", "before"), "OK");
    const { coordinator, paths } = store;
    const hold = { since: 1, min_slaves_to_write: "0", min_slaves_max_lag: "7" };
    await coordinator.create(
      paths.intent,
      encodeIntent({ kind: "promote", at: 1, group_id: 1, addr, old_addr: old }),
    );
    await coordinator.create(paths.writeHold(old), encodeWriteHold(hold));
    await master.call("CONFIG", "SET", "min-slaves-to-write", 1000);
    if (isFrozen) await master.call("SLAVEOF", "127.0.0.1", servers[0]!.port);
    const told = checkTree(await loadTree(store)).problems.map(({ path, problem }) =>
      `${path}: ${problem}`
    );
    assert(
      told.some((line) => line.startsWith(`${paths.writeHold(old)}: may refuse writes`)),
      told.join("\n"),
    );
    await using _dashboard = await DashboardServer.start(store);
    await until(async () => await readIfThere(store, paths.writeHold(old)) === undefined);
    assertEquals(await master.call("SET", "k", "after"), "OK");
    const setting = await master.call("CONFIG", "GET", "min-slaves-max-lag") as unknown[];
    assertEquals(`${setting[1]}`, "7");
    assertEquals(checkTree(await loadTree(store)).problems, []);
    using replica = await servers[1]!.client();
    await until(async () => await replica.call("GET", "k") === "after");
  });
}

Deno.test("a server that is down while it is to be set back is set back when it answers", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  const store = await folder.openFilled(server.addr);
  const { coordinator, paths } = store;
  await coordinator.create(paths.writeHolds, "");
  // Older than what can be read: Redis's own defaults.
  await coordinator.create(paths.writeHold(server.addr), "?");
  using client = await server.client();
  await client.call("CONFIG", "SET", "min-slaves-to-write", 1000);
  server.pause();
  await using dashboard = await DashboardServer.start(store, { dialMs: 200 });
  server.resume();
  await until(async () => await client.call("SET", "k", "v") === "OK");
  await until(async () => await readIfThere(store, paths.writeHold(server.addr)) === undefined);
  assert(dashboard.dashboard.isLeading);
});

/** A server before Redis 6.2, as far as a promotion asks it. */
class OldServer {
  role: "master" | "slave";
  master = "";
  offset = 100;
  readonly fake: FakeRedis;
  /** Called before each command. */
  before: (words: readonly string[]) => void | Promise<void> = () => {};
  /** Whether it lets writes wait, as from Redis 6.2 on. */
  canWait = false;
  readonly settings = new Map([["min-slaves-to-write", "2"], ["min-slaves-max-lag", "10"]]);
  /** Commands that change something, in order. */
  readonly told: string[] = [];

  constructor(role: "master" | "slave") {
    this.role = role;
    this.fake = new FakeRedis((words) => this.#answer(words));
  }

  async #answer(words: string[]): Promise<string> {
    await this.before(words);
    const [name, verb, third, fourth] = words;
    const line = words.join(" ");
    switch (name) {
      case "INFO": {
        const [host, port] = this.master.split(":");
        const text = this.role === "master"
          ? `role:master\r\nmaster_repl_offset:${this.offset}\r\n`
          : `role:slave\r\nmaster_host:${host}\r\nmaster_port:${port}\r\n` +
            `master_link_status:up\r\nslave_repl_offset:${this.offset}\r\n`;
        return `$${text.length}\r\n${text}\r\n`;
      }
      case "CONFIG":
        if (verb === "SET") {
          this.told.push(line);
          this.settings.set(third!, fourth!);
          return "+OK\r\n";
        } else {
          const value = this.settings.get(third!);
          if (value === undefined) return "*0\r\n";
          return `*2\r\n$${third!.length}\r\n${third}\r\n$${value.length}\r\n${value}\r\n`;
        }
      case "SLAVEOF":
        this.told.push(line);
        this.role = verb === "NO" ? "master" : "slave";
        this.master = verb === "NO" ? "" : `${verb}:${third}`;
        return "+OK\r\n";
      case "CLIENT":
        if (this.canWait) return "+OK\r\n";
        return "-ERR Syntax error, try CLIENT (LIST | KILL ip:port | GETNAME | SETNAME)\r\n";
    }
    return `-ERR unknown command '${name}'\r\n`;
  }
}

Deno.test("what a master refuses writes by is stored before it is set, and set back in any case", async () => {
  await using folder = await StoreFolder.make();
  const [old, candidate] = [new OldServer("master"), new OldServer("slave")];
  await using _old = old.fake;
  await using _candidate = candidate.fake;
  candidate.master = old.fake.addr;
  const store = await folder.openFilled(old.fake.addr);
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/1/addServer", {
    ...{ addr: candidate.fake.addr, type: "slave" },
  });
  const noted: (string | undefined)[] = [];
  old.before = async (words) => {
    if (words[1] !== "SET") return;
    noted.push(await readIfThere(store, store.paths.writeHold(old.fake.addr)));
  };
  const promote = () =>
    dashboard.ask("POST", "/api/server_group/1/promote", {
      ...{ addr: candidate.fake.addr, group_id: 1 },
    });
  const nowhere = "SLAVEOF 127.0.0.1 1";

  // A script writes in the last moment, and the candidate does not get it.
  const scriptWrites = (words: readonly string[]) => {
    if (words[0] === "INFO" && old.settings.get("min-slaves-to-write") === "1000") {
      old.offset = candidate.offset + looks++ * 50;
    }
  };
  let looks = 0;
  const note = old.before;
  old.before = async (words) => {
    scriptWrites(words);
    await note(words);
  };
  const refused = await promote();
  assertEquals(refused.status, 500);
  assertMatch(refused.text, /scripts wrote 50 bytes to .* in the last moment/);
  assertEquals(old.told, [
    "CONFIG SET min-slaves-to-write 1000",
    nowhere,
    "SLAVEOF NO ONE",
    "CONFIG SET min-slaves-to-write 2",
    "CONFIG SET min-slaves-max-lag 10",
  ]);
  assertEquals(candidate.told, []);
  assertMatch(noted[0] ?? "", /"min_slaves_to_write":"2"/);

  // Without that, it is promoted, and the old master follows it.
  old.before = note;
  old.told.length = 0;
  old.offset = candidate.offset;
  assertEquals((await promote()).status, 200);
  assertEquals(candidate.told, ["SLAVEOF NO ONE"]);
  assertEquals(old.told, [
    "CONFIG SET min-slaves-to-write 1000",
    nowhere,
    `SLAVEOF ${candidate.fake.addr.replace(":", " ")}`,
    "CONFIG SET min-slaves-to-write 2",
    "CONFIG SET min-slaves-max-lag 10",
  ]);
  assertEquals(await readIfThere(store, store.paths.writeHold(old.fake.addr)), undefined);
});

/** Two servers of group 1 under a dashboard: the second follows the first. */
async function withTwo(
  canWait: boolean,
  body: (
    old: OldServer,
    candidate: OldServer,
    dashboard: DashboardServer,
    store: Store,
  ) => Promise<void>,
): Promise<void> {
  await using folder = await StoreFolder.make();
  const [old, candidate] = [new OldServer("master"), new OldServer("slave")];
  await using _old = old.fake;
  await using _candidate = candidate.fake;
  old.canWait = candidate.canWait = canWait;
  candidate.master = old.fake.addr;
  const store = await folder.openFilled(old.fake.addr);
  await using dashboard = await DashboardServer.start(store, { replyMs: 200 });
  const added = { addr: candidate.fake.addr, type: "slave" };
  await dashboard.done("PUT", "/api/server_group/1/addServer", added);
  await body(old, candidate, dashboard, store);
}

const promoteFirst = (dashboard: DashboardServer, { fake }: OldServer) =>
  dashboard.ask("POST", "/api/server_group/1/promote", { addr: fake.addr, group_id: 1 });

for (const canWait of [true, false]) {
  const how = canWait ? "wait" : "are refused";
  Deno.test(`an old master takes no write at all before its replica becomes a master, where they ${how}`, async () => {
    await withTwo(canWait, async (old, candidate, dashboard) => {
      let oldRole = "";
      candidate.before = (words) => {
        if (words[0] === "SLAVEOF") oldRole = old.role;
      };
      assertEquals((await promoteFirst(dashboard, candidate)).status, 200);
      // A dashboard that is paused here for longer than writes wait loses none.
      assertEquals(oldRole, "slave");
      assertEquals(old.master, candidate.fake.addr);
    });
  });

  Deno.test(`a dashboard that is replaced in the middle of a promotion sends servers no more commands, where writes ${how}`, async () => {
    await withTwo(canWait, async (old, candidate, dashboard, store) => {
      let looks = 0;
      old.before = async (words) => {
        const isHeld = await readIfThere(store, store.paths.writeHold(old.fake.addr)) !== undefined;
        if (words[0] !== "INFO" || !isHeld || looks++ > 0) return;
        await store.coordinator.write(store.paths.dashboardEpoch, "another one");
      };
      const refused = await promoteFirst(dashboard, candidate);
      assert(looks > 0);
      assert(refused.status >= 500, refused.text);
      assertEquals(candidate.told, []);
      assertEquals(old.told.filter((line) => line.startsWith("SLAVEOF")), []);
    });
  });
}

Deno.test("a master that stops answering while it is frozen takes writes when it answers again", async () => {
  await withTwo(false, async (old, candidate, dashboard, store) => {
    const stopped = Promise.withResolvers<void>();
    old.before = async (words) => {
      if (words[0] !== "SLAVEOF") return;
      // Nobody who connects meanwhile is answered, either.
      old.before = () => stopped.promise;
      await stopped.promise;
    };
    const refused = await promoteFirst(dashboard, candidate);
    assertEquals(refused.status, 500);
    assertMatch(refused.text, /no reply within/);
    stopped.resolve();
    old.before = () => {};
    await until(async () =>
      await readIfThere(store, store.paths.writeHold(old.fake.addr)) === undefined
    );
    assertEquals(old.role, "master");
    assertEquals(old.settings.get("min-slaves-to-write"), "2");
    assertEquals(candidate.told, []);
  });
});

Deno.test("a master takes writes again at once when the coordinator is lost while it is frozen", async () => {
  await withTwo(false, async (old, candidate, dashboard, store) => {
    const { coordinator } = store;
    const transact = coordinator.transact.bind(coordinator);
    let isLost = false;
    coordinator.transact = (operations) =>
      isLost ? Promise.reject(new ConnectionLossError("", "no coordinator")) : transact(operations);
    old.before = (words) => {
      if (words[0] === "SLAVEOF") isLost = true;
    };
    const refused = await promoteFirst(dashboard, candidate);
    assertEquals(refused.status, 500);
    assertMatch(refused.text, /no coordinator/);
    assertEquals([old.role, old.settings.get("min-slaves-to-write")], ["master", "2"]);
    assertEquals(candidate.told, []);
    isLost = false;
    const { paths } = store;
    await until(async () => await readIfThere(store, paths.writeHold(old.fake.addr)) === undefined);
    assertEquals(await readIfThere(store, paths.intent), undefined);
  });
});

Deno.test("a replica that does not answer when it is to become master goes on as a replica", async () => {
  await withTwo(true, async (old, candidate, dashboard) => {
    const answers = Promise.withResolvers<void>();
    candidate.before = async (words) => {
      if (words[0] !== "SLAVEOF") return;
      candidate.before = () => answers.promise;
      setTimeout(answers.resolve, 300);
      await answers.promise;
    };
    const refused = await promoteFirst(dashboard, candidate);
    assertEquals(refused.status, 500);
    await until(() => candidate.told.length === 2);
    assertEquals([candidate.role, candidate.master], ["slave", old.fake.addr]);
    assertEquals(old.role, "master");
  });
});

for (const is_forced of [false, true]) {
  const what = is_forced ? "finished" : "given up";
  Deno.test(
    `a promotion that a killed dashboard left is ${what} when the master is down and it was ${
      is_forced ? "" : "not "
    }forced`,
    async () => {
      await using folder = await StoreFolder.make();
      await using servers = await RedisServer.startMany(2);
      const [old, addr] = servers.map((server) => server.addr) as [string, string];
      const store = await folder.openFilled(old);
      {
        await using dashboard = await DashboardServer.start(store);
        await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
      }
      const { coordinator, paths } = store;
      const note = { kind: "promote", at: 1, group_id: 1, addr, old_addr: old } as const;
      await coordinator.create(paths.intent, encodeIntent({ ...note, is_forced }));
      await servers[0]!.kill();
      await using _dashboard = await DashboardServer.start(store);
      await until(async () => await readIfThere(store, paths.intent) === undefined);
      // What the replica lacks of the master's changes, nobody knows.
      assertEquals(masterOf(await loadGroup(store, 1)).addr, is_forced ? addr : old);
      using replica = await servers[1]!.client();
      const role = (await replica.call("ROLE") as unknown[])[0];
      assertEquals(`${role}`, is_forced ? "master" : "slave");
    },
  );
}

Deno.test("a master that knows no way to hold writes off is not replaced unless that is forced", async () => {
  await using folder = await StoreFolder.make();
  const args = [...NO_PAUSE.args!, "--rename-command", "CONFIG", ""];
  await using servers = await RedisServer.startMany(2, { args });
  const [old, addr] = servers.map((server) => server.addr) as [string, string];
  const store = await folder.openFilled(old);
  await using dashboard = await DashboardServer.start(store);
  await dashboard.done("PUT", "/api/server_group/1/addServer", { addr, type: "slave" });
  const promote = (force: boolean) =>
    dashboard.ask("POST", "/api/server_group/1/promote", { addr, group_id: 1, force });
  const refused = await promote(false);
  assertEquals(refused.status, 500);
  assertEquals(refused.json.can_force, true);
  assertMatch(
    refused.json.error,
    /cannot hold writes off: .*; force it if writes of that moment may be lost/,
  );
  using master = await servers[0]!.client();
  assertEquals(await master.call("SET", "k", "v"), "OK");
  assertEquals((await promote(true)).text, '{"msg":"OK","ret":0}');
});
