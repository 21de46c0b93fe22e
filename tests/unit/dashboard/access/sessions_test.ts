/**
 * When a session ends, and what its cookie says.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { sessionCookie, sessionIdIn, Sessions } from "../../../../src/dashboard/access/sessions.ts";
import type { DashboardUser } from "../../../../src/model/dashboard_user.ts";

const ALICE: DashboardUser = {
  name: "alice",
  role: "operator",
  password: "scrypt$…",
  created_at: 1,
  changed_at: 1,
};
const MINUTE = 60_000;

Deno.test("a session ends half an hour after its last request, and twelve hours after it began", () => {
  let now = 0;
  const sessions = new Sessions(() => now);
  const find = () => ALICE;
  const [idle, busy] = [sessions.begin(ALICE), sessions.begin(ALICE)];
  for (now = 0; now <= 12 * 60 * MINUTE; now += 20 * MINUTE) {
    assertEquals(sessions.userOf(busy, find), ALICE, `${now}`);
  }
  now = 12 * 60 * MINUTE + 1;
  assertEquals(sessions.userOf(busy, find), undefined);
  assertEquals(sessions.userOf(idle, find), undefined);
});

Deno.test("a session ends when its user is removed or changes in any way, and when he logs out", () => {
  const changes: Partial<DashboardUser>[] = [{ role: "viewer" }, { password: "other" }, {
    changed_at: 2,
  }];
  for (const change of changes) {
    const sessions = new Sessions();
    const id = sessions.begin(ALICE);
    assertEquals(sessions.userOf(id, () => ALICE), ALICE);
    assertEquals(sessions.userOf(id, () => ({ ...ALICE, ...change })), undefined);
    assertEquals(sessions.userOf(id, () => ALICE), undefined, "it does not come back");
  }
  const sessions = new Sessions();
  const [removed, ended] = [sessions.begin(ALICE), sessions.begin(ALICE)];
  sessions.end(ended);
  assertEquals(sessions.userOf(ended, () => ALICE), undefined);
  assertEquals(sessions.userOf(removed, () => undefined), undefined);
  assertEquals(sessions.userOf("", () => ALICE), undefined);
});

Deno.test("a user has twenty sessions at most, and the oldest one ends first", () => {
  const sessions = new Sessions();
  const ids = Array.from({ length: 21 }, () => sessions.begin(ALICE));
  assertEquals(new Set(ids).size, 21);
  assertEquals(sessions.userOf(ids[0]!, () => ALICE), undefined);
  for (const id of ids.slice(1)) assertEquals(sessions.userOf(id, () => ALICE), ALICE);
  const all = Array.from({ length: 1_000 }, (_, i) => sessions.begin({ ...ALICE, name: `u${i}` }));
  assertEquals(sessions.userOf(ids[20]!, () => ALICE), undefined);
  assert(
    all.every((id, i) => sessions.userOf(id, (name) => ({ ...ALICE, name }))?.name === `u${i}`),
  );
});

Deno.test("the cookie is for this dashboard alone, not for scripts, and under TLS for TLS only", () => {
  const plain = new Request("http://10.1.2.3:18087/api/login/user");
  assertEquals(
    sessionCookie(plain, "abc"),
    "codis_session_18087=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200",
  );
  assertMatch(sessionCookie(plain, ""), /^codis_session_18087=; .*Max-Age=0$/);
  const tls = ["https://codis.example/api/login/user", "http://codis.example/api/login/user"];
  for (const url of tls) {
    const headers = url.startsWith("https") ? {} : { "x-forwarded-proto": "https" };
    const request = new Request(url, { headers: { ...headers, cookie: "__Host-codis_session=x" } });
    assertMatch(sessionCookie(request, "abc"), /^__Host-codis_session=abc; .*; Secure$/);
    assertEquals(sessionIdIn(request), "x");
  }
  const cookie = "a=b; codis_session=no; codis_session_18087=yes; codis_session_180=no";
  assertEquals(sessionIdIn(new Request(plain, { headers: { cookie } })), "yes");
  assertEquals(sessionIdIn(plain), "");
});
