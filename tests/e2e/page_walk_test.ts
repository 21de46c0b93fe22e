/**
 * The whole life of a cluster by clicks alone: a real dashboard, a real proxy, real Redis servers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type Tab, TestBrowser } from "../support/browser.ts";
import { DashboardServer } from "../support/dashboard_server.ts";
import { until } from "../support/deadline.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { StoreFolder } from "../support/store.ts";

/** One thing that is done on the page. */
interface Step {
  readonly view: string;
  /** The button that opens the dialog; within a part of the page. */
  readonly opens: string;
  readonly within?: string;
  readonly fill?: Readonly<Record<string, string>>;
  readonly confirm: string;
}

async function press(tab: Tab, name: string, within: string): Promise<void> {
  // A plan may still be worked out: until then its button does nothing.
  const state = { name, exact: true, disabled: false };
  const button = tab.page.locator(within).getByRole("button", state);
  await button.first().press("Enter");
}

/** Does one thing, and waits until the dashboard has done it. */
async function take(tab: Tab, { view, opens, within = "main", fill = {}, confirm }: Step) {
  await tab.page.evaluate(`location.hash = "#${view}"`);
  await press(tab, opens, within);
  const dialog = tab.page.locator("dialog[open]");
  await dialog.waitFor();
  for (const [name, value] of Object.entries(fill)) {
    const field = dialog.locator(`[name="${name}"]`);
    if (await field.evaluate((element) => element.tagName) === "SELECT") {
      await field.selectOption(value);
    } else await field.fill(value);
  }
  await press(tab, confirm, "dialog");
  await dialog.waitFor({ state: "detached", timeout: 30_000 });
}

Deno.test("a cluster is made, changed and taken apart by clicks alone", async () => {
  await using folder = await StoreFolder.make();
  await using servers = await RedisServer.startMany(3);
  const [a, b, c] = servers.map(({ addr }) => addr) as [string, string, string];
  await using dashboard = await DashboardServer.start(await folder.open());
  await using browser = await TestBrowser.start();
  await using tab = await browser.open(`http://${dashboard.addr}/admin`);
  const group = async (id: number) => (await dashboard.get(`/api/server_group/${id}`)).json;
  const slots = async () => {
    const { groups } = (await dashboard.get("/api/cluster")).json;
    return Object.fromEntries(
      groups.map(({ id, slots: owned }: { id: number; slots: number }) => [id, owned]),
    );
  };
  const add = (id: number, addr: string, role: string): Step => ({
    view: `groups/${id}`,
    opens: "Add server …",
    within: `.group:has-text("Group ${id}")`,
    fill: { addr, role },
    confirm: "Add server",
  });

  // The first steps are those of the guide on the overview.
  for (const [id, view] of [["1", "overview"], ["2", "groups"]] as const) {
    await take(tab, { view, opens: "Add group …", fill: { id }, confirm: "Add group" });
  }
  await take(tab, add(1, a, "master"));
  await take(tab, add(1, b, "slave"));
  await take(tab, add(2, c, "master"));
  const initialize = {
    opens: "Initialize slots …",
    fill: { product: "test" },
    confirm: "Initialize",
  };
  await take(tab, { view: "overview", ...initialize });
  for (const [from, to, new_group] of [["0", "599", "1"], ["600", "1023", "2"]] as const) {
    const fill = { from, to, new_group, status: "online" };
    await take(tab, { view: "slots", opens: "Set owner …", fill, confirm: "Set owner" });
  }
  assertEquals(await slots(), { 1: 600, 2: 424 });

  await using proxy = await ProxyProcess.start({
    config: { embedded_dir: folder.dir, dashboard_addr: dashboard.addr, proxy_id: "one" },
  });
  using client = await proxy.client();
  for (let i = 0; i < 500; i++) assertEquals(await client.call("SET", `k${i}`, i), "OK");

  await take(tab, { view: "groups/1", opens: "Promote …", confirm: "Promote" });
  assertEquals(
    (await group(1)).servers.map((server: { addr: string; type: string }) =>
      `${server.addr} ${server.type}`
    ).sort(),
    [`${a} slave`, `${b} master`].sort(),
  );
  // Each server and each proxy has a page of its own.
  await tab.page.evaluate(`location.hash = "#proxies/one"`);
  await tab.page.locator(".detail").getByText("SET", { exact: true }).waitFor();
  await tab.page.evaluate(`location.hash = "#groups/${b}"`);
  await tab.page.locator(".detail").getByText("maxmemory-policy").waitFor();
  assertEquals((await dashboard.get(`/api/redis/${b}/detail`)).json.problems, []);
  assertEquals((await dashboard.get("/api/redis/1.2.3.4:5/detail")).json.field, "addr");
  assertEquals((await dashboard.get("/api/proxy/two/detail")).json.field, "id");
  const fill = { from: "0", to: "49", new_group: "2" };
  await take(tab, { view: "migrations", opens: "Migrate slots …", fill, confirm: "Migrate" });
  const isMoved = async (owned: Record<number, number>) => {
    const { migrations } = (await dashboard.get("/api/cluster")).json;
    return migrations.length === 0 && JSON.stringify(await slots()) === JSON.stringify(owned);
  };
  await until(() => isMoved({ 1: 550, 2: 474 }), 30_000);
  await take(tab, { view: "migrations", opens: "Rebalance …", confirm: "Rebalance" });
  await until(() => isMoved({ 1: 512, 2: 512 }), 30_000);
  for (let i = 0; i < 500; i++) assertEquals(await client.call("GET", `k${i}`), `${i}`);

  await take(tab, { view: "proxies", opens: "Take offline …", confirm: "Take offline" });
  assertEquals((await proxy.child.ended).code, 0);
  await until(async () => (await dashboard.get("/api/proxy/list")).text === "[]");
  assertEquals((await dashboard.get("/api/check")).json.problems, []);
  assertEquals(tab.complaints, []);
});
