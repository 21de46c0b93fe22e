/**
 * Who may do what with the dashboard: every route has its least role, and users, sessions and tokens
 * begin and end as their owners expect.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { API_TABLE } from "../../../src/dashboard/api/api.ts";
import type { ApiRoute } from "../../../src/dashboard/api/route.ts";
import { ROLES } from "../../../src/model/dashboard_user.ts";
import type { Answer } from "../../support/dashboard_server.ts";
import { DashboardServer } from "../../support/dashboard_server.ts";
import { until } from "../../support/deadline.ts";
import { StoreFolder } from "../../support/store.ts";

/** Routes that need more than `viewer` to read, or another role than `operator` to change. */
const ROLE_OF: Readonly<Record<string, ApiRoute["role"]>> = {
  "GET /api/redis/:addr/:slot/slotinfo": "operator",
  "GET /api/redis/group/:id/:slot/slotinfo": "operator",
  "GET /api/redis/:addr/detail": "operator",
  "GET /api/action/gc": "operator",
  "GET /api/slowlog": "operator",
  "GET /api/hotkeys": "operator",
  "POST /api/login": "viewer",
  "POST /api/login/user": "anyone",
  "POST /api/logout": "anyone",
  "POST /api/password": "viewer",
  "GET /api/config": "operator",
  "POST /api/reload": "admin",
  "GET /api/proxy/:id/clients": "operator",
  "GET /api/proxy/:id/config": "operator",
  "GET /api/force_remove_locks": "admin",
  "POST /api/force_remove_locks": "admin",
  "GET /api/remove_fence": "admin",
  "POST /api/remove_fence": "admin",
  "POST /api/commands/allowed": "admin",
  "DELETE /api/commands/allowed/:name": "admin",
  "POST /api/sentinels": "admin",
  "DELETE /api/sentinels/:addr": "admin",
  "POST /api/slot_rules": "admin",
  "POST /api/slot_rules/remove": "admin",
  "POST /api/slots/init": "admin",
  "DELETE /api/server_group/:id": "admin",
  "PUT /api/server_group/:id/removeServer": "admin",
  "GET /api/redis_users": "admin",
  "PUT /api/redis_users/:name": "admin",
  "PUT /api/redis_users/:name/limits": "admin",
  "PUT /api/redis_users/:name/read_from": "admin",
  "POST /api/redis_users/delete": "admin",
  "POST /api/redis_users/import": "admin",
  "GET /api/users": "admin",
  "POST /api/users": "admin",
  "PUT /api/users/:name": "admin",
  "DELETE /api/users/:name": "admin",
  "GET /api/tokens": "admin",
  "POST /api/tokens": "admin",
  "DELETE /api/tokens/:name": "admin",
};

const PASSWORD = "correct horse";

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

async function makeToken(
  dashboard: DashboardServer,
  name: string,
  role: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const { status, json } = await dashboard.ask("POST", "/api/tokens", { name, role }, headers);
  assertEquals(status, 200);
  return json.token;
}

/** Logs in as the page does; the answer, and the cookie for further requests. */
async function logIn(dashboard: DashboardServer, user: string, password = PASSWORD) {
  const response = await fetch(`http://${dashboard.addr}/api/login/user`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user, password }),
  });
  const text = await response.text();
  const cookie = response.headers.get("set-cookie") ?? "";
  return { status: response.status, text, cookie: { cookie: cookie.split(";")[0]! } };
}

Deno.test(`each of ${API_TABLE.length} routes is for its role and those above it, and for nobody else`, async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  const admin = bearer(await makeToken(dashboard, "root", "admin"));
  const tokens = {
    viewer: bearer(await makeToken(dashboard, "v", "viewer", admin)),
    operator: bearer(await makeToken(dashboard, "o", "operator", admin)),
    admin,
  };
  const seen = new Set<string>();
  for (const { method, path, changes, role } of API_TABLE) {
    const name = `${method} ${path}`;
    seen.add(name);
    assertEquals(role, ROLE_OF[name] ?? (changes ? "operator" : "viewer"), name);
    const sample = path.replaceAll(/:\w+/g, "zzz");
    // No body that any route takes: what is let in changes nothing that matters here.
    const ask = (headers: Record<string, string>) =>
      dashboard.ask(method, sample, method === "GET" ? undefined : "no JSON", headers);
    if (role === "anyone") {
      assert(![403, 429].includes((await ask({})).status), name);
      continue;
    }
    assertEquals((await ask({})).status, 401, `${name} without a login`);
    for (const each of ROLES) {
      const { status, text } = await ask(tokens[each]);
      const isEnough = ROLES.indexOf(each) >= ROLES.indexOf(role);
      assertEquals(![401, 403].includes(status), isEnough, `${name} as ${each}: ${status} ${text}`);
      if (!isEnough) assertMatch(text, new RegExp(`needs the role ${role}; token . is ${each}`));
    }
  }
  assertEquals(Object.keys(ROLE_OF).filter((name) => !seen.has(name)), []);
});

Deno.test("nobody but a browser on our own page changes anything with a cookie, and nobody by GET", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  const user = { name: "alice", role: "admin", password: PASSWORD };
  await dashboard.done("POST", "/api/users", user);
  const { cookie } = await logIn(dashboard, "alice");
  const ours = { ...cookie, origin: `http://${dashboard.addr}`, "sec-fetch-site": "same-origin" };
  const ask = (headers: Record<string, string>, method = "POST") =>
    dashboard.ask(method, "/api/action/gc?keep=1", undefined, headers);
  assertEquals((await ask(ours)).status, 200);
  const refused: readonly (readonly [number, Record<string, string>, string?])[] = [
    [403, { ...ours, origin: "http://evil.example", "sec-fetch-site": "cross-site" }],
    [403, { ...ours, "sec-fetch-site": "same-site" }],
    [403, { ...cookie, origin: "null" }],
    // An image on another page, of a browser that does not say so.
    [403, { ...cookie, "user-agent": "Mozilla/5.0" }],
    [403, { ...cookie, "user-agent": "Mozilla/5.0" }, "GET"],
    [403, { ...ours }, "GET"],
    [401, { ...ours, cookie: `${cookie.cookie}x` }],
  ];
  for (const [status, headers, method] of refused) {
    assertEquals((await ask(headers, method)).status, status, JSON.stringify(headers));
  }
  // What a form can send.
  for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
    const body = '{"id":1}';
    const { status, text } = await dashboard.ask("PUT", "/api/server_groups", body, {
      ...ours,
      "content-type": type,
    });
    assertEquals(status, 415, text);
  }
  assertEquals((await dashboard.ask("GET", "/api/server_groups", undefined, cookie)).json, null);
});

Deno.test("a session is its user's, until he logs out or is changed; a token's until it is withdrawn", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  await using dashboard = await DashboardServer.start(store);
  // The first one must be able to make others.
  const first = { name: "bob", role: "operator", password: PASSWORD };
  assertMatch((await dashboard.ask("POST", "/api/users", first)).text, /nobody would be admin/);
  await dashboard.done("POST", "/api/users", { ...first, name: "root", role: "admin" });
  const { cookie: admin } = await logIn(dashboard, "root");
  const asAdmin = (method: string, path: string, body?: unknown) =>
    dashboard.ask(method, path, body, admin);
  assertEquals((await asAdmin("POST", "/api/users", first)).status, 200);
  assertEquals((await asAdmin("POST", "/api/users", first)).status, 500);
  // The audit log would not tell them from dashboard_token, and from who comes without any.
  for (const name of ["dashboard_token", "anybody"]) {
    const { text } = await asAdmin("POST", "/api/users", { ...first, name });
    assertMatch(text, new RegExp(`the audit log calls somebody else ${name}`));
  }

  const as = (headers: Record<string, string>) =>
    dashboard.ask("GET", "/api/cluster", undefined, headers);
  const youIn = ({ json }: Answer) => json.you;
  let { cookie } = await logIn(dashboard, "bob");
  assertEquals(youIn(await as(cookie)), { name: "bob", role: "operator", kind: "user" });
  assertEquals((await asAdmin("PUT", "/api/users/bob", { role: "viewer" })).status, 200);
  assertEquals((await as(cookie)).status, 401);
  ({ cookie } = await logIn(dashboard, "bob"));
  assertEquals(youIn(await as(cookie)).role, "viewer");
  assertEquals((await asAdmin("PUT", "/api/users/bob", { password: "another one" })).status, 200);
  assertEquals((await as(cookie)).status, 401);
  assertEquals((await logIn(dashboard, "bob")).status, 401);
  ({ cookie } = await logIn(dashboard, "bob", "another one"));
  const renewed = { old_password: "another one", password: "a third one" };
  const wrong = { ...renewed, old_password: PASSWORD };
  assertEquals((await dashboard.ask("POST", "/api/password", wrong, cookie)).status, 403);
  assertEquals((await dashboard.ask("POST", "/api/password", renewed, cookie)).status, 200);
  assertEquals((await as(cookie)).status, 401, "the cookie is a new one");
  ({ cookie } = await logIn(dashboard, "bob", "a third one"));
  assertEquals((await dashboard.ask("POST", "/api/logout", undefined, cookie)).status, 200);
  assertEquals((await as(cookie)).status, 401);

  const listed = (await asAdmin("GET", "/api/users")).text;
  assert(!listed.includes("scrypt"), listed);
  assertMatch((await asAdmin("DELETE", "/api/users/root")).text, /nobody would be admin/);
  const token = await makeToken(dashboard, "ci", "viewer", admin);
  const tokens = (await asAdmin("GET", "/api/tokens")).json;
  assertEquals(tokens.map(({ name, prefix }: Record<string, string>) => [name, prefix]), [
    ["ci", token.slice(0, 12)],
  ]);
  assert(!JSON.stringify(tokens).includes("hash"));
  const stored = (await store.coordinator.read(store.paths.apiTokens)).data +
    (await store.coordinator.read(store.paths.dashboardUsers)).data;
  for (const secret of [token, PASSWORD, "another one"]) assert(!stored.includes(secret));
  assertEquals((await as(bearer(token))).status, 200);
  assertEquals((await asAdmin("DELETE", "/api/tokens/ci")).status, 200);
  assertEquals((await as(bearer(token))).status, 401);
  const short = { name: "short", role: "viewer", expires_seconds: 1 };
  const expiring = (await asAdmin("POST", "/api/tokens", short)).json.token;
  assertEquals((await as(bearer(expiring))).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assertEquals((await as(bearer(expiring))).status, 401);

  // Alone, the last one may go: then this machine may do all, as at first.
  for (const name of ["bob", "root"]) {
    if (name === "root") assertEquals((await asAdmin("DELETE", "/api/tokens/short")).status, 200);
    assertEquals((await asAdmin("DELETE", `/api/users/${name}`)).status, 200);
  }
  assertEquals(youIn(await as({})), { name: "this machine", role: "admin", kind: "place" });
});

Deno.test("another dashboard that takes over knows users and tokens, and dashboard_token stays admin", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.open();
  let token = "";
  {
    await using dashboard = await DashboardServer.start(store);
    token = await makeToken(dashboard, "root", "admin");
  }
  // This one may take the token that the last admin had away: its own is an admin, too.
  await using dashboard = await DashboardServer.start(store, {
    token: "sesame",
    waitsForLead: false,
  });
  await until(async () =>
    (await dashboard.ask("GET", "/api/cluster", undefined, bearer(token))).status === 200
  );
  assertEquals((await dashboard.get("/api/slots")).status, 401, "no login, no reading");
  const asked = await dashboard.ask("GET", "/api/cluster", undefined, bearer("sesame"));
  assertEquals(asked.json.you.name, "dashboard_token");
  const gone = await dashboard.ask("DELETE", "/api/tokens/root", undefined, bearer("sesame"));
  assertEquals(gone.status, 200);
  assertEquals(
    (await dashboard.get("/api/slots")).status,
    200,
    "as without users: this machine reads",
  );
});

Deno.test("wrong passwords are slowed down by address, and tell nobody which users there are", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  await dashboard.done("POST", "/api/users", { name: "root", role: "admin", password: PASSWORD });
  const answers = [await logIn(dashboard, "root", "wrong"), await logIn(dashboard, "nobody")];
  assertEquals(answers[0]!.text, answers[1]!.text);
  for (let i = 0; i < 12 && answers.at(-1)!.status !== 429; i++) {
    answers.push(await logIn(dashboard, "root", "wrong"));
  }
  assertEquals(answers.slice(0, 5).map(({ status }) => status), Array(5).fill(401));
  assertMatch(answers.at(-1)!.text, /^{"error":"too many wrong tries: wait \d+ s"}$/);
  await until(async () => (await logIn(dashboard, "root")).status === 200);
});
