/**
 * What operators may rely on when the page asks before it does something: every sentence of every dialog
 * is what the API then does. A sentence stands beside what shows that it is true, so that neither
 * changes without the other.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ClusterView, ServerView } from "../../../src/api/cluster_view.ts";
import { ACTIONS } from "../../../src/dashboard/page/actions.js";
import { createAction, loadActionNames } from "../../../src/store/actions.ts";
import { createFence, loadFences } from "../../../src/store/fences.ts";
import { saveServer } from "../../../src/store/groups.ts";
import { childrenIfThere, type Store } from "../../../src/store/store.ts";
import { type Answer, DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { keysInSlots } from "../../support/counting_load.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { SentinelServer } from "../../support/sentinel_server.ts";
import { StoreFolder } from "../../support/store.ts";

type Values = Readonly<Record<string, string | boolean>>;
/** Shows that a sentence is true, once the request was sent. */
type Proof = () => unknown;

/** Sentences whose proof is that of another one beside it. */
const AS_ABOVE: Proof = () => {};

/** The actions that were tried. */
const tried = new Set<string>();

/** A cluster and its page. */
class Page {
  /** Who uses it. */
  headers: Record<string, string> = {};

  constructor(readonly dashboard: DashboardServer) {}

  async view(): Promise<ClusterView> {
    return (await this.dashboard.ask("GET", "/api/cluster", undefined, this.headers)).json;
  }

  /** Waits until the view shows something. */
  async shows(isShown: (view: ClusterView) => boolean): Promise<void> {
    await until(async () => isShown(await this.view()));
  }

  async server(addr: string): Promise<ServerView | undefined> {
    return (await this.view()).groups.flatMap(({ servers }) => servers)
      .find((server) => server.addr === addr);
  }

  /** What a dialog says, as it is filled in. */
  async words(name: string, filled: Values): Promise<readonly string[]> {
    tried.add(name);
    const view = await this.view();
    const action = ACTIONS[name]!;
    return action.words({ ...action.start?.(view), ...filled }, view);
  }

  /** Does what a dialog is about. */
  async send(name: string, filled: Values): Promise<Answer> {
    const action = ACTIONS[name]!;
    const { method, path, body } = action.request({
      ...action.start?.(await this.view()),
      ...filled,
    });
    return await this.dashboard.ask(method, `/${path}`, body, this.headers);
  }

  /** Does what is to be refused, and what the dialog then offers to force only if that helps. */
  async refuses(name: string, filled: Values, text: RegExp, mayBeForced = false): Promise<void> {
    const { status, text: told, json } = await this.send(name, filled);
    assertEquals(status, 500, told);
    assertMatch(json?.error ?? told, text);
    assertEquals(json?.can_force ?? false, mayBeForced, told);
  }

  /** A dialog says these sentences, and they are true after its request. */
  async holds(name: string, filled: Values, sentences: Record<string, Proof>): Promise<void> {
    assertEquals(await this.words(name, filled), Object.keys(sentences), name);
    const { status, text } = await this.send(name, filled);
    assertEquals(status, 200, `${name}: ${text}`);
    for (const [sentence, proof] of Object.entries(sentences)) {
      const isTrue = await proof();
      assert(isTrue !== false, `not true: ${sentence}`);
    }
  }
}

async function call(server: RedisServer, ...words: (string | number)[]): Promise<unknown> {
  using client = await server.client();
  return await client.call(...words);
}

async function replication(server: RedisServer): Promise<string> {
  return `${await call(server, "INFO", "replication")}`;
}

/** Whether a server follows another, or will in a moment. */
async function follows(server: RedisServer, master: RedisServer): Promise<void> {
  await until(async () =>
    new RegExp(`master_port:${master.port}\\s[^]*master_link_status:up`)
      .test(await replication(server))
  );
}

const isMaster = async (server: RedisServer) => /role:master/.test(await replication(server));

Deno.test("what the dialogs of groups and servers say is what happens", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(5);
  const [a, b, c, d, e] = servers.slice() as [
    ...[RedisServer, RedisServer, RedisServer, RedisServer, RedisServer],
  ];
  const store = await folder.openFilled(a.addr);
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  const page = new Page(dashboard);
  const typeOf = async (addr: string) => (await page.server(addr))?.type;

  await page.holds("add_group", { id: "2" }, {
    "Group 2 is created without servers and slots. Nothing changes for clients.": async () => {
      assertEquals((await page.view()).groups[1], { id: 2, slots: 0, servers: [] });
      return await client.call("SET", "k", "v") === "OK";
    },
  });

  // -- the first server of a group --
  await call(b, "SET", "its own", "1");
  await page.holds("add_server", { group: "2", addr: b.addr, role: "slave" }, {
    [
      `${b.addr} becomes the master of group 2, which has none. Requests for the group's slots then ` +
      "go to it. Its data stay unchanged."
    ]: async () => {
      assertEquals([await typeOf(b.addr), await call(b, "GET", "its own")], ["master", "1"]);
    },
    [
      "This is refused if it does not answer, replicates another server, or is in the cluster under " +
      "another address."
    ]: async () => {
      assertEquals((await page.send("add_group", { id: "3" })).status, 200);
      await page.refuses("add_server", { group: "3", addr: "127.0.0.1:1" }, /refused/, true);
      await call(e, "SLAVEOF", "127.0.0.1", a.port);
      await page.refuses("add_server", { group: "3", addr: e.addr }, /is a replica of/);
      await call(e, "SLAVEOF", "NO", "ONE");
      await call(e, "FLUSHALL");
      await page.refuses("add_server", { group: "3", addr: `localhost:${a.port}` }, /same server/);
    },
  });
  await page.holds("add_server", { group: "3", addr: "127.0.0.1:1", force: true }, {
    [
      "127.0.0.1:1 becomes the master of group 3, which has none. Requests for the group's slots then " +
      "go to it. Its data stay unchanged."
    ]: async () => assertEquals(await typeOf("127.0.0.1:1"), "master"),
    "The server is not checked.": AS_ABOVE,
  });

  // -- replicas --
  await page.holds("add_server", { group: "1", addr: c.addr, role: "slave" }, {
    [`${c.addr} becomes a replica of ${a.addr} and gets a copy of its data.`]: async () => {
      await follows(c, a);
      return await call(c, "GET", "k") === "v";
    },
    "This is refused if it holds keys, or is in the cluster under another address.": async () => {
      await call(d, "SET", "its own", "1");
      await page.refuses("add_server", { group: "1", addr: d.addr }, /holds 1 key,/, true);
      await page.refuses("add_server", { group: "1", addr: `127.1:${c.port}` }, /same server/);
    },
  });
  await page.holds("add_server", { group: "1", addr: d.addr, role: "slave", force: true }, {
    [`${d.addr} becomes a replica of ${a.addr} and gets a copy of its data.`]: () => follows(d, a),
    "The keys that it holds now are deleted.": async () => await call(d, "GET", "its own") === null,
  });
  await page.holds("set_zone", { group: "1", addr: d.addr, zone: "east" }, {
    [
      `Proxies with read_from = nearest prefer ${d.addr} when it is in their zone, and none of its ` +
      "group is on their own machine. All others notice nothing."
    ]: async () => assertEquals((await page.server(d.addr))?.zone, "east"),
  });
  const second = { group: "1", addr: e.addr, role: "master" };
  assertEquals(await page.words("add_server", second), [
    `This is refused: ${a.addr} is the master already. Add ${e.addr} as a replica and promote it.`,
  ]);
  await page.refuses("add_server", second, /node already exists/);

  // -- a group without master --
  await store.coordinator.create(store.paths.group(4), "");
  await saveServer(store, { type: "offline", group_id: 4, addr: "127.0.0.1:2" });
  // A change reads all groups again.
  assertEquals((await page.send("add_group", { id: "5" })).status, 200);
  await page.holds("add_server", { group: "4", addr: e.addr, role: "slave" }, {
    [
      `${e.addr} is listed as a replica of group 4, which has no master. The server itself is not ` +
      "changed and replicates nothing. Promote one of the group's servers."
    ]: async () => assertEquals([await typeOf(e.addr), await isMaster(e)], ["slave", true]),
  });
  await call(e, "SET", "its own", "1");
  await page.holds("promote", { group: "4", addr: e.addr }, {
    [`${e.addr} becomes the master of group 4, which has none.`]: async () =>
      assertEquals(await typeOf(e.addr), "master"),
    "All proxies send the group's requests to it after they have confirmed the change.": AS_ABOVE,
  });

  // -- promotion --
  await page.shows(({ groups }) =>
    groups[0]!.servers.slice(1).every(({ replication }) => replication?.lag_bytes === 0)
  );
  assertEquals(await client.call("SET", "last", "1"), "OK");
  await page.holds("promote", { group: "1", addr: c.addr }, {
    [`${c.addr} becomes the master of group 1 instead of ${a.addr}, which becomes its replica.`]:
      async () => {
        await follows(a, c);
        assertEquals([await typeOf(c.addr), await typeOf(a.addr)], ["master", "slave"]);
      },
    [
      `Until ${c.addr} has all changes, writes wait or are refused for a moment. No write that was ` +
      "answered is lost."
    ]: async () => await call(c, "GET", "last") === "1", // promote_test.ts does that under load
    "The group's other replica then replicates it.": () => follows(d, c),
    "All proxies send the group's requests to it after they have confirmed the change.":
      async () => {
        assertEquals(await client.call("SET", "after", "1"), "OK");
        return await call(c, "GET", "after") === "1";
      },
  });
  await page.holds("remove_server", { group: "1", addr: d.addr }, {
    [
      `${d.addr} is removed from group 1. The Redis server keeps running, keeps its data and keeps ` +
      "replicating its master."
    ]: async () => {
      assertEquals(await typeOf(d.addr), undefined);
      await follows(d, c);
      return await call(d, "GET", "after") === "1";
    },
  });
  await until(async () => await call(a, "GET", "after") === "1");
  await page.holds("switch_master", { group: "1" }, {
    [
      `The replica of group 1 that has most of the changes of ${c.addr} becomes master, and ` +
      `${c.addr} its replica.`
    ]: async () => {
      await follows(c, a);
      assertEquals([await typeOf(a.addr), await typeOf(c.addr)], ["master", "slave"]);
    },
    "Until it has all changes, writes wait or are refused for a moment. No write that was answered is lost.":
      async () => await client.call("GET", "after") === "1",
  });
  await until(async () => (await page.send("switch_master", { group: "1" })).status === 200);
  await c.kill();
  await page.shows(({ groups }) => groups[0]!.servers.some((server) => !server.is_reachable));
  const dead = { group: "1", addr: a.addr };
  assertEquals((await page.words("promote", dead)).slice(0, 2), [
    `${a.addr} becomes the master of group 1 instead of ${c.addr}, which does not answer and is then ` +
    "listed as offline.",
    `It is not known which writes ${a.addr} lacks. This is refused unless you accept that they are lost.`,
  ]);
  await page.refuses("promote", dead, /does not answer, so it is not known what/, true);
  await page.holds("promote", { ...dead, force: true }, {
    [
      `${a.addr} becomes the master of group 1 instead of ${c.addr}, which does not answer and is ` +
      "then listed as offline."
    ]: async () =>
      assertEquals([await typeOf(a.addr), await typeOf(c.addr)], ["master", "offline"]),
    [`Writes that have not reached ${a.addr} are lost.`]: AS_ABOVE,
    "All proxies send the group's requests to it after they have confirmed the change.": async () =>
      await client.call("GET", "after") === "1",
  });

  await page.holds("remove_group", { group: "4" }, {
    [
      "Group 4 and its 2 servers are removed from the cluster. The Redis servers keep running and " +
      "keep their data."
    ]: async () => {
      assertEquals((await page.view()).groups.map(({ id }) => id), [1, 2, 3, 5]);
      return await call(e, "GET", "its own") === "1";
    },
    "This is refused while the group owns a slot, or a slot migrates from it.": () =>
      page.refuses("remove_group", { group: "1" }, /group 1 is using by slot 0/),
  });
  await leaveAndReturn(page, store, proxy, client);
});

/** The dialogs of proxies and of upkeep, which end this one. */
async function leaveAndReturn(
  page: Page,
  store: Store,
  proxy: ProxyProcess,
  client: RespClient,
): Promise<void> {
  await page.holds("proxy_online", { id: "one" }, {
    "one loads the slot table and starts to serve clients. Clients that discover proxies find it.":
      async () => {
        using another = await proxy.client();
        return await another.call("SET", "k", "v") === "OK";
      },
    // It is asked of no slot that is in order: unit tests hold the rule.
    "This is refused while a slot is offline or has no group.": AS_ABOVE,
  });
  await page.shows(({ proxies }) => proxies[0]?.sessions === 1);
  await page.holds("proxy_offline", { id: "one" }, {
    [
      "one answers the requests that it has received. Then it leaves the store and its process exits. " +
      "The 1 client connected to it is disconnected and must use another proxy."
    ]: async () => {
      assertEquals((await proxy.child.ended).code, 0);
      assertEquals(await client.conn.read(new Uint8Array(1)), null);
    },
    "It does not restart by itself: start the process again when you need it.": async () =>
      (await page.dashboard.get("/api/proxy/list")).json.length === 0,
    "The change is done when the proxy is gone.": AS_ABOVE,
  });

  await createFence(store, "crashed:9000");
  await page.shows(({ dead_fences }) => dead_fences.length === 1);
  const init = { is_force: true, product: "test" };
  await page.refuses("init_slots", init, /Some proxies may not stop cleanly: crashed:9000/);
  await page.holds("remove_fences", {}, {
    "The fences of crashed:9000 are removed. Then the cluster can be changed again.": async () => {
      assertEquals(await loadFences(store), []);
      assertEquals((await page.send("init_slots", init)).status, 200);
    },
    [
      "A fence means that a proxy may still serve with an old slot table. Do this only when you know " +
      "that these processes do not run. A running one would still write to the old owners of slots, " +
      "and these writes would be lost."
    ]: AS_ABOVE,
    // membership tests show it.
    [
      "If you start a proxy again at its address, it takes over its fence. Then there is nothing to " +
      "remove."
    ]: AS_ABOVE,
  });

  await store.coordinator.create(`${store.paths.lock}/lock-`, '{"desc":""}', "sequential");
  await page.holds("remove_locks", {}, {
    [
      "All locks for changes are deleted from the coordinator. This helps when a dashboard or a " +
      'command has crashed and changes fail with "obtaining lock timed out".'
    ]: async () => (await childrenIfThere(store, store.paths.lock)).length === 0,
    "Do this only when no change is running. Without a lock, two changes can run at the same time.":
      AS_ABOVE,
  });

  const target = { from: 0, to: 1, status: "online", group_id: 2 } as const;
  const made = (count: number, ts: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        createAction(store, {
          type: "multi_slot_changed",
          desc: "",
          target,
          ts: `${ts}`,
          receivers: null,
        })),
    );
  await made(530, 1);
  await page.holds("action_gc", { by: "keep", amount: "20" }, {
    [
      "The newest 20 actions and 500 more stay. All others are deleted from the coordinator, with " +
      "their answers."
    ]: async () => assertEquals((await loadActionNames(store)).length, 520),
    "Old actions are only a record. Proxies do not need actions that they have confirmed.":
      AS_ABOVE,
  });
  await made(2, Math.floor(Date.now() / 1000));
  await page.holds("action_gc", { by: "secs", amount: "3600" }, {
    "Actions older than 3600 seconds are deleted from the coordinator, with their answers.":
      async () => assertEquals((await loadActionNames(store)).length, 2),
    "Old actions are only a record. Proxies do not need actions that they have confirmed.":
      AS_ABOVE,
  });
}

Deno.test("what the dialogs of slots say is what happens", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(2);
  const [a, b] = servers.slice() as [RedisServer, RedisServer];
  const store = await folder.openFilled(`${a.addr},${b.addr}`);
  await using dashboard = await DashboardServer.start(store);
  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  const page = new Page(dashboard);
  const owner = async (slot: number) => (await page.view()).slots.group[slot];
  const idle = () => page.shows(({ migrations }) => migrations.length === 0);
  const keys = keysInSlots([0, 1, 2, 3], 40);
  const set = async () => {
    for (const key of keys) assertEquals(await client.call("SET", key, "v"), "OK");
  };
  await set();

  await page.holds("migrate", { from: "0", to: "3", new_group: "2", delay: "0" }, {
    "Slots 0–3 and their keys move to group 2. The owner now: group 1 (4 slots).": async () => {
      await idle();
      assertEquals([await owner(0), await owner(3)], [2, 2]);
      return await call(b, "DBSIZE") === keys.length;
    },
    "Clients keep working. Keys move at full speed.": async () =>
      await client.call("GET", keys[0]!) === "v",
  });
  const there = { from: "0", to: "3", new_group: "2", delay: "7" };
  assertEquals(await page.words("migrate", there), [
    "Slots 0–3 and their keys move to group 2. The owner now: group 2 (4 slots).",
    "Clients keep working. The migration pauses 7 ms between two moves.",
    "The group owns all of them already: this is refused.",
  ]);
  await page.refuses("migrate", there, /are all in group 2 already/);

  await page.holds("pause_migrations", {}, {
    "Migrations stop until you resume them: 0 slots wait. Clients keep working.": async () =>
      (await page.view()).migrations_paused_since !== null,
    // migrate_cancel_test.ts and migrating_slot_test.ts show these.
    "In a slot that is half moved, a key still moves when a client uses it.": AS_ABOVE,
    "The pause remains when another dashboard takes over.": AS_ABOVE,
  });
  await page.holds("migrate", { from: "3", to: "4", new_group: "2", delay: "0" }, {
    "Slots 3–4 and their keys move to group 2. The owner now: group 2 (1 slot) and group 1 (1 slot).":
      AS_ABOVE,
    "Clients keep working. Keys move at full speed.": AS_ABOVE,
    "The group owns 1 of them already.": AS_ABOVE,
    "Migrations are paused: nothing moves until you resume them.": async () => {
      await delay(300);
      return await owner(4) === 1;
    },
  });
  const pending = (await page.view()).migrations.find(({ slot_id }) => slot_id === 4)!;
  await page.holds("cancel_migration", { slot: "4", name: pending.name }, {
    "Slot 4 stays where it is. None of its keys has moved yet.": async () => await owner(4) === 1,
  });
  await page.holds("resume_migrations", {}, {
    "Migrations continue: 1 slot is left to move.": async () => {
      await idle();
      return (await page.view()).migrations_paused_since === null;
    },
  });

  // -- cancelled on the way --
  for (const mode of ["back", "finish"]) {
    // So slow that neither slot is done before it is sent back.
    const delay = mode === "back" ? "250" : "60";
    const begun = { from: "0", to: "1", new_group: "1", delay };
    await page.send("migrate", begun);
    await page.shows(({ migrations }) =>
      migrations.length === 2 && migrations.every(({ keys_moved }) => keys_moved > 0)
    );
    const [first] = (await page.view()).migrations;
    const words = await page.words("cancel_migration", {
      ...{ slot: "0", name: first!.name, mode },
    });
    const all = await page.words("cancel_migrations", { mode });
    if (mode === "back") {
      assertMatch(
        words[0]!,
        /^Slot 0 moves back to group 2, with the \d+ keys? moved so far\. /,
      );
      assertMatch(
        all[0]!,
        /^The migration of 2 slots \(0–1\) has started: the \d+ keys moved so far move back\. /,
      );
    } else {
      assertEquals(words, [
        "The migration of slot 0 has started: its other keys move to group 1, too.",
      ]);
      assertEquals(all, [
        "The migration of 2 slots (0–1) has started: the other keys move, too.",
      ]);
    }
    assertEquals((await page.send("cancel_migrations", { mode })).status, 200);
    await idle();
    assertEquals([await owner(0), await owner(1)], mode === "back" ? [2, 2] : [1, 1]);
    for (const key of keys) assertEquals(await client.call("GET", key), "v");
  }

  await page.holds("rebalance", { by: "slots" }, {
    "The slots below move with their keys. Clients keep working.": async () => {
      await idle();
      assertEquals((await page.view()).groups.map(({ slots }) => slots), [512, 512]);
      for (const key of keys) assertEquals(await client.call("GET", key), "v");
    },
  });

  await page.holds("drain_group", { group: "2" }, {
    [
      "All slots of group 2 and their keys move to the other groups. Clients keep working. Then the " +
      "group can be removed."
    ]: async () => {
      await idle();
      const { groups } = await page.view();
      assertEquals([groups.map(({ slots }) => slots), await call(b, "DBSIZE")], [[1024, 0], 0]);
    },
  });
  assertEquals((await page.send("remove_group", { group: "2" })).status, 200);

  // -- owners --
  const init = { is_force: false, product: "test" };
  assertEquals(await page.words("init_slots", init), [
    "All 1024 slots are created, offline and without a group. Then assign them to groups.",
    "This is refused if slots exist.",
  ]);
  await page.refuses("init_slots", init, /already initialized/);
  await page.holds("init_slots", { ...init, is_force: true }, {
    "All 1024 slots are created, offline and without a group. Then assign them to groups.": () =>
      page.shows(({ slots }) => slots.status === "x".repeat(1024) && slots.group[0] === -1),
    [
      "Requests for the 1\u202f024 slots in use get errors at once, on all proxies, until the slots " +
      "have groups again. Keys stay on their servers, but the cluster forgets which group owned which " +
      "slot."
    ]: async () => {
      assertMatch((await client.call("GET", keys[0]!) as { message: string }).message, /^ERR /);
      assertEquals(await call(a, "DBSIZE"), keys.length);
    },
  });
  const offline = { from: "0", to: "3", new_group: "1", status: "offline" };
  await page.holds("range_set", offline, {
    "Group 1 then owns slots 0–3, but offline: clients get errors.": async () => {
      assertEquals([await owner(0), (await page.view()).slots.status[0]], [1, "x"]);
      assertMatch((await client.call("GET", keys[0]!) as { message: string }).message, /^ERR /);
    },
    "This is only for offline slots. To move a slot that is in use, migrate it.": AS_ABOVE,
  });
  const online = { from: "0", to: "3", new_group: "1", status: "online" };
  await page.holds("range_set", online, {
    "Group 1 then owns slots 0–3 and serves clients. No keys move.": async () => {
      assertEquals(await client.call("SET", keys[0]!, "new"), "OK");
      assertEquals(await call(a, "GET", keys[0]!), "new");
    },
    "This is only for offline slots. To move a slot that is in use, migrate it.": AS_ABOVE,
  });
  assertEquals(
    (await page.words("range_set", online)).at(-1),
    "4 of these slots are in use: this is refused.",
  );
  await page.refuses("range_set", online, /slot 0 is not offline/);
});

Deno.test("what the dialogs of users and tokens say is what happens", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  const page = new Page(dashboard);
  const first =
    "From the first user or token on, every request to the dashboard needs a login or a token, also from " +
    "this machine. Proxies and config commands then need a token in dashboard_token.";
  const root = { name: "root", role: "admin", days: "0" };
  assertEquals(await page.words("add_token", root), [
    'Programs that send the token are "token root", with the role admin. It is shown once.',
    first,
  ]);
  const made = await page.send("add_token", root);
  assertEquals((await dashboard.get("/api/slots")).status, 401);
  page.headers = { authorization: `Bearer ${ACTIONS["add_token"]!.shown!(made.json)}` };
  const you = (headers: Record<string, string>) =>
    dashboard.ask("GET", "/api/cluster", undefined, headers).then(({ json }) => json.you);
  assertEquals(await you(page.headers), { name: "token root", role: "admin", kind: "token" });

  const logsIn = async (user: string, password: string) =>
    (await dashboard.ask("POST", "/api/login/user", { user, password })).json.role;
  const bob = { name: "bob", role: "operator", password: "password 1", again: "password 1" };
  await page.holds("add_user", bob, {
    "bob can log in at this dashboard, as operator. Redis clients do not see these users.":
      async () => await logsIn("bob", "password 1") === "operator",
    [first]: AS_ABOVE,
  });
  const renewed = { ...bob, role: "viewer", renews: true, password: "password 2" };
  await page.holds("set_user", renewed, {
    // access_test.ts shows that sessions end.
    "bob is viewer from now on, with the new password. Sessions of this user end.": async () =>
      await logsIn("bob", "password 2") === "viewer",
  });
  const bobs = async (password: string) => {
    const response = await fetch(`http://${dashboard.addr}/api/login/user`, {
      method: "POST",
      body: JSON.stringify({ user: "bob", password }),
    });
    await response.body?.cancel();
    return { cookie: response.headers.get("set-cookie")!.split(";")[0]! };
  };
  const [here, elsewhere] = [await bobs("password 2"), await bobs("password 2")];
  const own = { old_password: "password 2", password: "password 3", again: "password 3" };
  assertEquals(await page.words("change_password", own), [
    "You stay logged in here. Your other sessions end.",
  ]);
  const { method, path, body } = ACTIONS["change_password"]!.request(own);
  const response = await fetch(`http://${dashboard.addr}/${path}`, {
    method,
    headers: here,
    body: JSON.stringify(body),
  });
  assertEquals([response.status, await response.json()], [200, { msg: "OK", ret: 0 }]);
  const next = { cookie: response.headers.get("set-cookie")!.split(";")[0]! };
  assertEquals((await you(next)).name, "bob");
  assertEquals(await you(elsewhere), undefined);
  await page.holds("remove_user", { name: "bob" }, {
    "bob cannot log in any more. Sessions of this user end.": async () =>
      await logsIn("bob", "password 2") === undefined,
  });
  const token =
    (await page.send("add_token", { name: "ci", role: "viewer", days: "1" })).json.token;
  await page.holds("remove_token", { name: "ci" }, {
    "Whoever uses token ci is refused from now on.": async () =>
      await you({ authorization: `Bearer ${token}` }) === undefined,
  });
});

Deno.test("what the dialogs of Redis users say is what happens", async () => {
  await using folder = await StoreFolder.make();
  await using redis = await RedisServer.start();
  await using dashboard = await DashboardServer.start(await folder.openFilled(redis.addr));
  await using proxy = await ProxyProcess.start({
    config: {
      ...{ embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
      acl: "store",
    },
  });
  const page = new Page(dashboard);
  const everywhere =
    "This is in force at all proxies when it is done; an error names those that have not confirmed.";
  const logsIn = async (client: RespClient, password: string) =>
    await client.call("AUTH", "alice", password) === "OK";
  const isRefused = (reply: unknown) => /^NOPERM/.test((reply as { message: string }).message);
  using client = await proxy.client();
  const alice = { name: "alice", login: "password", password: "secret", rules: "~a:* +@all" };
  await page.holds("add_redis_user", alice, {
    [
      "Redis clients can log in as alice, with AUTH alice and the password. If there is a user of this " +
      "name, it is replaced."
    ]: async () => !await logsIn(client, "wrong") && await logsIn(client, "secret"),
    [everywhere]: async () => isRefused(await client.call("GET", "b")),
  });
  await page.holds("set_redis_user", { name: "alice", login: "keep", rules: "~b +@all" }, {
    "Clients of alice stay connected; the rules count from their next request on.": async () =>
      isRefused(await client.call("GET", "a:1")) && await client.call("GET", "b") === null,
    [everywhere]: AS_ABOVE,
  });
  const limits = { name: "alice", requests: "2", bytes: "0", connections: "1" };
  await page.holds("limit_redis_user", limits, {
    [
      "Each proxy counts for itself, over all clients of alice. Those above requests or bytes are slowed " +
      "down, and get errors after 5 s. A login above connections is refused."
    ]: async () => {
      using other = await proxy.client();
      assertEquals(await logsIn(other, "secret"), false);
      // user_limits_test.ts shows the errors.
      const before = performance.now();
      for (let i = 0; i < 6; i++) await client.call("GET", "b");
      assert(performance.now() - before > 1_000, "slowed down");
    },
  });
  await page.holds("reads_of_redis_user", { name: "alice", read_from: "nearest" }, {
    "This is for all clients of alice, but not for those that have sent READONLY or READWRITE.":
      async () => assertMatch(`${await client.call("CLIENT", "INFO")}`, / flags=r /),
    [
      "This is in force at all proxies when it is done; an error names those that have not " +
      "confirmed."
    ]: AS_ABOVE,
  });
  await page.holds("delete_redis_user", { name: "alice" }, {
    "Clients of alice are disconnected, and cannot log in any more.": async () => {
      assertEquals(await client.readToEnd(), new Uint8Array(0));
      using other = await proxy.client();
      assertEquals(await logsIn(other, "secret"), false);
    },
  });
});

Deno.test("what the dialogs of sentinels say is what happens", async () => {
  await using folder = await StoreFolder.make();
  await using server = await RedisServer.start();
  await using sentinels = await SentinelServer.startMany(2);
  const [first, second] = sentinels.map(({ addr }) => addr) as [string, string];
  const store = await folder.openFilled(server.addr);
  await using dashboard = await DashboardServer.start(store, { failover: "auto" });
  const page = new Page(dashboard);
  const failover = async () => (await page.view()).dashboard.failover;
  /** The masters that a sentinel watches, by port. */
  const watches = async (at: SentinelServer) => {
    using client = await at.client();
    const masters = await client.call("SENTINEL", "MASTERS") as unknown[][];
    return masters.map((words) => `${words[5]}`);
  };
  const master = `${server.port}`;

  await page.holds("add_sentinel", { addr: first }, {
    [`${first} watches the master of every group.`]: async () =>
      assertEquals(await watches(sentinels[0]!), [master]),
    // That the table follows: tests/integration/sentinel.
    [
      "From then on Sentinel decides who is master, and the slot table follows. One sentinel alone decides " +
      "too easily: add three."
    ]: () => page.shows((view) => view.sentinels?.servers.length === 1),
    "The dashboard's own failover does nothing then.": async () =>
      assertEquals(await failover(), "sentinel"),
  });
  await page.holds("add_sentinel", { addr: second }, {
    [`${second} watches the master of every group.`]: async () =>
      assertEquals(await watches(sentinels[1]!), [master]),
  });
  const client = await sentinels[1]!.client();
  await client.call("SENTINEL", "REMOVE", "test-1");
  client[Symbol.dispose]();
  await page.holds("resync_sentinels", {}, {
    [
      "All sentinels forget this product, and watch the masters that the slot table has, with the " +
      "settings of the dashboard."
    ]: async () => {
      for (const sentinel of sentinels) assertEquals(await watches(sentinel), [master]);
    },
    "For about a second no master is watched. This is refused while Sentinel replaces one.":
      AS_ABOVE,
  });
  await page.shows((view) => view.sentinels?.servers.length === 2);
  await page.holds("remove_sentinel", { addr: second }, {
    [`${second} watches no group of this product any more, and the other sentinels forget it.`]:
      async () => {
        assertEquals(await watches(sentinels[1]!), []);
        using other = await sentinels[0]!.client();
        assertEquals(await other.call("SENTINEL", "SENTINELS", "test-1"), []);
      },
  });
  await page.shows((view) => view.sentinels?.servers.length === 1);
  await page.holds("remove_sentinel", { addr: first }, {
    [`${first} watches no group of this product any more, and the other sentinels forget it.`]:
      async () => assertEquals(await watches(sentinels[0]!), []),
    "It is the last one: from then on failover is as the dashboard's configuration says.":
      async () => assertEquals(await failover(), "auto"),
  });
});

Deno.test("every dialog is held to what it says", () => {
  assertEquals(Object.keys(ACTIONS).filter((name) => !tried.has(name)), []);
});
