/**
 * Two dashboards behind one address: whichever is asked, the one that leads answers, and decides who may ask.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { accessPolicy } from "../../../src/api/auth.ts";
import { Secret } from "../../../src/base/secret.ts";
import { nameClient } from "../../../src/dashboard/access/passed_on.ts";
import { answerApi } from "../../../src/dashboard/api/api.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { StoreFolder } from "../../support/store.ts";

const TOKEN = { authorization: "Bearer right-token" };

/** One that leads, and one that stands by. */
async function pair(folder: StoreFolder, options = {}) {
  const leader = await DashboardServer.start(await folder.openFilled("127.0.0.1:1"), {
    ...options,
    waitsForLead: false,
  });
  await until(() => leader.dashboard.isLeading);
  const other = await DashboardServer.start(await folder.open(), {
    ...options,
    waitsForLead: false,
  });
  await until(async () => (await other.ask("POST", "/api/slots/init")).status !== 503);
  return { leader, other };
}

Deno.test("a dashboard that stands by passes reads and changes on, and names the leader when that is gone", async () => {
  await using folder = await StoreFolder.make();
  const { leader, other } = await pair(folder);
  await using _other = other;
  assertEquals((await other.get("/api/cluster")).json.dashboard.addr, leader.addr);
  await other.done("PUT", "/api/server_groups", { id: 7 });
  assertEquals((await leader.get("/api/server_group/7")).status, 200);
  // What is refused, as the leader says it.
  const refused = await other.ask("PUT", "/api/server_groups", { id: "x" });
  assertEquals([refused.status, refused.json.field], [400, "id"]);
  // Never twice: two that take each other for the leader must not ask for ever.
  const again = await other.ask("GET", "/api/cluster", undefined, { "x-codis-passed-on-by": "x" });
  assertEquals([again.status, again.json.leader], [503, leader.addr]);
  // Commands and proxies are told where the leader is: they ask it themselves from then on.
  const own = await other.ask("GET", "/api/cluster", undefined, {
    "user-agent": "codis-proxy cli",
  });
  assertEquals([own.status, own.json.leader], [503, leader.addr]);
  await leader[Symbol.asyncDispose]();
  await other.leads();
});

Deno.test("who may do what is the leader's to say, and a login at one is good at both", async () => {
  await using folder = await StoreFolder.make();
  const { leader, other } = await pair(folder, { token: "right-token" });
  await using _leader = leader;
  await using _other = other;
  const group = { id: 7 };
  assertEquals((await other.ask("PUT", "/api/server_groups", group)).status, 401);
  const wrong = { authorization: "Bearer wrong" };
  assertEquals((await other.ask("PUT", "/api/server_groups", group, wrong)).status, 401);
  assertEquals((await other.ask("PUT", "/api/server_groups", group, TOKEN)).status, 200);

  const alice = { name: "alice", role: "admin", password: "a-long-password" };
  assertEquals((await other.ask("POST", "/api/users", alice, TOKEN)).status, 200);
  // As a browser, through a load balancer with one name.
  const page = (cookie = "") => ({
    ...{
      host: "127.0.0.1:18087",
      origin: "http://127.0.0.1:18087",
      "sec-fetch-site": "same-origin",
    },
    ...{ "content-type": "application/json", ...cookie === "" ? {} : { cookie } },
  });
  using asNamed = Deno.createHttpClient({ allowHost: true });
  const login = await fetch(`http://${other.addr}/api/login/user`, {
    client: asNamed,
    method: "POST",
    headers: page(),
    body: JSON.stringify({ user: "alice", password: alice.password }),
  });
  assertEquals([login.status, (await login.json()).name], [200, "alice"]);
  const [cookie] = login.headers.get("set-cookie")!.split(";");
  assertMatch(cookie!, /^codis_session_18087=/);
  for (const { addr } of [leader, other]) {
    const users = await fetch(`http://${addr}/api/users`, {
      client: asNamed,
      headers: page(cookie),
    });
    assertEquals((await users.json())[0].name, "alice", addr);
  }
  // Another site's page is refused, as by the leader itself.
  const foreign = await fetch(`http://${other.addr}/api/server_groups`, {
    client: asNamed,
    method: "PUT",
    headers: { ...page(cookie), origin: "http://evil.example", "sec-fetch-site": "cross-site" },
    body: '{"id":8}',
  });
  assertEquals(foreign.status, 403);
  await foreign.body?.cancel();
});

Deno.test("a request from another machine is not taken for one from this machine", async () => {
  await using folder = await StoreFolder.make();
  const { leader, other } = await pair(folder);
  await using _leader = leader;
  await using _other = other;
  // As a server in front of the dashboard says where it came from.
  const far = { "x-forwarded-for": "192.0.2.7" };
  const refused = await other.ask("PUT", "/api/server_groups", { id: 7 }, far);
  assertEquals(refused.status, 403);
  assertMatch(refused.json.error, /only this machine may change anything/);
  const { json } = await leader.get("/api/audit?refused=true");
  assertEquals(json.entries[0].address, "192.0.2.7");
});

Deno.test("what a dashboard passes on counts for its client, if it shows that it has the token; nobody else is believed", async () => {
  await using folder = await StoreFolder.make();
  const token = new Secret("right-token");
  await using leader = await DashboardServer.start(await folder.open(), { token: token.reveal() });
  const policy = accessPolicy(token, "", []);
  /** A wrong login that another dashboard passes on, on another machine. */
  const logIn = async (client: string, known: Secret) => {
    const url = new URL(`http://${leader.addr}/api/login/user`);
    const body = JSON.stringify({ user: client, password: "wrong" });
    const headers = new Headers({ "content-type": "application/json" });
    const request = new Request(url, { method: "POST", headers, body });
    await nameClient(request.headers, known, client, { request, url, remote: client });
    return (await answerApi(leader.dashboard, policy, request, "10.0.0.2")).status;
  };
  const tries = async (client: string, known: Secret) => {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push(await logIn(client, known));
    return statuses;
  };
  assertEquals(await tries("192.0.2.7", token), [401, 401, 401, 401, 401, 429]);
  assertEquals(await logIn("192.0.2.8", token), 401, "it is another client");
  assertEquals(await logIn("192.0.2.8", new Secret("")), 401);
  // To this machine it would seem to be its own client.
  assertEquals(await logIn("127.0.0.1", token), 401);
  const forged = new Secret("a guess");
  assertEquals(await tries("192.0.2.9", forged), [401, 401, 401, 429, 429, 429]);
  assertEquals(await logIn("192.0.2.10", forged), 429, "it says what it likes");
  const { json } = await leader.ask("GET", "/api/audit?limit=50", undefined, TOKEN);
  const seen = new Set(json.entries.map(({ address }: { address: string }) => address));
  assertEquals(seen, new Set(["192.0.2.7", "192.0.2.8", "10.0.0.2"]));
});
