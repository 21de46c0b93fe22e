/**
 * What the audit trail is good for: who changed what and what was refused, in the store and in a file,
 * whatever happens to the dashboard and to the disk.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AuditLog } from "../../../src/dashboard/audit/audit_log.ts";
import type { AuditEntry } from "../../../src/model/audit_entry.ts";
import { AUDIT_RINGS, PAGE_RECORDS } from "../../../src/store/page_rings.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { StoreFolder } from "../../support/store.ts";

async function entriesOf(dashboard: DashboardServer, query = ""): Promise<AuditEntry[]> {
  return (await dashboard.get(`/api/audit?limit=1200${query}`)).json.entries;
}

/** Who, what and how it ended, newest first. */
function told(entries: readonly AuditEntry[]): string[] {
  return entries.map(({ who, request, arguments: given, status }) =>
    [who, request, given, status].filter((part) => part !== "").join(" ")
  );
}

async function linesOf(file: string): Promise<Record<string, unknown>[]> {
  const text = await Deno.readTextFile(file);
  return text.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("changes and refusals are noted, with who and how they ended; the next dashboard knows them", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const file = `${folder.dir}/audit.jsonl`;
  {
    await using dashboard = await DashboardServer.start(store, { auditLog: file });
    await dashboard.done("PUT", "/api/server_groups", { id: 1 });
    await dashboard.ask("PUT", "/api/server_groups", { id: 1 });
    await dashboard.ask("POST", "/api/rebalance", { dry_run: true, by: "slots" });
    await dashboard.get("/api/slots");
    const foreign = { origin: "http://evil.example" };
    for (let i = 0; i < 3; i++) await dashboard.ask("POST", "/api/slots/init", undefined, foreign);
    const wrong = { user: "geheim", password: "geheim" };
    await dashboard.ask("POST", "/api/login/user", wrong);
    await until(async () => (await linesOf(file)).length === 5);
  }
  const expected = [
    "nobody POST /api/login/user an unknown user 401",
    "nobody POST /api/slots/init 403",
    "this machine PUT /api/server_groups id=1 500",
    "this machine PUT /api/server_groups id=1 200",
  ];
  const lines = await linesOf(file);
  assert(!JSON.stringify(lines).includes("geheim"));
  // Counts 1 and 2 of the three equal refusals are lines, 3 is not: a flood writes few.
  assertEquals(lines.map(({ status, count }) => [status, count]), [
    [200, 1],
    [500, 1],
    [403, 1],
    [403, 2],
    [401, 1],
  ]);
  assertEquals(lines[1]!["end"], "group already exists");

  await using next = await DashboardServer.start(store);
  const entries = await entriesOf(next);
  assertEquals(told(entries), expected);
  assertEquals((await entriesOf(next, "&refused=true")).map(({ count }) => count), [1, 3]);
  assertEquals((await entriesOf(next, "&who=nobody")).length, 2);
});

Deno.test("what a role may not do is noted with the name of who tried it", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open(), { token: "sesame" });
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const asked = { name: "ci", role: "viewer" };
  const { json } = await dashboard.ask("POST", "/api/tokens", asked, as("sesame"));
  await dashboard.ask("POST", "/api/slots/init", undefined, as(json.token));
  await dashboard.ask("GET", "/api/slots", undefined, as("wrong"));
  await dashboard.ask("GET", "/api/slots");
  const { entries } = (await dashboard.ask("GET", "/api/audit", undefined, as(json.token))).json;
  assertEquals(told(entries), [
    "nobody GET /api/slots 401", // with the wrong token; without one it is not noted
    "token ci POST /api/slots/init 403",
    "dashboard_token POST /api/tokens name=ci role=viewer 200",
  ]);
  assertEquals(entries[1].end, "this needs the role admin; token ci is viewer");
});

Deno.test("the store keeps so many entries, in few writes; strangers push out nothing that was done", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  const { done, refused } = AUDIT_RINGS;
  const most = PAGE_RECORDS * done.pages;
  {
    await using dashboard = await DashboardServer.start(store);
    const note = (i: number, status: number) =>
      dashboard.dashboard.audit.note({
        ...{ who: `u${i}`, address: "10.0.0.1", by: "api", request: "POST /api/slot" },
        ...{ arguments: "", status, end: "" },
      });
    let writes = 0;
    const transact = store.coordinator.transact.bind(store.coordinator);
    store.coordinator.transact = (operations) => {
      writes += operations.some((each) => JSON.stringify(each).includes("/audit/")) ? 1 : 0;
      return transact(operations);
    };
    for (let i = 0; i < most + 70; i++) note(i, 200);
    await dashboard.dashboard.audit.flush();
    for (let i = 0; i < 2_000; i++) note(i, 401);
    await dashboard.dashboard.audit.flush();
    assert(writes <= done.pages + refused.pages + 2, `${writes} writes`);
  }
  const names = await store.coordinator.children(store.paths.audit);
  assertEquals(names.length, done.pages + refused.pages);
  await using next = await DashboardServer.start(store);
  const entries = await entriesOf(next);
  const kept = entries.filter(({ status }) => status === 200).map(({ who }) => who);
  // The oldest page is written over whole.
  assert(kept.length > most - PAGE_RECORDS && kept.length <= most, `${kept.length}`);
  assertEquals([kept[0], new Set(kept).size], [`u${most + 69}`, kept.length]);
  await next.done("PUT", "/api/server_groups", { id: 1 });
  assertEquals(told(await entriesOf(next))[0], "this machine PUT /api/server_groups id=1 200");
});

Deno.test("a file that log rotation has renamed is followed by a new one; a full disk stops nothing", async () => {
  await using folder = await StoreFolder.make();
  const file = `${folder.dir}/audit.jsonl`;
  await using dashboard = await DashboardServer.start(await folder.open(), { auditLog: file });
  await dashboard.done("PUT", "/api/server_groups", { id: 1 });
  await until(async () => (await linesOf(file)).length === 1);
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
  await Deno.rename(file, `${file}.1`);
  await dashboard.done("PUT", "/api/server_groups", { id: 2 });
  await until(async () => (await linesOf(file).catch(() => [])).length === 1);
  // As a full disk: what is written there fails.
  await Deno.remove(file);
  await Deno.symlink("/dev/full", file);
  await dashboard.done("PUT", "/api/server_groups", { id: 3 });
  await dashboard.dashboard.audit.flush();
  await Deno.remove(file);
  await dashboard.done("PUT", "/api/server_groups", { id: 4 });
  await until(async () => (await linesOf(file).catch(() => [])).length === 1);
  assertEquals((await linesOf(file))[0]!["arguments"], "id=4");
  assertEquals((await entriesOf(dashboard)).length, 4, "the store has all of them");
});

Deno.test("whose passwords were guessed is told one by one", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open(), { token: "sesame" });
  const admin = { authorization: "Bearer sesame" };
  for (const name of ["alice", "bob"]) {
    const user = { name, role: "viewer", password: "correct horse" };
    await dashboard.ask("POST", "/api/users", user, admin);
  }
  for (const user of ["alice", "bob", "bob", "nobody"]) {
    await dashboard.ask("POST", "/api/login/user", { user, password: "wrong" });
  }
  const { json } = await dashboard.ask("GET", "/api/audit?refused=true", undefined, admin);
  const guesses = json.entries.map((each: AuditEntry) => `${each.count} ${each.arguments}`);
  assertEquals(guesses, ["1 an unknown user", "2 user=bob", "1 user=alice"]);
});

Deno.test("nothing that a request says keeps it out of the audit trail", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  // Codis 2.0's clients send whole records, so these routes ignore fields that they do not know.
  await dashboard.done("PUT", "/api/server_groups", { id: 1, dry_run: true });
  const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  await dashboard.ask("PUT", "/api/server_groups", `{"id":2,"x":${deep}}`);
  await dashboard.ask("PUT", "/api/redis_users/bob", { rules: ["on >geheim ~*"] });
  const rules = Array.from({ length: 4_000 }, (_, i) => `~k${i}:*`);
  await dashboard.ask("PUT", "/api/redis_users/bob", { rules });
  const entries = await entriesOf(dashboard);
  assertEquals(told(entries).slice(1), [
    "this machine PUT /api/redis_users/bob rules=on >*** 500",
    "this machine PUT /api/server_groups id=2 x=… 200",
    "this machine PUT /api/server_groups id=1 dry_run=true 200",
  ]);
  // A page of long entries must fit into a node of the coordinator.
  assert(JSON.stringify(entries).length < 4_000);
  assert(!JSON.stringify(entries).includes("geheim"));
});

Deno.test("a file that takes no lines, as on a disk that hangs, keeps no dashboard from its end", async () => {
  await using folder = await StoreFolder.make();
  const [file, pipe] = [`${folder.dir}/audit.jsonl`, `${folder.dir}/pipe`];
  // Opening it waits for a reader.
  const { success } = await new Deno.Command("sh", { args: ["-c", `mkfifo ${pipe}`] }).output();
  assert(success);
  assertThrows(() => new AuditLog(pipe), Error, `cannot open audit_log "${pipe}": a named pipe`);
  const log = new AuditLog(file);
  await Deno.remove(file);
  await Deno.rename(pipe, file);
  log.write({
    ...{ seq: 0, at: 0, who: "alice", address: "", by: "api", request: "POST /api/slot" },
    ...{ arguments: "", status: 200, end: "ok", count: 1 },
  });
  const began = performance.now();
  await log.flush();
  assert(performance.now() - began < 5_000);
  Deno.openSync(file).close(); // lets the writer go
  await log.flush();
});
