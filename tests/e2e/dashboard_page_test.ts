/**
 * The dashboard's page, in a real browser, in front of a cluster of 64 groups, 32 proxies and 1024
 * slots that changes every second.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ClusterView } from "../../src/api/cluster_view.ts";
import { bytes, millis, short, whole } from "../../src/dashboard/page/format.js";
import type { Tab } from "../support/browser.ts";
import { until } from "../support/deadline.ts";
import {
  button,
  dialogButton,
  middleOf,
  openDialog,
  type PagePlace,
  type PagePromise,
  tryPromises,
  turnTo,
  untilTold,
  visit,
} from "../support/page_place.ts";

const VIEWS = ["overview", "slots", "groups", "proxies", "migrations", "activity"];

async function complainsOfNothing(place: PagePlace): Promise<void> {
  const tab = await visit(place, "overview");
  for (const view of VIEWS) {
    await tab.page.locator(`.tabs a[href="#${view}"]`).click();
    await tab.page.waitForSelector(`main .${view}`);
  }
  await tab.page.waitForTimeout(300);
  assertEquals(tab.complaints, []);
  const strangers = await tab.ask<string[]>(
    `performance.getEntriesByType("resource").map(({ name }) => name)
      .filter((name) => !name.startsWith(location.origin))`,
  );
  assertEquals(strangers, []);
}

async function showsOverview(place: PagePlace): Promise<void> {
  const view = place.server.view();
  const tab = await visit(place, "overview");
  assertStringIncludes(await tab.text("header"), view.product);
  const tiles = await tab.text(".tiles");
  for (
    const figure of [
      whole(view.ops),
      millis(view.history.p99_ms.at(-1)),
      short(view.keys),
      bytes(view.memory_bytes),
      whole(view.sessions),
      "987/1024",
      "2 migrating",
      "143/144",
      "30/32",
    ]
  ) assertStringIncludes(tiles, figure);
  assertStringIncludes(await tab.text(".charts"), `all proxies ${short(view.ops)}`);
  assertEquals(await tab.page.locator(".charts canvas").count(), 3);
  await button(tab, "7 d").press("Enter");
  await tab.page.waitForSelector('.charts [aria-label="Memory, the last 7 days"] canvas');
  assertEquals(await tab.page.locator(".charts canvas").count(), 5);
  const words = (await tab.page.locator(".topology svg").getAttribute("aria-label"))!;
  assertStringIncludes(words, `${whole(view.sessions)} clients send ${short(view.ops)} requests/s`);
  assertStringIncludes(words, "Broken: proxy_26 (no answer within 2 s).");
  assertEquals(await tab.page.locator(".topology .flow.bad").count(), 2);
  assertEquals(await tab.page.locator(".topology li").count(), 24);
  const concerns = await tab.text(".concerns");
  for (const word of ["proxy_26", "10.0.23.2:6379", "10.0.41.2:6379", "proxy_19", "slot 99"]) {
    assertStringIncludes(concerns, word);
  }
  const facts = await tab.text(".facts");
  for (const word of ["10.1.0.100:18087", "pid 812", "zookeeper", "connected", "automatic"]) {
    assertStringIncludes(facts, word);
  }
}

async function pointAt(tab: Tab, slot: number): Promise<void> {
  const { x, y } = await middleOf(tab, slot);
  await tab.page.mouse.move(x, y);
  await until(async () => (await tab.text(".told")).startsWith(`Slot ${slot} `));
}

async function showsSlots(place: PagePlace): Promise<void> {
  const { slots } = place.server.view();
  const tab = await visit(place, "slots");
  for (
    const [slot, told] of [
      [0, "group 1, online"],
      [100, "group 20, migrating, from group 7"],
      [101, "group 7, about to migrate, will move to group 20"],
      [1023, "group 64, online"],
    ] as const
  ) {
    await pointAt(tab, slot);
    assertEquals(
      await tab.text(".told"),
      `Slot ${slot} ${told}, ${whole(slots.ops[slot]!)} requests/s`,
    );
  }
  assertStringIncludes(
    await tab.text(".ranges"),
    "99–100\ngroup 20\nmigrating from group 7\n2 slots",
  );
  assertStringIncludes(await tab.text(".busiest li"), "517\ngroup 33");
  const rules = await tab.text(".slot-rules");
  for (
    const word of ["bull:*:", "the part before the last separator", "celery*", "the tag celery"]
  ) {
    assertStringIncludes(rules, word);
  }
  const before = await tab.page.locator(".slot-map canvas").first().screenshot();
  await button(tab, "By load").click();
  await tab.page.waitForSelector(".scale");
  const after = await tab.page.locator(".slot-map canvas").first().screenshot();
  assert(before.compare(after) !== 0);
}

async function showsLists(place: PagePlace): Promise<void> {
  const { groups, proxies } = place.server.view();
  const tab = await visit(place, "groups");
  assertEquals(await tab.page.locator(".compact > tbody > tr").count(), 64);
  // 40 of them fit on two screens.
  assert((await tab.page.locator(".compact > tbody > tr").first().boundingBox())!.height <= 40);
  const names = () => tab.page.locator(".compact tbody th").allInnerTexts();
  await button(tab, "Slots", ".compact").click();
  assertStringIncludes((await names())[0]!, "Group 20");
  await button(tab, "Slots", ".compact").press("Enter");
  assertStringIncludes((await names())[0]!, "Group 7");
  assertEquals(await tab.page.locator('.compact th[aria-sort="ascending"]').count(), 1);
  await button(tab, "Group", ".compact").click();
  await tab.page.getByRole("button", { name: "Group 1", exact: true }).press("Enter");
  await tab.page.waitForSelector(".group");
  const { addr, keys, memory_bytes, ops, clients, private_connections } = groups[0]!.servers[0]!;
  const row = await tab.text(".group tbody tr");
  const { in_use, max } = private_connections!;
  const privates = `${whole(in_use)} of ${whole(max)} private`;
  for (
    const word of [
      ...[addr, "master", short(keys), bytes(memory_bytes), whole(ops)],
      ...[`${clients}`, privates],
    ]
  ) {
    assertStringIncludes(row, word);
  }
  await button(tab, "Problems").click();
  assertEquals(await tab.page.locator(".compact > tbody > tr").count(), 2);
  // A link from elsewhere leads to a group that is far down.
  await turnTo(tab, "overview");
  await turnTo(tab, "groups/60");
  await until(() =>
    tab.ask(`(() => {
      const { top } = document.querySelector(".compact .open").getBoundingClientRect();
      return scrollY > 500 && top >= 0 && top < 300;
    })()`)
  );
  await turnTo(tab, "groups");
  await button(tab, "Problems").click();
  await tab.page.getByText("connection refused").waitFor();
  await tab.page.getByText("link down").waitFor();

  await turnTo(tab, "proxies");
  assertEquals(await tab.page.locator(".proxies > table tbody tr").count(), 32);
  const allowed = await tab.text(".allowed-commands");
  for (
    const word of ["FT.SEARCH", "to every master", "JSON.DEBUG MEMORY", "the key at argument 2"]
  ) {
    assertStringIncludes(allowed, word);
  }
  const second = await tab.page.locator("tbody tr").nth(1).innerText();
  const proxy = proxies[1]!;
  for (const word of [proxy.id, proxy.addr, "online", whole(proxy.ops), millis(proxy.p99_ms)]) {
    assertStringIncludes(second, word);
  }
  assertStringIncludes(await tab.text("tbody"), "not updated for");
  assertStringIncludes(await tab.text("tbody"), "no answer within 2 s");

  await turnTo(tab, "migrations");
  assertStringIncludes(await tab.text(".migrations"), "82 slots, 80 of them waiting");
  assertEquals(await tab.page.locator(".routes > li").count(), 6);
  const card = await tab.text(".routes > li");
  for (const word of ["Group 7", "Group 20", "13 slots, 11 waiting", "1\u202f500 keys/s", "Ends"]) {
    assertStringIncludes(card, word);
  }
  assertStringIncludes(await tab.text("tbody tr"), "OOM command not allowed");
  assertStringIncludes(await tab.page.locator("tbody tr").nth(1).innerText(), "group 7 → group 20");
  assertEquals(await tab.page.locator("tbody tr").count(), 50);
  await button(tab, "Show all").click();
  assertEquals(await tab.page.locator("tbody tr").count(), 82);

  await turnTo(tab, "activity");
  assertEquals(await tab.page.locator(".actions > li").count(), 20);
  assertStringIncludes(await tab.text(".actions li"), "27 of 30 confirmed");
  assertEquals(await tab.page.locator(".events li").count(), 100);
  await tab.page.locator(".actions summary").first().click();
  assertStringIncludes(await tab.text(".actions .answers"), "proxy_28: not confirmed yet");
}

async function showsOne(place: PagePlace): Promise<void> {
  const tab = await visit(place, "groups/1");
  await tab.page.getByRole("link", { name: "10.0.1.1:6379" }).press("Enter");
  await tab.page.waitForSelector(".detail .plain");
  await untilTold(tab, ".detail", [
    ...["master of group 1", "CONFIG GET", "KEYS user:*", "2 of 30 connections"],
  ]);
  await tab.page.locator('[aria-label="Find in Settings"]').fill("pass");
  await tab.page.getByText("1 of 2 lines").waitFor();
  await turnTo(tab, "proxies");
  await tab.page.getByRole("link", { name: "proxy_1", exact: true }).press("Enter");
  await tab.page.waitForSelector(".detail .audit ol");
  await untilTold(tab, ".detail", [
    ...["10.1.0.1:19000", "10.0.1.1:6379", "codis-proxy proxy -c", "GET user:1"],
  ]);
  await tab.page.waitForSelector(".detail .chart");
  assertEquals(await tab.page.locator(".detail .chart").count(), 5);
  // Of very many clients, those that are looked for.
  const clients = tab.page.locator('.card:has(> [aria-label="Clients"])');
  await clients.getByText("50 of 12\u202f000 clients").waitFor();
  await clients.getByRole("button", { name: "Memory" }).press("Enter");
  await clients.getByText("tot-mem-1ioredis").waitFor();
  assertEquals(await clients.locator('th[aria-sort="descending"]').innerText(), "Memory▼");
  await clients.getByLabel("Find in Clients").fill("shop");
  await clients.getByText("3 of 3 that match, of 12\u202f000 clients").waitFor();
  const asked = "/api/proxy/proxy_1/clients?by=tot-mem&search=shop&limit=50";
  assert(place.server.addresses.includes(asked));
  const ofConfig = '.card:has(> [aria-label="Configuration"])';
  await untilTold(tab, ofConfig, [
    ...["/etc/codis/config.ini", "not reloaded", 'by SIGHUP: max_clients = "x"', "2 of 3 keys"],
    ...["5000", "default 10000", "config.ini:12", "tcp4 after a restart, config.ini:9"],
  ]);
  const config = tab.page.locator(ofConfig);
  await config.getByRole("button", { name: "All" }).press("Enter");
  await config.getByText("net_timeout").waitFor();
  await config.getByRole("button", { name: "Waiting 1" }).press("Enter");
  await config.getByText("1 of 3 keys").waitFor();
  await turnTo(tab, "proxies/gone");
  await tab.page.getByText("No proxy has this name").waitFor();
  await turnTo(tab, "groups/1.2.3.4:5");
  await tab.page.getByText("No group has this server").waitFor();
  assertEquals(tab.complaints, []);
}

async function showsProducts(place: PagePlace): Promise<void> {
  place.server.productCount = 12;
  const tab = await visit(place, "overview");
  const menu = tab.page.locator(".product-menu");
  await menu.getByText("2 other products with a problem").waitFor({ state: "attached" });
  await menu.locator("summary").press("Enter");
  // What needs somebody comes first.
  assertEquals(
    (await menu.locator("li").allInnerTexts()).slice(0, 3).map((text) =>
      text.replaceAll("\n", " ")
    ),
    ["ads ✕no dashboard leads", "chat ✕2 errors", "cart ○not known"],
  );
  assertEquals(
    await menu.getByRole("link", { name: "chat" }).getAttribute("href"),
    "http://10.2.0.100:18087/admin",
  );
  await menu.getByRole("link", { name: "All 12 products" }).press("Enter");
  await tab.page.waitForSelector("main .products tbody tr");
  assertEquals(await menu.getAttribute("open"), null);
  const names = () => tab.page.locator(".products tbody th").allInnerTexts();
  assertEquals((await names()).slice(0, 3), ["ads", "cart", "chat"]);
  await tab.page.getByRole("button", { name: "Requests/s" }).press("Enter");
  assertEquals((await names())[0], "shop");
  const row = await tab.text('.products tr:has-text("chat")');
  for (const word of ["2 errors", "24.0k", "16/16", "3/3", "1\u202f024/1024", "10.2.0.100:18087"]) {
    assertStringIncludes(row, word);
  }
  // Nothing is asked of other dashboards.
  assertEquals(tab.complaints, []);
  // What is asked for only now and then is asked again after a change.
  const asked = () => place.server.addresses.filter((path) => path === "/api/products").length;
  await turnTo(tab, "activity");
  const before = asked();
  await openDialog(tab, "Remove locks …");
  await dialogButton(tab, "Remove locks").press("Enter");
  await until(() => asked() > before, 5_000);
  place.server.productCount = 1;
  await visit(place, "overview");
  await tab.page.reload();
  await tab.page.waitForSelector(".tile");
  assertEquals(await menu.count(), 0);
}

async function showsOutages(place: PagePlace): Promise<void> {
  place.server.edit = (view) => ({ ...view, open_outages: place.server.events.open ?? [] });
  const tab = await visit(place, "activity");
  // The tab says it, too, to whoever looks and to whoever listens.
  await until(async () => await tab.ask("document.title") === "(1) shop · Codis");
  const icon = tab.page.locator('link[rel="icon"]');
  assertEquals(await icon.getAttribute("href"), "admin/icon_alarm.svg");
  assertStringIncludes(await tab.text("p[role=alert]"), "group 23: the replica");
  await tab.page.waitForSelector(".outages .lines li");
  assertStringIncludes(await tab.text(".outages .card-head"), "1 now");
  assertEquals(await tab.page.locator(".outages ol li").count(), 3);
  const list = await tab.text(".outages ol");
  for (
    const word of ["does not answer", "Cause: connection refused", "What to do: start it again"]
  ) {
    assertStringIncludes(list, word);
  }
  // A time line's bar is where it was and as long as it lasted: from 2 h ago until now, of 24 h.
  const share = await tab.ask<number>(`(() => {
    const [bar] = document.querySelectorAll(".outages .line span");
    return bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width;
  })()`);
  assert(share > 0.08 && share < 0.09, `${share}`);
  // The subject's name filters the list, from the keyboard too.
  await tab.page.locator(".outages .subject").nth(2).focus();
  await tab.page.keyboard.press("Enter");
  assertEquals(await tab.page.locator(".outages ol li").count(), 1);
  assertStringIncludes(
    await tab.text(".outages ol"),
    "10 min 0 s, until".replaceAll(/(?<=\d) /g, "\u202f"),
  );
  await tab.page.keyboard.press("Enter");
  await button(tab, "Now", ".outages").click();
  assertEquals(await tab.page.locator(".outages ol li").count(), 1);
  await button(tab, "All", ".outages").click();
  await tab.page.locator('.outages select[name="kind"]').selectOption("failover_refused");
  assertStringIncludes(await tab.text(".outages ol"), "failover refused · 3 times");
  place.server.edit = (view) => view;
  await until(async () => await tab.ask("document.title") === "shop · Codis");
  assertEquals(await icon.getAttribute("href"), "admin/icon.svg");
}

async function showsChange(place: PagePlace): Promise<void> {
  place.server.edit = (view) => ({
    ...view,
    change: {
      summary: "slot 5 → group 2, pre_migrate",
      since: view.at - 12_000,
      waiting_for: [{ proxy_id: "proxy_3", reason: "7 requests in flight" }],
    },
  });
  const tab = await visit(place, "activity");
  const told = "slot 5 → group 2, pre_migrate";
  assertStringIncludes(await tab.text(".status"), `${told}, waiting for 1 proxy: proxy_3`);
  assertStringIncludes(await tab.text(".under-way"), told);
  assertStringIncludes(await tab.text(".under-way"), "proxy_3: 7 requests in flight");
}

const MARKUP = `<img src="x" onerror="document.title='broken'"><b>&amp;</b>`;

/** The same view with markup in every text. */
function withMarkup<T>(value: T, name = ""): T {
  if (typeof value === "string") {
    const isWord = ["type", "status", "state", "role", "level", "failover", "kind"].includes(name);
    return (isWord ? value : `${value}${MARKUP}`) as T;
  }
  if (Array.isArray(value)) return value.map((each) => withMarkup(each, name)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withMarkup(each, key)]),
  ) as T;
}

async function takesDataAsText(place: PagePlace): Promise<void> {
  const { server } = place;
  server.edit = (view: ClusterView) =>
    withMarkup({
      ...view,
      dead_fences: ["10.1.0.31:19000"],
      change: {
        summary: "slot 5",
        since: view.at,
        waiting_for: [{ proxy_id: "proxy_3", reason: "busy" }],
      },
    });
  const tab = await visit(place, "overview");
  for (const view of VIEWS) {
    await turnTo(tab, view);
    assertStringIncludes(await tab.text("main") + await tab.text("header"), MARKUP, view);
    assertEquals(await tab.page.locator('img[src="x"], main b b').count(), 0, view);
  }
  server.answers.push({ status: 500, body: MARKUP });
  await openDialog(tab, "Remove locks …");
  await dialogButton(tab, "Remove locks").click();
  await tab.page.locator("dialog").getByText(MARKUP).waitFor();
  assertStringIncludes(await tab.ask("document.title"), "shop<img");
}

async function fitsEverywhere(place: PagePlace): Promise<void> {
  place.server.productCount = 12;
  // The widest figure of a small page: that of a cluster in which all is well.
  place.server.edit = (view) => ({ ...view, slots: { ...view.slots, served: 1024 } });
  const tab = await visit(place, "overview");
  for (const width of [260, 375, 768, 1024, 1280]) {
    await tab.page.setViewportSize({ width, height: 800 });
    for (const view of ["groups/10.0.1.1:6379", "proxies/proxy_1", "products", ...VIEWS]) {
      await turnTo(tab, view);
      if (view === "products") await tab.page.waitForSelector(".products tbody tr");
      const [needed, given] = await tab.ask<[number, number]>(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
      );
      assert(needed <= given, `${view} needs ${needed} px of ${given}`);
    }
    await openDialog(tab, "Remove locks …");
    const box = (await tab.page.locator("dialog").boundingBox())!;
    assert(box.x >= 0 && box.x + box.width <= width);
    await tab.page.keyboard.press("Escape");
  }
}

async function showsNothing(place: PagePlace): Promise<void> {
  place.server.edit = (view) => ({
    ...view,
    ops: 0,
    sessions: 0,
    keys: 0,
    memory_bytes: 0,
    history: { step_ms: 1000, at: [], ops: [], p50_ms: [], p99_ms: [], sessions: [] },
    groups: [],
    slots: {
      group: Array(1024).fill(-1),
      status: "-".repeat(1024),
      from: {},
      ops: Array(1024).fill(0),
      served: 0,
    },
    proxies: [],
    migrations: [],
    migration_totals: null,
    actions: [],
    events: [],
  });
  const tab = await visit(place, "overview");
  for (
    const [view, told] of [
      ["overview", "There is no group of servers yet"],
      ["slots", "no group\nnot stored"],
      ["groups", "There is no group yet"],
      ["proxies", "No proxy is registered"],
      ["migrations", "No slot is migrating"],
      ["activity", "There are no events yet"],
    ] as const
  ) {
    await turnTo(tab, view);
    assertStringIncludes(await tab.text("main"), told);
  }
  await turnTo(tab, "overview");
  assertStringIncludes(await tab.text(".guide"), "This cluster is empty");
  await openDialog(tab, "Add group …");
  await tab.page.keyboard.press("Escape");
  await turnTo(tab, "slots");
  await button(tab, "By load").click();
  await openDialog(tab, "Migrate …");
  assertStringIncludes(await tab.text("dialog"), "there is no group yet");
  assertEquals(tab.complaints, []);
}

/** Cells whose content is wider than they are, and labels of a chart's axis that stand twice. */
const MISDRAWN = `[
  ...[...document.querySelectorAll(".list th, .list td")]
    .filter((cell) => cell.scrollWidth > cell.clientWidth + 1)
    .map((cell) => cell.textContent.trim().replace(/\\s+/g, " ")),
  ...[...window.drawn.values()].flatMap((labels) => {
    const texts = labels.filter(({ isLeft }) => isLeft).map(({ text }) => text);
    return texts.filter((text, i) => texts.indexOf(text) !== i);
  }),
]`;

async function drawsNothingTwiceOrOver(place: PagePlace): Promise<void> {
  const { tab, server } = place;
  server.edit = (view) => {
    const groups = structuredClone(view.groups) as unknown as {
      servers: { addr: string; uptime_seconds: number | null; problem: string }[];
    }[];
    const [master, replica] = groups[0]!.servers;
    master!.addr = "redismasterofthegreatcluster.withoutanyhyphen.example.internal:6379";
    replica!.addr = master!.addr.replace("master", "replica");
    replica!.uptime_seconds = 60;
    replica!.problem = `it follows ${replica!.addr}, not the master ${master!.addr}`;
    const migrations = view.migrations.map((task) => ({
      ...task,
      ...{ status: "migrating" as const, keys_moved: 5, note: "slowed down: p99 is 33 ms" },
    }));
    const { history } = view;
    const [ops, sessions] = [history.ops.map((_, i) => i % 2), history.sessions.map(() => 1)];
    return {
      ...view,
      ...{ groups: groups as unknown as ClusterView["groups"], migrations },
      history: { ...history, ops, sessions },
    };
  };
  await tab.page.addInitScript(`
    window.drawn = new Map();
    const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...args) {
      window.drawn.set(this.canvas, []);
      return clearRect.apply(this, args);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, ...args) {
      const isLeft = this.textAlign === "right";
      window.drawn.get(this.canvas)?.push({ text, isLeft });
      return fillText.call(this, text, ...args);
    };
  `);
  const before = tab.page.viewportSize()!;
  try {
    for (const width of [1440, 1260, 1100]) {
      await tab.page.setViewportSize({ width, height: 900 });
      await visit(place, "overview");
      await until(() => tab.ask<boolean>(`[...window.drawn.values()].flat().length > 8`));
      for (const view of ["overview", "groups/1", "proxies", "migrations"]) {
        await turnTo(tab, view);
        assertEquals(await tab.ask(MISDRAWN), [], `${view} at ${width} px`);
      }
      // What is said of a slot is no box that lies over the page.
      assertEquals(
        await tab.ask(`getComputedStyle(document.querySelector(".list .note")).boxShadow`),
        "none",
      );
      await openDialog(tab, "Cancel all …");
      assertStringIncludes(await tab.text("dialog"), "82 slots (99–180) has started");
      assert(
        await tab.ask<boolean>(
          `document.querySelector("dialog .buttons").getBoundingClientRect().bottom < innerHeight`,
        ),
      );
      await tab.page.keyboard.press("Escape");
    }
  } finally {
    await tab.page.setViewportSize(before);
  }
}

const PROMISES: readonly PagePromise[] = [
  ["is loaded from here alone, and shows every view without a complaint", complainsOfNothing],
  ["shows on its overview what the dashboard tells", showsOverview, true],
  ["tells of every slot whose it is and how much it is asked for", showsSlots, true],
  ["lists groups, proxies, migrations and what happened", showsLists, true],
  ["says what is missing where nothing is there yet", showsNothing],
  ["shows each server and each proxy on a page of its own", showsOne, true],
  ["lists all products of the coordinator, and leads to their dashboards", showsProducts],
  ["shows what was out and is, and lets it be chosen", showsOutages, true],
  ["tells of a change under way whom it waits for and why", showsChange],
  ["takes everything from the cluster as text", takesDataAsText, true],
  ["fits a desk, a tablet and a phone", fitsEverywhere, true],
  ["draws nothing over something else, and no label twice", drawsNothingTwiceOrOver, true],
];

Deno.test("the dashboard's page", (t) => tryPromises(t, PROMISES));
