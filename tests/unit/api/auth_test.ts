/**
 * Who is let in, and who only seems to be one of us.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Access, accessPolicy, authorize } from "../../../src/api/auth.ts";
import { Secret } from "../../../src/base/secret.ts";

const HERE = "127.0.0.1";
const ELSEWHERE = "203.0.113.5";
const OWN = "http://10.1.2.3:18087/api";
const BROWSER = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" };

/** 200, or the status that it is refused with. */
function statusOf(
  { token = "", hostname = "", names = [] as string[] },
  access: Access,
  { url = OWN, method = "GET", remote = HERE, headers = {} as Record<string, string> },
): number {
  const request = new Request(url, { method, headers: { host: new URL(url).host, ...headers } });
  const policy = accessPolicy(new Secret(token), hostname, names);
  return authorize(policy, { request, url: new URL(url), remote }, access)?.status ?? 200;
}

const RIGHT = { authorization: "Bearer sesame" };

Deno.test("without a token this machine may do all, and others what was opened on purpose", () => {
  const methods = ["GET", "POST", "PUT", "DELETE"];
  for (const method of methods) {
    assertEquals(statusOf({}, "change", { method }), 200);
    assertEquals(statusOf({}, "change", { method, remote: "::1" }), 200);
    assertEquals(statusOf({}, "change", { method, remote: ELSEWHERE }), 403);
    assertEquals(statusOf({ hostname: "10.1.2.3" }, "change", { method, remote: ELSEWHERE }), 200);
    assertEquals(statusOf({ hostname: "127.0.0.1" }, "change", { method, remote: ELSEWHERE }), 403);
  }
  assertEquals(statusOf({}, "read", {}), 200);
  assertEquals(statusOf({}, "read", { remote: ELSEWHERE }), 403);
  assertEquals(statusOf({ hostname: "0.0.0.0" }, "read", { remote: ELSEWHERE }), 200);
});

Deno.test("with a token, every change needs it, and so does reading from another machine", () => {
  const policy = { token: "sesame" };
  for (const remote of [HERE, ELSEWHERE]) {
    assertEquals(statusOf(policy, "change", { remote }), 401);
    assertEquals(statusOf(policy, "change", { remote, headers: RIGHT }), 200);
    assertEquals(statusOf(policy, "read", { remote, headers: RIGHT }), 200);
  }
  assertEquals(statusOf(policy, "read", {}), 200);
  assertEquals(statusOf(policy, "read", { remote: ELSEWHERE }), 401);
  assertEquals(statusOf({ ...policy, hostname: "0.0.0.0" }, "change", { remote: ELSEWHERE }), 401);
});

Deno.test("a token of Latin letters is known as browsers write it into a header, and as shells do", () => {
  const inUtf8 = String.fromCharCode(...new TextEncoder().encode("sécret"));
  for (const [given, status] of [["sécret", 200], [inUtf8, 200], ["secret", 401]] as const) {
    const headers = { authorization: `Bearer ${given}` };
    assertEquals(statusOf({ token: "sécret" }, "change", { headers }), status, given);
  }
});

Deno.test("under a name that is not ours nothing is changed, whatever the method and the token", () => {
  const strange = ["http://evil.example:18087/", "http://127.0.0.1.evil.example/"];
  for (const url of strange) {
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      assertEquals(statusOf({}, "change", { url, method }), 403);
      assertEquals(statusOf({ hostname: "0.0.0.0" }, "change", { url, method }), 403);
      assertEquals(statusOf({ token: "sesame" }, "change", { url, method, headers: RIGHT }), 403);
    }
    // A page that has such a name could read by it, also one that says it is another program.
    for (const headers of [BROWSER, {}, { "user-agent": "curl/8.5.0" }]) {
      assertEquals(statusOf({}, "read", { url, headers }), 403);
    }
    assertEquals(statusOf({ token: "sesame" }, "read", { url, headers: RIGHT }), 200);
  }
  // What the URL says and what the Host says are both held to it.
  assertEquals(statusOf({}, "change", { headers: { host: "evil.example" } }), 403);
  const own = [OWN, "http://localhost:1/", "http://[::1]:1/", `http://${Deno.hostname()}/`];
  for (const url of own) assertEquals(statusOf({}, "change", { url }), 200);
  const named = "http://codis.example.com/";
  assertEquals(statusOf({}, "change", { url: named }), 403);
  assertEquals(statusOf({ names: ["Codis.example.com"] }, "change", { url: named }), 200);
});

Deno.test("no image, form or script of another page changes anything", () => {
  const foreign: Record<string, string>[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    BROWSER, // an image on a page that says nothing of itself
    { ...BROWSER, referer: "http://evil.example/" },
  ];
  for (const headers of foreign) {
    for (const method of ["GET", "POST"]) {
      assertEquals(statusOf({}, "change", { method, headers }), 403);
      assertEquals(statusOf({ hostname: "0.0.0.0" }, "change", { method, headers }), 403);
    }
  }
  const ours: Record<string, string>[] = [
    { ...BROWSER, origin: "http://10.1.2.3:18087" },
    { ...BROWSER, "sec-fetch-site": "same-origin" },
    { ...BROWSER, "sec-fetch-site": "none" }, // typed by hand
    { "user-agent": "Go-http-client/1.1" },
    { "user-agent": "curl/8.5.0" },
  ];
  for (const headers of ours) assertEquals(statusOf({}, "change", { headers }), 200);
});

Deno.test("what a server on this machine hands on does not come from this machine", () => {
  for (const name of ["x-forwarded-for", "forwarded", "x-real-ip"]) {
    const headers = { [name]: ELSEWHERE };
    assertEquals(statusOf({}, "change", { headers }), 403);
    assertEquals(statusOf({}, "read", { headers }), 403);
    assertEquals(statusOf({ token: "sesame" }, "read", { headers: { ...headers, ...RIGHT } }), 200);
  }
});
