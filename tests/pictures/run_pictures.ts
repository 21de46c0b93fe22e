/**
 * Takes the pictures of the documents: the page of a small cluster that runs and is used, light and dark.
 *
 *     deno task gen:pictures
 *
 * @module
 */

import { type Tab, TestBrowser } from "../support/browser.ts";
import { DashboardProcess } from "../support/dashboard_process.ts";
import { ProxyProcess } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import type { RespClient } from "../support/resp_client.ts";
import { StoreFolder } from "../support/store.ts";

const IMAGES = new URL("../../docs/images", import.meta.url).pathname;
const THEMES = ["light", "dark"] as const;
const GROUPS = 4;
/** Clients of each proxy, and requests that each of them sends at once. */
const CLIENTS = [6, 4, 2];
const BURST = 6;
const PAUSE_MS = 40;
const KEYS = 40_000;
/** So that the charts have something to show, in milliseconds. */
const WARM_UP_MS = 100_000;
const WIDTH = 1_280;
const NARROW_WIDTH = 940;
const SHARPNESS = 1.5;

/** Reads and writes until it is told to stop; some keys far more often than others. */
async function use(client: RespClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const wave = 1 + 0.5 * Math.sin(Date.now() / 9_000);
    for (let i = 0; i < BURST * wave; i++) {
      const key = `user:${Math.floor(KEYS * Math.random() ** 3)}`;
      await (i % 3 === 0 ? client.call("SET", key, "x".repeat(60)) : client.call("GET", key));
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Masters that own all slots, a replica of each, and the dashboard. */
async function makeCluster(folder: StoreFolder, servers: readonly RedisServer[]) {
  const masters = servers.slice(0, GROUPS);
  await folder.openFilled(masters.map(({ addr }) => addr).join(","), "shop");
  const dashboard = await DashboardProcess.start({
    ...{ product: "shop", embedded_dir: folder.dir, failover: "auto" },
  });
  for (const [i, { addr }] of servers.slice(GROUPS).entries()) {
    const response = await fetch(dashboard.url(`/api/server_group/${i + 1}/addServer`), {
      method: "PUT",
      body: JSON.stringify({ addr, type: "slave", group_id: i + 1 }),
    });
    if (!response.ok) throw new Error(await response.text());
    await response.body?.cancel();
  }
  return dashboard;
}

/** Each theme's picture of a part of a view, or of the whole page. */
async function take(tab: Tab, view: string, name: string, part?: string): Promise<void> {
  await tab.ask(`location.hash = "#${view}"`);
  for (const colorScheme of THEMES) {
    await tab.page.emulateMedia({ colorScheme });
    await tab.page.waitForTimeout(1_500);
    const path = `${IMAGES}/${name}_${colorScheme}.png`;
    if (part === undefined) await tab.page.screenshot({ path, fullPage: true });
    else await tab.page.locator(part).screenshot({ path, animations: "disabled" });
    console.log(path);
  }
}

await using folder = await StoreFolder.make();
await using servers = await RedisServer.startMany(2 * GROUPS);
await using dashboard = await makeCluster(folder, servers);
await using proxies = new AsyncDisposableStack();
const stop = new AbortController();
const users: Promise<void>[] = [];
for (const [i, clients] of CLIENTS.entries()) {
  const proxy = proxies.use(
    await ProxyProcess.start({
      config: {
        ...{ product: "shop", embedded_dir: folder.dir, dashboard_addr: dashboard.addr },
        proxy_id: `proxy_${i + 1}`,
      },
    }),
  );
  for (let each = 0; each < clients; each++) users.push(use(await proxy.client(), stop.signal));
}
await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
await using browser = await TestBrowser.start();
await using tab = await browser.open(`${dashboard.url("/admin")}`, SHARPNESS);
await tab.page.setViewportSize({ width: WIDTH, height: 900 });
await tab.page.waitForSelector(".topology svg");
await take(tab, "overview", "dashboard");
// Narrower, so that its words can be read where it is shown in a column of text.
await tab.page.setViewportSize({ width: NARROW_WIDTH, height: 1_200 });
await take(tab, "overview", "topology", ".topology > div");
stop.abort();
await Promise.allSettled(users);
