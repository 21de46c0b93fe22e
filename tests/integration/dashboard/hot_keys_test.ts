/**
 * The hot and big keys of all proxies at the dashboard, and how keys look that are no text.
 *
 * @module
 */

import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { HotKeysAnswer } from "../../../src/api/hot_keys.ts";
import { keyText } from "../../../src/proxy/hot_keys_answer.ts";
import { latin1Bytes } from "../../../src/resp/latin1.ts";
import { ProxyProcess } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { slotOf } from "../../support/router_server.ts";

const TOKEN = "t0ken-of-the-product";

Deno.test("GET /api/hotkeys shows hot and big keys of the cluster, of a server, of a slot, to operators", async () => {
  await using one = await RedisServer.start();
  await using other = await RedisServer.start();
  await using proxy = await ProxyProcess.start({
    servers: [one, other],
    config: { dashboard_token: TOKEN },
  });
  using client = await proxy.client();
  for (let i = 0; i < 30; i++) await client.call("GET", "clé");
  for (let i = 0; i < 10; i++) await client.call("SET", latin1Bytes("\xff\x00\\\n"), "v");
  await client.call("SET", "big", "x".repeat(2_000_000));
  const ask = async (path: string, token: string = TOKEN) => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(proxy.url(path), { headers });
    const text = await response.text();
    return { status: response.status, answer: response.ok ? JSON.parse(text) : text };
  };
  const { answer } = await ask("/api/hotkeys") as {
    answer: HotKeysAnswer & { readonly problems: unknown[] };
  };
  assertEquals([answer.is_on, answer.problems], [true, []]);
  const [first, second] = answer.hot;
  assertEquals([first!.key, first!.key_bytes, first!.slot], ["clé", 4, slotOf("clé")]);
  assertEquals([second!.key, second!.writes_per_second > 0], ["\\xff\\x00\\\\\\x0a", true]);
  assertAlmostEquals(first!.share, 30 / 41, 0.03);
  assertAlmostEquals(second!.share, 10 / 41, 0.03);
  const [big] = answer.big;
  assertEquals([big!.key, big!.of, big!.command, big!.bytes], ["big", "request", "set", 2_000_034]);
  for (const { addr } of [one, other]) {
    const { answer: of } = await ask(`/api/hotkeys?server=${addr}`);
    const expected = answer.hot.filter(({ server }) => server === addr).map(({ key }) => key);
    assertEquals(of.hot.map(({ key }: { key: string }) => key), expected);
  }
  const { answer: ofSlot } = await ask(`/api/hotkeys?slot=${slotOf("big")}`);
  assertEquals([ofSlot.hot.length, ofSlot.big.length], [1, 1]);
  assertEquals((await ask("/hotkeys")).answer.hot.length, 3);
  for (const query of ["limit=0", "slot=1024", "slot=x", "proxy=nobody"]) {
    assertEquals((await ask(`/api/hotkeys?${query}`)).status, 400);
  }
  assertEquals((await ask("/api/hotkeys", "wrong-token-of-nobody")).status, 401);
});

Deno.test("no two keys look the same, and none can write to a terminal", () => {
  const keys = [
    "\\x00",
    "\x00",
    "a\\b",
    "clé",
    "\xc3\xa9",
    "\xe9",
    "\x1b[2J",
    "\u00e2\u0080\u00a8",
    "",
  ];
  const shown = keys.map(keyText);
  assertEquals(new Set(shown).size, keys.length, JSON.stringify(shown));
  for (const text of shown) assertEquals(/[\p{C}\p{Zl}\p{Zp}]/u.test(text), false, text);
  assertEquals(shown[4], "é");
});
