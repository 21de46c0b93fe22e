/**
 * axe-core's rules on every view of the page, its dialogs and its login: light and dark, wide and as on a phone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import axe from "axe-core" with { type: "text" };
import { type Tab, TestBrowser } from "../support/browser.ts";
import { PageServer } from "../support/page_server.ts";

/** A view, and a button there whose dialog is looked at, too. */
const VIEWS: readonly (readonly [view: string, opens?: string])[] = [
  ["overview"],
  ["slots", "Set owner …"],
  ["groups", "Add group …"],
  ["groups/1", "Add server …"],
  ["groups/10.0.1.1:6379"],
  ["proxies", "Take offline …"],
  ["proxies/proxy_1"],
  ["migrations", "Rebalance …"],
  ["activity", "Remove locks …"],
  ["access", "Add user …"],
  ["products"],
];
/** All rules once; what else colours and room can break is tried again in the other way. */
const WAYS = [
  { colorScheme: "light", width: 390, rules: null },
  {
    colorScheme: "dark",
    width: 1280,
    rules: ["color-contrast", "link-in-text-block", "scrollable-region-focusable"],
  },
] as const;

/** What axe finds in a part of what is shown now, a line each. */
async function findings(
  tab: Tab,
  rules: readonly string[] | null,
  part: string,
): Promise<string[]> {
  const options = {
    resultTypes: ["violations"],
    ...rules === null ? {} : { runOnly: { type: "rule", values: rules } },
  };
  return await tab.ask(`axe.run(${part}, ${JSON.stringify(options)}).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
      id + " " + target.join(" ") + ": " + failureSummary.split("\\n").slice(1).join(" ").trim())))`);
}

Deno.test("axe finds nothing in any view, light or dark, wide or as on a phone", async () => {
  await using server = new PageServer();
  server.isRunning = false;
  server.productCount = 6;
  // The first groups and proxies have all that is to be seen of one; 64 of them only take longer.
  server.edit = (view) => ({
    ...view,
    groups: [...view.groups.slice(0, 4), ...view.groups.slice(22, 23)],
    proxies: [
      ...view.proxies.slice(0, 3),
      ...view.proxies.slice(18, 19),
      ...view.proxies.slice(25),
    ],
    migrations: view.migrations.slice(0, 5),
    open_outages: server.events.open ?? [],
  });
  await using browser = await TestBrowser.start();
  await using tab = await browser.open(`${server.url}/admin`);
  await tab.page.waitForSelector("main h1", { state: "attached" });
  await tab.page.evaluate(axe);
  const found: string[] = [];
  const look = async (name: string, rules: readonly string[] | null = null, part = "document") => {
    for (const each of await findings(tab, rules, part)) found.push(`${name}: ${each}`);
  };
  for (const { colorScheme, width, rules } of WAYS) {
    const way = `${colorScheme}, ${width} px`;
    await tab.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await tab.page.setViewportSize({ width, height: 900 });
    for (const [view, opens] of VIEWS) {
      await tab.ask(`location.hash = "#${view}"`);
      await tab.page.waitForSelector(
        `main .${view.split("/")[0]}${
          view.includes(":") || view.includes("proxies/") ? " .plain" : ""
        }`,
      );
      await look(`${view}, ${way}`, rules);
      found.push(...tab.complaints.splice(0));
      if (opens === undefined) continue;
      await tab.page.locator(`main button:text-is("${opens}")`).first().press("Enter");
      await tab.page.locator("dialog[open]").waitFor();
      // What is behind it was looked at.
      await look(`${opens} of ${view}, ${way}`, rules, `"dialog[open]"`);
      await tab.page.keyboard.press("Escape");
      await tab.page.locator("dialog[open]").waitFor({ state: "detached" });
    }
  }
  server.edit = (view) => ({ ...view, groups: [], proxies: [], migrations: [] });
  await tab.ask(`location.hash = "#overview"`);
  await tab.page.waitForSelector(".guide");
  await look("guide");
  server.token = "secret";
  server.isTokenForReading = true;
  await tab.page.waitForSelector("main.stale");
  await look("stale");
  await tab.page.locator('header button:text-is("Log in")').press("Enter");
  await tab.page.locator("dialog[open]").waitFor();
  await look("token");
  await tab.page.keyboard.press("Escape");
  server.token = null;
  server.refusal = { status: 401, body: { error: "log in", has_users: true } };
  await tab.page.waitForSelector(".login");
  await look("login");
  assertEquals(found, []);
});
