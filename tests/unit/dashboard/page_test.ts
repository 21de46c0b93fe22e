/**
 * How the dashboard's page is served.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pageResponse } from "../../../src/dashboard/page.ts";

const FOLDER = new URL("../../../src/dashboard/page/", import.meta.url);

function get(path: string, init: RequestInit = {}): Response | undefined {
  return pageResponse(new Request(`http://10.0.0.1:18087${path}`, init));
}

Deno.test("the ways to the page lead to /admin, as in Codis 2.0, below any path", async () => {
  for (
    const [path, target] of [["/", "admin"], ["/slots", "admin#slots"], ["/admin/", "../admin"]]
  ) {
    const response = get(path!)!;
    assertEquals([response.status, response.headers.get("location")], [302, target!]);
  }
  const page = get("/admin")!;
  assertEquals(page.status, 200);
  assertEquals(page.headers.get("content-type"), "text/html; charset=utf-8");
  assertStringIncludes(await page.text(), "<!doctype html>");
});

Deno.test("what is not the page's is left to others", () => {
  for (
    const path of ["/api/cluster", "/admin/none.js", "/admin/constructor", "/metrics", "/admin2"]
  ) {
    assertEquals(get(path), undefined, path);
  }
});

Deno.test("nothing else may be run, framed or guessed", () => {
  const { headers } = get("/admin")!;
  const policy = headers.get("content-security-policy")!;
  assertStringIncludes(policy, "default-src 'self'");
  assertStringIncludes(policy, "require-trusted-types-for 'script'");
  assert(!policy.includes("unsafe"));
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("x-frame-options"), "DENY");
  assertEquals(headers.get("cache-control"), "no-cache");
});

Deno.test("a file is sent again only when it has changed", async () => {
  const first = get("/admin/page.css")!;
  const etag = first.headers.get("etag")!;
  assert(/^"[0-9a-f-]+"$/.test(etag), etag);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const again = get("/admin/page.css", { headers: { "if-none-match": known } })!;
    assertEquals([again.status, await again.text()], [304, ""]);
  }
  assertEquals(get("/admin/page.css", { headers: { "if-none-match": '"old"' } })!.status, 200);
});

Deno.test("HEAD is answered as GET without the body, and other methods are refused", async () => {
  const head = get("/admin", { method: "HEAD" })!;
  assertEquals([head.status, await head.text()], [200, ""]);
  const post = get("/admin", { method: "POST" })!;
  assertEquals(post.status, 405);
  assertEquals(await post.json(), { error: "/admin takes GET and HEAD, not POST" });
});

Deno.test("every file that the page names is there, and every file is named", async () => {
  const page = await get("/admin")!.text();
  assertEquals(/<script(?! src=)|<style| style=| on[a-z]+=/.exec(page), null);
  const named = new Set(
    [...page.matchAll(/(?:href|src)="(admin\/[^"]+)"/g)].map(([, path]) => path!),
  );
  for (const path of named) {
    const file = get(`/${path}`);
    assertEquals(file?.status, 200, path);
    if (!path.endsWith(".js")) continue;
    assertEquals(file!.headers.get("content-type"), "text/javascript; charset=utf-8");
    for (const [, other] of (await file!.text()).matchAll(/^import[^;]*? from ?"([^"]+)"/gm)) {
      assert(named.has(other!.replace("./", "admin/")), `${path} imports ${other}`);
    }
  }
  const styles = await get("/admin/page.css")!.text();
  for (const { name } of Deno.readDirSync(FOLDER)) {
    if (name.endsWith(".css")) {
      assertStringIncludes(styles, Deno.readTextFileSync(new URL(name, FOLDER)));
    } else if (name !== "page.html") assert(named.has(`admin/${name}`), `${name} is not served`);
  }
});
