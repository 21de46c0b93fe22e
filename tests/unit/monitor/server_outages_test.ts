/**
 * What is told of servers: each outage once, with its end, and none that follows from another.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Outages } from "../../../src/control/outages.ts";
import { ServerOutages } from "../../../src/monitor/server_outages.ts";
import { FakeServers, MASTER, REPLICA, STORED_MASTER } from "../../support/fake_servers.ts";

/** Servers, and what is told of them. */
class WatchedServers extends FakeServers {
  readonly #told: string[] = [];
  readonly outages: Outages = new Outages((event, isNew) => {
    if (!isNew) return;
    const { phase, kind, severity, text, cause, hint, duration_ms } = event;
    this.hint = hint;
    const after = duration_ms === undefined ? "" : `, ${duration_ms / 1000} s`;
    const why = cause === "" ? "" : `: ${cause}`;
    this.#told.push(`${phase} ${kind} ${severity}: ${text.replace("group 1: ", "")}${why}${after}`);
  }, () => this.timers.nowMs());
  readonly #watch = new ServerOutages(
    this.monitor,
    {
      outage: (report) => this.outages.report(report),
      keepOnly: (kind, subjects) => this.outages.keepOnly(kind, subjects),
    },
    { ms: 2_000, bytes: 1_000 },
    this.timers,
    () => this.isFollowed,
  );
  /** What to do about what was told last. */
  hint = "";
  /** Whether Sentinel decides who is the master. */
  isFollowed = false;

  /** The groups that slots are leaving. */
  readonly giving = new Set<number>();

  /** What was told since the last time. */
  get told(): string[] {
    return this.#told.splice(0);
  }

  override rounds(count: number): Promise<void> {
    return super.rounds(count, () => {
      this.#watch.report([this.group], (groupId) => this.giving.has(groupId));
      this.outages.round();
    });
  }
}

Deno.test("a master that is down for two seconds is told once, and its end once; its replicas are not", async () => {
  const servers = new WatchedServers();
  servers.info[REPLICA]!["slave_repl_offset"] = "90";
  await servers.rounds(2);
  servers.down.add(MASTER);
  servers.info[REPLICA]!["master_link_status"] = "down";
  await servers.rounds(2);
  assertEquals(servers.told, []);
  await servers.rounds(8);
  assertEquals(servers.told, [
    `begin server_down error: the master ${MASTER} does not answer: connection refused`,
  ]);
  servers.down.clear();
  await servers.rounds(2);
  servers.info[REPLICA]!["master_link_status"] = "up";
  await servers.rounds(8);
  assertEquals(servers.told, [
    `end server_down info: the master ${MASTER} answers again, 10 s`,
  ]);
});

Deno.test("what to do about a master that is down depends on why, and on who decides", async () => {
  const hintOf = async (cause: string, isFollowed: boolean) => {
    const servers = new WatchedServers();
    await servers.rounds(2);
    servers.isFollowed = isFollowed;
    servers.downCause = cause;
    servers.down.add(MASTER);
    await servers.rounds(6);
    return servers.hint;
  };
  assertMatch(await hintOf("connection refused", false), /config server promote 1 r:1/);
  const followed = await hintOf("connection refused", true);
  assertMatch(followed, /start it again; Sentinel decides/);
  assertEquals(followed.includes("promote"), false);
  for (
    const cause of [
      "received fatal alert: UnknownCA",
      "invalid peer certificate: UnknownIssuer",
      "received corrupt message of type InvalidContentType",
      "TLS: its certificate is not signed by an authority that we trust, or not valid now",
    ]
  ) {
    const hint = await hintOf(cause, false);
    assertMatch(hint, /backend_tls_ca/, cause);
    assertEquals(/start it again|promote/.test(hint), false);
  }
  const other = await hintOf("not Redis's protocol: a reply begins with byte 0x48", false);
  assertMatch(other, /it is no Redis server/);
});

Deno.test("advice names no replica that a failover would refuse", async () => {
  const hintWith = async (what: Record<string, string>) => {
    const servers = new WatchedServers();
    servers.info[MASTER]!["master_replid"] = "x";
    Object.assign(servers.info[REPLICA]!, { master_replid: "x" });
    await servers.rounds(2);
    servers.down.add(MASTER);
    Object.assign(servers.info[REPLICA]!, { master_link_status: "down", ...what });
    await servers.rounds(6);
    return servers.hint;
  };
  assertMatch(await hintWith({ master_link_down_since_seconds: "5" }), /promote 1 r:1/);
  // Restarted with an old copy: its history is still the master's.
  assertMatch(
    await hintWith({ run_id: "other", master_link_down_since_seconds: "-1" }),
    /start it again: no replica with its data answers; r:1 has not been linked to m:1 since its start$/,
  );
  assertMatch(await hintWith({ slave_priority: "0" }), /; r:1 has replica-priority 0$/);
  assertMatch(
    await hintWith({ master_sync_in_progress: "1" }),
    /; r:1 is in the middle of a sync$/,
  );
});

Deno.test("a master that is restarted before a failover is told with the keys that it has, once it is loaded", async () => {
  const servers = new WatchedServers();
  const master = servers.info[MASTER]!;
  servers.info[REPLICA]!["slave_repl_offset"] = "90";
  master["db0"] = "keys=2643,expires=0";
  await servers.rounds(2);
  Object.assign(master, { run_id: "c", loading: "1", db0: "keys=1,expires=0" });
  await servers.rounds(2);
  assertEquals(servers.told, []);
  Object.assign(master, { loading: "0", db0: "keys=7,expires=0" });
  await servers.rounds(3);
  assertEquals(servers.told, [
    `once lost_writes error: the master ${MASTER} was restarted and has 7 keys, 2643 before: what it had ` +
    "not saved is lost, also at its replicas",
  ]);
  // As many keys as before: nothing is known to be missing, and with an append-only file nothing is.
  for (const [aof_enabled, run_id] of [["0", "c1"], ["1", "c2"]]) {
    Object.assign(master, { aof_enabled, run_id });
    await servers.rounds(2);
  }
  assertEquals(servers.told, [
    `once lost_writes warning: the master ${MASTER} was restarted and has 7 keys, 7 before: what it had ` +
    "not saved is lost, also at its replicas",
  ]);
  // Where it was replaced meanwhile, its return is told by the failover (control/rejoin.ts).
  const [master_, replica] = servers.group.servers!;
  const offline = { ...master_!, type: "offline" } as const;
  servers.group = { ...servers.group, servers: [offline, { ...replica!, type: "master" }] };
  servers.info[REPLICA]!["role"] = "master";
  master["run_id"] = "d";
  await servers.rounds(2);
  assertEquals(servers.told.filter((line) => /lost_writes/.test(line)), []);
});

Deno.test("keys that have moved away are not told as lost when their master is restarted", async () => {
  const servers = new WatchedServers();
  const master = servers.info[MASTER]!;
  servers.info[REPLICA]!["slave_repl_offset"] = "90";
  Object.assign(master, { aof_enabled: "1", db0: "keys=2643,expires=0" });
  servers.giving.add(1);
  await servers.rounds(2);
  Object.assign(master, { run_id: "c", db0: "keys=2500,expires=0" });
  await servers.rounds(2);
  assertEquals(servers.told, []);
  // Without an append-only file nobody knows, and a master that is empty has lost its file.
  for (const [aof_enabled, run_id, keys] of [["0", "c1", 2400], ["1", "c2", 0]] as const) {
    Object.assign(master, { aof_enabled, run_id, db0: `keys=${keys},expires=0` });
    await servers.rounds(2);
    assertEquals(servers.told.map((line) => line.slice(0, 23)), ["once lost_writes error:"]);
  }
});

Deno.test("a server that refuses our password is not to be started again", async () => {
  const servers = new WatchedServers();
  await servers.rounds(1);
  servers.down.add(MASTER);
  servers.downCause =
    `WRONGPASS invalid username-password pair (at ${MASTER}: it has no user "adm")`;
  await servers.rounds(5);
  assertEquals(servers.told, [
    `begin server_down error: the master ${MASTER} refuses the dashboard: ${servers.downCause}`,
  ]);
  assertMatch(servers.outages.open[0]!.hint, /^compare its requirepass .* with password/);
});

Deno.test("an outage shorter than two seconds is not told", async () => {
  const servers = new WatchedServers();
  await servers.rounds(1);
  servers.down.add(REPLICA);
  await servers.rounds(2);
  servers.down.clear();
  await servers.rounds(3);
  assertEquals(servers.told, []);
});

Deno.test("a server that is out of service is no outage, but one that was told goes on", async () => {
  const servers = new WatchedServers();
  const offline = { ...STORED_MASTER, type: "offline" } as const;
  servers.group = { ...servers.group, servers: [offline] };
  await servers.rounds(1);
  servers.down.add(MASTER);
  await servers.rounds(5);
  assertEquals(servers.told, []);
  servers.group = { ...servers.group, servers: [STORED_MASTER] };
  await servers.rounds(1);
  assertEquals(servers.told.length, 1);
  servers.group = { ...servers.group, servers: [offline] };
  await servers.rounds(5);
  assertEquals(servers.told, []);
  servers.down.clear();
  await servers.rounds(1);
  assertEquals(servers.told, [`end server_down info: the offline ${MASTER} answers again, 11 s`]);
});

Deno.test("a replica without its master is told after five seconds, with the reason", async () => {
  const servers = new WatchedServers();
  await servers.rounds(1);
  servers.info[REPLICA]!["master_link_status"] = "down";
  await servers.rounds(5);
  assertEquals(servers.told, []);
  await servers.rounds(3);
  assertEquals(servers.told, [
    `begin replica_link warning: the replica ${REPLICA} does not follow its master: ` +
    `its link to ${MASTER} is down`,
  ]);
  // Nothing is known of the link while it is down itself.
  servers.down.add(REPLICA);
  await servers.rounds(10);
  servers.down.clear();
  servers.info[REPLICA]!["master_link_status"] = "up";
  await servers.rounds(2);
  assertEquals(servers.told.filter((line) => line.includes("replica_link")), [
    `end replica_link info: the replica ${REPLICA} follows its master again, 18 s`,
  ]);
});

Deno.test("a replica that is too far behind is told, by bytes and by time, and that it has caught up", async () => {
  const servers = new WatchedServers();
  const write = (bytes: number) => {
    const master = servers.info[MASTER]!;
    master["master_repl_offset"] = `${Number(master["master_repl_offset"]) + bytes}`;
  };
  const catchUp = () =>
    servers.info[REPLICA]!["slave_repl_offset"] = servers.info[MASTER]!["master_repl_offset"]!;
  catchUp();
  await servers.rounds(2);
  for (let i = 0; i < 12; i++) {
    write(10);
    await servers.rounds(1);
  }
  assertEquals(servers.told, [
    `begin replica_lag warning: the replica ${REPLICA} is too far behind its master: ` +
    "10 s (100 bytes), more than replica_max_lag",
  ]);
  catchUp();
  await servers.rounds(1);
  assertEquals(servers.told, [
    `end replica_lag info: the replica ${REPLICA} has caught up with its master, 8 s`,
  ]);
  write(2_000);
  await servers.rounds(6);
  assertEquals(servers.told, [
    `begin replica_lag warning: the replica ${REPLICA} is too far behind its master: ` +
    "2000 bytes, more than replica_max_lag_bytes",
  ]);
});

Deno.test("the outage of an earlier dashboard is not ended before the server was asked", async () => {
  const first = new WatchedServers();
  await first.rounds(1);
  first.down.add(MASTER);
  await first.rounds(5);
  const next = new WatchedServers();
  next.timers.advance(10_000);
  next.outages.inherit(first.outages.open);
  next.down.add(MASTER);
  await next.rounds(5);
  assertEquals(next.told, []);
  next.down.clear();
  await next.rounds(1);
  assertEquals(next.told, [`end server_down info: the master ${MASTER} answers again, 14 s`]);
});
