/**
 * The dashboard's page in a tab, and what a reader does there.
 *
 * @module
 */

import { assertStringIncludes } from "@std/assert";
import { until } from "./deadline.ts";
import { type Tab, TestBrowser } from "./browser.ts";
import { type AskedFor, PageServer } from "./page_server.ts";

/** Where a promise of the page is tried: a server of its own, and a browser with a tab that all use in turn. */
export interface PagePlace {
  readonly browser: TestBrowser;
  readonly tab: Tab;
  readonly server: PageServer;
}

/** Goes to a view in the tab that is there, which is sooner than another one is. */
export async function visit({ tab, server }: PagePlace, view: string): Promise<Tab> {
  tab.complaints.length = 0;
  await tab.page.goto(`${server.url}/admin#${view}`);
  await tab.page.waitForSelector("main h1", { state: "attached" });
  return tab;
}

/** Shows another view of the page that is there. */
export async function turnTo(tab: Tab, view: string): Promise<void> {
  await tab.ask(`location.hash = "#${view}"`);
  await tab.page.waitForSelector(`main .${view.split("/")[0]}`);
}

/** Waits until a part of the page tells all of these words: each card asks for its own, and draws it when it comes. */
export async function untilTold(
  tab: Tab,
  selector: string,
  words: readonly string[],
): Promise<void> {
  let text = "";
  await until(async () => {
    text = await tab.text(selector);
    return words.every((word) => text.includes(word));
  }).catch(() => {});
  for (const word of words) assertStringIncludes(text, word);
}

/** A button by what stands on it; by role it takes far longer where there are hundreds. */
export function button(tab: Tab, name: string, inside = "body") {
  return tab.page.locator(`${inside} button:text-is("${name}")`).first();
}

/** A button of the dialog that is open. */
export function dialogButton(tab: Tab, name: string) {
  return tab.page.locator("dialog").last().locator(`button:text-is("${name}")`);
}

/** The middle of a slot's cell on the screen, with the map 64 cells wide or 32. */
export async function middleOf(tab: Tab, slot: number): Promise<{ x: number; y: number }> {
  const box = (await tab.page.locator(".slot-map").boundingBox())!;
  const [columns, left] = box.width >= 720 ? [64, 38] : [32, 0];
  const cell = (box.width - left) / columns;
  return {
    x: box.x + left + (slot % columns + 0.5) * cell,
    y: box.y + (Math.floor(slot / columns) + 0.5) * cell,
  };
}

/** Opens a dialog by its button; `tbody …`: one of a table. */
export async function openDialog(tab: Tab, opens: string): Promise<void> {
  const inTable = opens.startsWith("tbody ");
  const name = opens.replace("tbody ", "");
  // By key: a click with the pointer waits for things to lie still, which takes its time.
  await button(tab, name, inTable ? "main .group tbody" : "main").press("Enter");
  await tab.page.waitForSelector("dialog[open]");
}

/** Fills in the fields of the dialog, by name. */
export async function fillIn(
  tab: Tab,
  values: Readonly<Record<string, string | boolean>> = {},
): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const field = tab.page.locator(`dialog [name="${name}"]`);
    if (typeof value === "boolean") await field.setChecked(value);
    else if (await field.evaluate((element) => element.tagName) === "SELECT") {
      await field.selectOption(value);
    } else await field.fill(value);
  }
}

/** What was asked for, besides plans that change nothing. */
export function changesAsked(server: PageServer): AskedFor[] {
  return server.takeAsked().filter(({ body }) =>
    (body as { dry_run?: boolean } | null)?.dry_run !== true
  );
}

/** What the page promises: in words, how that is tried, and whether its cluster stands still meanwhile. */
export type PagePromise = readonly [
  words: string,
  keepsIt: (place: PagePlace) => Promise<void>,
  isStill?: boolean,
];

/**
 * Tries all of them, in one tab.
 *
 * @param shown What is left of the cluster to begin with, where it need not be large: it is drawn faster. @default all
 */
export async function tryPromises(
  t: Deno.TestContext,
  promises: readonly PagePromise[],
  shown: PageServer["shown"] = (view) => view,
): Promise<void> {
  await using browser = await TestBrowser.start();
  await using tab = await browser.open("about:blank");
  for (const [words, keepsIt, isStill = false] of promises) {
    await t.step(words, async () => {
      await using server = new PageServer();
      server.isRunning = !isStill;
      server.shown = shown;
      await keepsIt({ browser, tab, server });
      // It must not ask, and complain of no answer, when its server is gone.
      await tab.page.goto("about:blank");
    });
  }
}
