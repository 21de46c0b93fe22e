/**
 * The dashboard's page, in a real browser, in front of a cluster of 64 groups, 32 proxies and 1024
 * slots that changes every second.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ClusterView } from "../../src/api/cluster_view.ts";
import { bytes, millis, short, whole } from "../../src/dashboard/page/format.js";
import { type Tab, TestBrowser } from "../support/browser.ts";
import { until } from "../support/deadline.ts";
import { type AskedFor, PageServer } from "../support/page_server.ts";

const VIEWS = ["overview", "slots", "groups", "proxies", "migrations", "activity"];
/** Until something of the page is to be seen, in milliseconds. */
const PAINT_MS = 1000;
/** The browser's own bound on what a reader does not notice, in milliseconds. */
const LONG_TASK_MS = 50;
/** For how long frames are watched, in milliseconds. */
const WATCH_MS = 1300;
/** A shared machine may be busy with something else once or twice. */
const TRIES = 3;

/** Where a promise is tried: a server of its own, and a browser with a tab that all use in turn. */
interface Place {
  readonly browser: TestBrowser;
  readonly tab: Tab;
  readonly server: PageServer;
}

/** Goes to a view in the tab that is there, which is sooner than another one is. */
async function visit({ tab, server }: Place, view: string): Promise<Tab> {
  tab.complaints.length = 0;
  await tab.page.goto(`${server.url}/admin#${view}`);
  await tab.page.waitForSelector("main h1", { state: "attached" });
  return tab;
}

async function turnTo(tab: Tab, view: string): Promise<void> {
  await tab.ask(`location.hash = "#${view}"`);
  await tab.page.waitForSelector(`main .${view.split("/")[0]}`);
}

/** A button by what stands on it; by role it takes far longer where there are hundreds. */
function button(tab: Tab, name: string, inside = "body") {
  return tab.page.locator(`${inside} button:text-is("${name}")`).first();
}

function dialogButton(tab: Tab, name: string) {
  return tab.page.locator("dialog").last().locator(`button:text-is("${name}")`);
}

async function paintsInTime(place: Place): Promise<void> {
  const tab = await visit(place, "overview");
  const times: number[] = [];
  for (;;) {
    const [entry] = await tab.ask<{ startTime: number }[]>(
      `performance.getEntriesByName("first-contentful-paint").map((each) => each.toJSON())`,
    );
    times.push(entry!.startTime);
    if (times.length === TRIES || times.some((time) => time < PAINT_MS)) break;
    await tab.page.reload();
    await tab.page.waitForSelector(".tile");
  }
  assert(Math.min(...times) < PAINT_MS, `first paint after ${times.join(", ")} ms`);
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

async function showsOverview(place: Place): Promise<void> {
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

/** The middle of a slot's cell on the screen, with the map 64 cells wide or 32. */
async function middleOf(tab: Tab, slot: number): Promise<{ x: number; y: number }> {
  const box = (await tab.page.locator(".slot-map").boundingBox())!;
  const [columns, left] = box.width >= 720 ? [64, 38] : [32, 0];
  const cell = (box.width - left) / columns;
  return {
    x: box.x + left + (slot % columns + 0.5) * cell,
    y: box.y + (Math.floor(slot / columns) + 0.5) * cell,
  };
}

async function pointAt(tab: Tab, slot: number): Promise<void> {
  const { x, y } = await middleOf(tab, slot);
  await tab.page.mouse.move(x, y);
  await until(async () => (await tab.text(".told")).startsWith(`Slot ${slot} `));
}

async function showsSlots(place: Place): Promise<void> {
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

async function showsLists(place: Place): Promise<void> {
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

async function showsOne(place: Place): Promise<void> {
  const tab = await visit(place, "groups/1");
  await tab.page.getByRole("link", { name: "10.0.1.1:6379" }).press("Enter");
  await tab.page.waitForSelector(".detail .plain");
  const server = await tab.text(".detail");
  for (const word of ["master of group 1", "CONFIG GET", "KEYS user:*", "2 of 30 connections"]) {
    assertStringIncludes(server, word);
  }
  await tab.page.locator('[aria-label="Find in Settings"]').fill("pass");
  await tab.page.getByText("1 of 2 lines").waitFor();
  await turnTo(tab, "proxies");
  await tab.page.getByRole("link", { name: "proxy_1", exact: true }).press("Enter");
  await tab.page.waitForSelector(".detail .audit ol");
  const proxy = await tab.text(".detail");
  for (const word of ["10.1.0.1:19000", "10.0.1.1:6379", "codis-proxy proxy -c", "GET user:1"]) {
    assertStringIncludes(proxy, word);
  }
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
  const config = tab.page.locator('.card:has(> [aria-label="Configuration"])');
  for (
    const word of [
      ...["/etc/codis/config.ini", "not reloaded", 'by SIGHUP: max_clients = "x"', "2 of 3 keys"],
      ...["5000", "default 10000", "config.ini:12", "tcp4 after a restart, config.ini:9"],
    ]
  ) {
    assertStringIncludes(await config.innerText(), word);
  }
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

async function showsProducts(place: Place): Promise<void> {
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

async function showsOutages(place: Place): Promise<void> {
  place.server.edit = (view) => ({ ...view, open_outages: place.server.events.open ?? [] });
  const tab = await visit(place, "activity");
  // The tab says it, too, to whoever looks and to whoever listens.
  assertEquals(await tab.ask("document.title"), "(1) shop · Codis");
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

async function showsChange(place: Place): Promise<void> {
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

/** What a user does, and what must have been asked for then. */
interface Case {
  readonly view: string;
  /** The button that opens the dialog. */
  readonly opens: string;
  readonly fill?: Readonly<Record<string, string | boolean>>;
  /** Words that the dialog must say. */
  readonly says: string;
  readonly confirm: string;
  readonly asks: AskedFor;
}

const OK_BODY = null;
const CASES: readonly Case[] = [
  {
    view: "groups",
    opens: "Add group …",
    fill: { id: "70" },
    says: "Group 70 is created without servers",
    confirm: "Add group",
    asks: { method: "PUT", path: "/api/server_groups", body: { id: 70 } },
  },
  {
    view: "groups/1",
    opens: "Remove …",
    says: "Group 1 and its 2 servers are removed",
    confirm: "Remove group",
    asks: { method: "DELETE", path: "/api/server_group/1", body: OK_BODY },
  },
  {
    view: "groups/1",
    opens: "Drain …",
    says: "group 1 → group 64: 4 slots (0–3)",
    confirm: "Drain",
    asks: { method: "POST", path: "/api/server_group/1/drain", body: { delay: 0 } },
  },
  {
    view: "groups/1",
    opens: "Add server …",
    fill: { addr: "10.0.1.9:6379", role: "slave" },
    says: "10.0.1.9:6379 becomes a replica of 10.0.1.1:6379 and gets a copy of its data",
    confirm: "Add server",
    asks: {
      method: "PUT",
      path: "/api/server_group/1/addServer",
      body: { type: "slave", group_id: 1, addr: "10.0.1.9:6379" },
    },
  },
  {
    view: "groups/1",
    opens: "Zone …",
    fill: { zone: "east" },
    says: "prefer 10.0.1.1:6379 when it is in their zone",
    confirm: "Set zone",
    asks: {
      method: "PUT",
      path: "/api/server_group/1/zone",
      body: { addr: "10.0.1.1:6379", zone: "east" },
    },
  },
  {
    view: "groups/1",
    opens: "tbody Remove …",
    says: "10.0.1.2:6379 is removed from group 1",
    confirm: "Remove server",
    asks: {
      method: "PUT",
      path: "/api/server_group/1/removeServer",
      body: { addr: "10.0.1.2:6379" },
    },
  },
  {
    view: "groups/1",
    opens: "Promote …",
    says: "10.0.1.2:6379 becomes the master of group 1 instead of 10.0.1.1:6379",
    confirm: "Promote",
    asks: {
      method: "POST",
      path: "/api/server_group/1/promote",
      body: { addr: "10.0.1.2:6379", group_id: 1 },
    },
  },
  {
    view: "slots",
    opens: "Set owner …",
    fill: { from: "3", to: "9", new_group: "2", status: "offline" },
    says: "Group 2 then owns slots 3–9, but offline",
    confirm: "Set owner",
    asks: {
      method: "POST",
      path: "/api/slot",
      body: { from: 3, to: 9, new_group: 2, status: "offline" },
    },
  },
  {
    view: "slots",
    opens: "Initialize …",
    fill: { product: "shop" },
    says: "This is refused if slots exist",
    confirm: "Initialize",
    asks: { method: "POST", path: "/api/slots/init", body: OK_BODY },
  },
  {
    view: "slots",
    opens: "Initialize …",
    fill: { is_force: true, product: "shop" },
    says: "Requests for the 1\u202f024 slots in use",
    confirm: "Initialize",
    asks: { method: "POST", path: "/api/slots/init?is_force=1", body: OK_BODY },
  },
  {
    view: "migrations",
    opens: "Migrate slots …",
    fill: { from: "16", to: "40", new_group: "9", delay: "5" },
    says: "The owner now: group 2 (16 slots) and group 3 (9 slots)",
    confirm: "Migrate",
    asks: {
      method: "POST",
      path: "/api/migrate",
      body: { from: 16, to: 40, new_group: 9, delay: 5 },
    },
  },
  {
    view: "migrations",
    opens: "Rebalance …",
    fill: { by: "memory", delay: "20" },
    says: "group 1 → group 64: 4 slots (0–3)",
    confirm: "Rebalance",
    asks: { method: "POST", path: "/api/rebalance", body: { delay: 20, by: "memory" } },
  },
  {
    view: "migrations",
    opens: "Cancel …",
    says: "Slot 99 moves back to group 7",
    confirm: "Cancel migration",
    asks: { method: "DELETE", path: "/api/migrate/tasks/0000000099", body: OK_BODY },
  },
  {
    view: "migrations",
    opens: "Rebalance …",
    fill: { by: "ops" },
    says: "group 1: 12.0k requests/s now, 7 000 after".replace(" 000", "\u202f000"),
    confirm: "Rebalance",
    asks: { method: "POST", path: "/api/rebalance", body: { delay: 0, by: "ops" } },
  },
  {
    view: "migrations",
    opens: "Pause …",
    says: "Migrations stop until you resume them",
    confirm: "Pause",
    asks: { method: "POST", path: "/api/migrate/pause", body: OK_BODY },
  },
  {
    view: "migrations",
    opens: "Cancel …",
    fill: { mode: "back" },
    says: "Slot 99 moves back to group 7",
    confirm: "Cancel migration",
    asks: { method: "DELETE", path: "/api/migrate/tasks/0000000099", body: { mode: "back" } },
  },
  {
    view: "migrations",
    opens: "Cancel all …",
    fill: { mode: "finish" },
    says: "The migration of 2 slots (99–100) has started: the other keys move, too.",
    confirm: "Cancel all",
    asks: { method: "POST", path: "/api/migrate/cancel", body: { mode: "finish" } },
  },
  {
    view: "migrations",
    opens: "Cancel all …",
    says: "80 waiting slots stay where they are",
    confirm: "Cancel all",
    asks: { method: "POST", path: "/api/migrate/cancel", body: OK_BODY },
  },
  {
    view: "proxies",
    opens: "Take offline …",
    says: "proxy_1 answers the requests that it has received",
    confirm: "Take offline",
    asks: { method: "POST", path: "/api/proxy", body: { id: "proxy_1", state: "mark_offline" } },
  },
  {
    view: "proxies",
    opens: "Set online …",
    says: "proxy_31 loads the slot table",
    confirm: "Set online",
    asks: { method: "POST", path: "/api/proxy", body: { id: "proxy_31", state: "online" } },
  },
  {
    view: "activity",
    opens: "Remove fences …",
    says: "Do this only when you know that these processes do not run",
    confirm: "Remove fences",
    asks: { method: "POST", path: "/api/remove_fence", body: OK_BODY },
  },
  {
    view: "activity",
    opens: "Remove locks …",
    says: "Do this only when no change is running",
    confirm: "Remove locks",
    asks: { method: "POST", path: "/api/force_remove_locks", body: OK_BODY },
  },
  {
    view: "activity",
    opens: "Delete old actions …",
    fill: { by: "secs", amount: "3600" },
    says: "Actions older than 3600 seconds are deleted",
    confirm: "Delete",
    asks: { method: "POST", path: "/api/action/gc?secs=3600", body: OK_BODY },
  },
];

async function openDialog(tab: Tab, opens: string): Promise<void> {
  const inTable = opens.startsWith("tbody ");
  const name = opens.replace("tbody ", "");
  // By key: a click with the pointer waits for things to lie still, which takes its time.
  await button(tab, name, inTable ? "main .group tbody" : "main").press("Enter");
  await tab.page.waitForSelector("dialog[open]");
}

async function fillIn(tab: Tab, values: Case["fill"] = {}): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const field = tab.page.locator(`dialog [name="${name}"]`);
    if (typeof value === "boolean") await field.setChecked(value);
    else if (await field.evaluate((element) => element.tagName) === "SELECT") {
      await field.selectOption(value);
    } else await field.fill(value);
  }
}

/** What was asked for, besides plans that change nothing. */
function changesAsked(server: PageServer): AskedFor[] {
  return server.takeAsked().filter(({ body }) =>
    (body as { dry_run?: boolean } | null)?.dry_run !== true
  );
}

async function asksFirst(place: Place): Promise<void> {
  const tab = await visit(place, "overview");
  for (const [i, { view, opens, fill, says, confirm, asks }] of CASES.entries()) {
    await turnTo(tab, view);
    await openDialog(tab, opens);
    const dialog = tab.page.locator("dialog");
    // By button and by key in turns.
    if (i % 2 === 0) await dialogButton(tab, "Cancel").press("Enter");
    else await tab.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assertEquals(changesAsked(place.server), [], `${opens}, cancelled`);

    await openDialog(tab, opens);
    await fillIn(tab, fill);
    await dialog.getByText(says).waitFor();
    await dialogButton(tab, confirm).press("Enter");
    await dialog.waitFor({ state: "detached" });
    assertEquals(changesAsked(place.server), [asks], opens);
  }
  assertEquals(tab.complaints, []);
}

async function tellsRefusals(place: Place): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "groups");
  await openDialog(tab, "Add group …");
  await fillIn(tab, { id: "-1" });
  assertStringIncludes(await tab.text("dialog"), 'Number: "-1" is not a whole number from 0');
  assert(await dialogButton(tab, "Add group").isDisabled());
  await fillIn(tab, { id: "7" });
  for (
    const [answer, told] of [
      [{ status: 500, body: "group already exists" }, "group already exists"],
      [
        {
          status: 400,
          body: { error: "id 7 is wrong", field: "id", rule: "a whole number from 1" },
        },
        "id 7 is wrong (id: a whole number from 1)",
      ],
      [
        { status: 503, body: { error: "this dashboard stands by", leader: "10.1.0.7:18087" } },
        "this dashboard stands by Go to 10.1.0.7:18087",
      ],
      [{ status: 200, body: "<html>" }, "not an answer of a dashboard: <html>"],
    ] as const
  ) {
    server.answers.push(answer);
    await dialogButton(tab, "Add group").click();
    await tab.page.locator("dialog .problem").getByText(told.split(" Go to")[0]!).waitFor();
    assertStringIncludes((await tab.text("dialog")).replace(/\s+/g, " "), told);
  }
  assertEquals(
    await tab.page.getByRole("link", { name: "Go to" }).count(),
    0,
    "the leader of an earlier answer is no longer named",
  );
  server.isDown = true;
  await dialogButton(tab, "Add group").click();
  await tab.page.getByText("It may have made the change").waitFor();
  server.isDown = false;
  server.takeAsked();
  await dialogButton(tab, "Add group").click();
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  assertStringIncludes(await tab.text(".toasts"), "Group 7 was added.");
  assertEquals(server.takeAsked().length, 1);
}

async function forcesPromotion(place: Place): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "groups/1");
  await openDialog(tab, "Promote …");
  assertEquals(await tab.page.locator('dialog [name="force"]').count(), 0);
  server.answers.push({ status: 500, body: "10.0.1.2:6379 is 9 bytes behind" });
  await dialogButton(tab, "Promote").click();
  await tab.page.getByText("10.0.1.2:6379 is 9 bytes behind").waitFor();
  server.takeAsked();
  await fillIn(tab, { force: true });
  await dialogButton(tab, "Promote").click();
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  assertEquals(server.takeAsked(), [{
    method: "POST",
    path: "/api/server_group/1/promote",
    body: { addr: "10.0.1.2:6379", group_id: 1, force: true },
  }]);
}

async function logsIn(place: Place): Promise<void> {
  const { server } = place;
  server.token = "open sesame".replace(" ", "-");
  server.addresses.length = 0;
  const tab = await visit(place, "groups");
  // What is asked for before the token is there is asked again after it.
  await openDialog(tab, "Add group …");
  await tab.page.locator('dialog [name="token"]').fill("wrong");
  await dialogButton(tab, "Log in").click();
  await tab.page.getByText("the token is missing or wrong").waitFor();
  await tab.page.locator('dialog [name="token"]').fill(server.token);
  await dialogButton(tab, "Log in").click();
  await dialogButton(tab, "Add group").click();
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  assertEquals(changesAsked(server).length, 1);
  // It stays while the tab is loaded again, and is kept nowhere else.
  await tab.page.reload();
  await tab.page.locator(".menu summary").getByText("dashboard_token").waitFor();
  assertEquals(await tab.ask("[sessionStorage.length, localStorage.length]"), [1, 0]);
  // A token that has become wrong is asked for again, and the change is made then.
  await openDialog(tab, "Add group …");
  server.token = "another";
  await dialogButton(tab, "Add group").click();
  await tab.page.locator('dialog [name="token"]').fill("another");
  await dialogButton(tab, "Log in").click();
  await tab.page.getByText("Group 65 was added.").waitFor();
  assertEquals(changesAsked(server).length, 1);
  await tab.page.locator(".menu summary").click();
  await button(tab, "Log out").click();
  await button(tab, "Log in").waitFor();
  assertEquals(await tab.ask("sessionStorage.length"), 0);
  // From another machine even what there is to see needs it.
  server.isTokenForReading = true;
  await tab.page.reload();
  await button(tab, "Log in").click();
  await tab.page.locator('dialog [name="token"]').fill("another");
  await dialogButton(tab, "Log in").click();
  await button(tab, "Add group …").waitFor();
  const told = server.addresses.filter((address) => /sesame|another|wrong/.test(address));
  assertEquals(told, []);
}

async function choosesSlots(place: Place): Promise<void> {
  const tab = await visit(place, "slots");
  const from = await middleOf(tab, 130);
  const to = await middleOf(tab, 200);
  await tab.page.mouse.move(from.x, from.y);
  await tab.page.mouse.down();
  await tab.page.mouse.move(to.x, to.y, { steps: 3 });
  await tab.page.mouse.up();
  await tab.page.mouse.move(0, 0);
  await tab.page.locator(".told").getByText("Selected: slots 130–200").waitFor();
  const last = await middleOf(tab, 260);
  await tab.page.keyboard.down("Shift");
  await tab.page.mouse.click(last.x, last.y);
  await tab.page.keyboard.up("Shift");
  await openDialog(tab, "Migrate …");
  assertEquals(await tab.page.locator('dialog [name="from"]').inputValue(), "130");
  assertEquals(await tab.page.locator('dialog [name="to"]').inputValue(), "260");
  await tab.page.keyboard.press("Escape");
  // What had the focus has it again.
  assertEquals(await tab.ask("document.activeElement.innerText"), "Migrate …");
  // The same without a pointer.
  await tab.page.locator(".slot-map").focus();
  await tab.page.keyboard.press("Home");
  await tab.page.keyboard.press("ArrowRight");
  for (let i = 0; i < 3; i++) await tab.page.keyboard.press("Shift+ArrowRight");
  await openDialog(tab, "Set owner …");
  assertEquals(await tab.page.locator('dialog [name="from"]').inputValue(), "1");
  assertEquals(await tab.page.locator('dialog [name="to"]').inputValue(), "4");
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

async function takesDataAsText(place: Place): Promise<void> {
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

async function fitsEverywhere(place: Place): Promise<void> {
  place.server.productCount = 12;
  const tab = await visit(place, "overview");
  for (const width of [375, 1280]) {
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

async function staysSmooth(place: Place): Promise<void> {
  const tab = await visit(place, "overview");
  for (const view of ["overview", "slots", "groups"]) {
    await turnTo(tab, view);
    if (view === "slots") await button(tab, "By load").click();
    await tab.page.waitForTimeout(300);
    const heightBefore = await tab.ask("document.querySelector('main').offsetHeight");
    const worst: number[] = [];
    while (worst.length < TRIES && !worst.some((ms) => ms <= LONG_TASK_MS)) {
      worst.push(
        await tab.ask<number>(`new Promise((resolve) => {
          let longest = 0;
          const watch = new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
          });
          watch.observe({ type: "longtask" });
          setTimeout(() => { watch.disconnect(); resolve(longest); }, ${WATCH_MS});
        })`),
      );
    }
    assert(Math.min(...worst) <= LONG_TASK_MS, `${view}: tasks of ${worst.join(", ")} ms`);
    assertEquals(
      await tab.ask("document.querySelector('main').offsetHeight"),
      heightBefore,
      `${view} changes its height`,
    );
  }
}

async function outlivesTheDashboard(place: Place): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "overview");
  const shown = await tab.text(".tiles");
  server.isDown = true;
  await tab.page.getByText("No data from the dashboard").waitFor();
  assertEquals(await tab.text(".tiles"), shown);
  await tab.page.waitForSelector("main.stale");
  assertEquals(
    await tab.ask("getComputedStyle(document.querySelector('main')).filter"),
    "grayscale(1)",
  );
  server.isDown = false;
  server.refusal = { status: 503, body: { error: "stands by", leader: "10.1.0.7:18087" } };
  await tab.page.getByRole("link", { name: "Go to 10.1.0.7:18087" }).waitFor();
  server.refusal = null;
  await tab.page.waitForSelector("main:not(.stale)");
  // Nothing at all is known yet: it says so instead of being empty.
  server.isDown = true;
  await tab.page.reload();
  await tab.page.getByText("No data from the dashboard").waitFor();
  assertEquals(await tab.text("main"), "");
}

async function hasTwoThemes(place: Place): Promise<void> {
  const tab = await visit(place, "overview");
  const becomes = async (theme: "dark" | "light") => {
    await until(async () => {
      const colour = await tab.ask<string>("getComputedStyle(document.body).backgroundColor");
      const sum = [...colour.matchAll(/\d+/g)].reduce((total, [part]) => total + Number(part), 0);
      return theme === "dark" ? sum < 200 : sum > 600;
    });
  };
  await becomes("light");
  await tab.page.emulateMedia({ colorScheme: "dark" });
  await becomes("dark");
  await tab.page.getByRole("button", { name: "Switch to light colours" }).click();
  await becomes("light");
  await tab.page.reload();
  await tab.page.getByRole("button", { name: "Switch to dark colours" }).waitFor();
  await becomes("light");
  await tab.page.emulateMedia({ colorScheme: "light" });
}

async function showsWhatStopsEverything(place: Place): Promise<void> {
  const { server } = place;
  server.edit = (view) => ({ ...view, dead_fences: ["10.1.0.31:19000"] });
  const tab = await visit(place, "overview");
  assertStringIncludes(await tab.text(".status"), "The cluster cannot be changed");
  assertStringIncludes(await tab.text(".alarm"), "10.1.0.31:19000");
  assertStringIncludes(await tab.text(".alarm"), "Start the proxy again at its address");
  await tab.page.locator(".alarm button").click();
  await dialogButton(tab, "Remove fences").click();
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  assertEquals(server.takeAsked(), [{ method: "POST", path: "/api/remove_fence", body: null }]);
  server.edit = (view) => view;
  await tab.page.locator(".alarm").waitFor({ state: "detached" });
}

async function showsNothing(place: Place): Promise<void> {
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

async function drawsNothingTwiceOrOver(place: Place): Promise<void> {
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

const PROMISES: readonly (readonly [string, (place: Place) => Promise<void>, isStill?: boolean])[] =
  [
    ["is painted within a second, from here alone, and without a complaint", paintsInTime],
    ["shows on its overview what the dashboard tells", showsOverview, true],
    ["tells of every slot whose it is and how much it is asked for", showsSlots, true],
    ["lists groups, proxies, migrations and what happened", showsLists, true],
    ["says what is missing where nothing is there yet", showsNothing],
    ["shows each server and each proxy on a page of its own", showsOne, true],
    ["lists all products of the coordinator, and leads to their dashboards", showsProducts],
    ["shows what was out and is, and lets it be chosen", showsOutages, true],
    ["tells of a change under way whom it waits for and why", showsChange],
    ["explains dead fences and removes them", showsWhatStopsEverything],
    ["asks before it does anything, and then does exactly that", asksFirst],
    ["tells refusals in the dashboard's own words", tellsRefusals],
    ["offers to force a promotion only once it was refused", forcesPromotion],
    ["asks for the token where it is needed, and keeps it out of addresses", logsIn],
    ["lets slots be chosen with pointer and keys", choosesSlots],
    ["takes everything from the cluster as text", takesDataAsText],
    ["fits a desk and a phone", fitsEverywhere],
    ["draws nothing over something else, and no label twice", drawsNothingTwiceOrOver],
    ["stays smooth and still while it is kept up to date", staysSmooth],
    ["keeps what it knew while the dashboard is out of reach", outlivesTheDashboard, true],
    ["is dark or light as the system or the reader wants", hasTwoThemes],
  ];

Deno.test("the dashboard's page", async (t) => {
  await using browser = await TestBrowser.start();
  await using tab = await browser.open("about:blank");
  for (const [promise, keepsIt, isStill = false] of PROMISES) {
    await t.step(promise, async () => {
      await using server = new PageServer();
      server.isRunning = !isStill;
      await keepsIt({ browser, tab, server });
      // It must not ask, and complain of no answer, when its server is gone.
      await tab.page.goto("about:blank");
    });
  }
});
