/**
 * Users of the page, in a real browser, at a real dashboard: they log in and out, see what their role
 * may do, and what they did.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { loadRedisUsers } from "../../src/store/redis_users.ts";
import { type Tab, TestBrowser } from "../support/browser.ts";
import { DashboardServer } from "../support/dashboard_server.ts";
import { until } from "../support/deadline.ts";
import { StoreFolder } from "../support/store.ts";

const VIEWS = ["overview", "slots", "groups", "proxies", "migrations", "activity"];
const PASSWORD = "correct horse";
/** What Redis keeps of "of the app". */
const APP_PASSWORD = createHash("sha256").update("of the app").digest("hex");

/** Presses a button by key. */
async function press(tab: Tab, name: string, within = "body"): Promise<void> {
  const state = { name, exact: true, disabled: false };
  await tab.page.locator(within).getByRole("button", state).first().press("Enter");
}

async function turnTo(tab: Tab, view: string): Promise<void> {
  await tab.ask(`location.hash = "#${view}"`);
  await tab.page.waitForSelector(`main .${view}`);
}

/** Opens a dialog, fills it in and carries it out. */
async function take(tab: Tab, opens: string, fill: Record<string, string>, confirm: string) {
  await press(tab, opens, "header, main");
  const dialog = tab.page.locator("dialog[open]");
  await dialog.waitFor();
  for (const [name, value] of Object.entries(fill)) {
    const field = dialog.locator(`[name="${name}"]`);
    if (name === "role") await field.selectOption(value);
    else if (value === "on") await field.check();
    else await field.fill(value);
  }
  await press(tab, confirm, "dialog");
  await dialog.locator(".fields").waitFor({ state: "detached" });
}

async function logIn(tab: Tab, user: string, password: string): Promise<void> {
  await tab.page.locator('.login [name="user"]').fill(user);
  await tab.page.locator('.login [name="password"]').fill(password);
  await tab.page.keyboard.press("Enter");
}

/** The buttons of the views that change something. */
async function changingButtons(tab: Tab): Promise<string[]> {
  const names: string[] = [];
  for (const view of VIEWS) {
    await turnTo(tab, view);
    names.push(...await tab.page.locator("main button").allInnerTexts());
  }
  return names.filter((name) => name.endsWith("…"));
}

/** What the browser says of refused requests; they are what is tested. */
function unexpected(tab: Tab): string[] {
  return tab.complaints.filter((text) => !/status of (401|429)/.test(text));
}

Deno.test("users log in with their roles, and the page says who did what", async () => {
  await using folder = await StoreFolder.make();
  await using dashboard = await DashboardServer.start(await folder.open());
  await using browser = await TestBrowser.start();
  await using tab = await browser.open(`http://${dashboard.addr}/admin#access`);

  // Whoever makes the first user is asked to log in from then on.
  await tab.page.getByText("Nobody has to log in").waitFor();
  const passwords = { password: PASSWORD, again: PASSWORD };
  await take(tab, "Add user …", { name: "root", role: "admin", ...passwords }, "Add user");
  await tab.page.getByText("Log in to see this cluster.").waitFor();
  await logIn(tab, "root", "wrong password");
  await tab.page.getByText("the user or the password is wrong").waitFor();
  // Whoever has no pointer tries again where he was, and is at the content then.
  await tab.page.locator('.login [name="password"]:focus').waitFor();
  await logIn(tab, "root", PASSWORD);
  await tab.page.locator(".menu summary").getByText("root").waitFor();
  await tab.page.locator("#main:focus").waitFor();
  const cookies = await tab.page.context().cookies();
  assertEquals(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite]), [[true, "Strict"]]);
  assertEquals(await tab.ask("[document.cookie, sessionStorage.length]"), ["", 0]);

  await take(tab, "Add user …", { name: "eve", role: "viewer", ...passwords }, "Add user");
  await tab.page.locator(".access").getByText("eve").waitFor();
  await take(tab, "Add user …", { name: "olga", role: "operator", ...passwords }, "Add user");
  await take(tab, "Make token …", { name: "ci", role: "viewer", days: "30" }, "Make token");
  const token = await tab.page.locator('dialog [name="shown"]').inputValue();
  assert(token.startsWith("codis_"));
  await press(tab, "Close", "dialog");
  const asked = await dashboard.ask("GET", "/api/slots", undefined, {
    authorization: `Bearer ${token}`,
  });
  assertEquals(asked.status, 200);
  await turnTo(tab, "groups");
  await take(tab, "Add group …", { id: "1" }, "Add group");
  await tab.page.getByText("Group 1", { exact: true }).waitFor();

  // A viewer, beside it, in a tab with cookies of its own.
  await using other = await browser.open(`http://${dashboard.addr}/admin`);
  await logIn(other, "eve", PASSWORD);
  await other.page.locator(".menu summary").getByText("eve").waitFor();
  assertEquals(await changingButtons(other), []);
  assertEquals(await other.page.locator('.tabs a[href="#access"]').count(), 0);
  await turnTo(other, "activity");
  const audit = other.page.locator(".audit");
  await audit.getByText("PUT /api/server_groups").waitFor();
  assertStringIncludes(await audit.innerText(), "root PUT /api/server_groups id=1");
  await audit.getByRole("button", { name: "Refused" }).click();
  await audit.getByText("the user or the password is wrong").waitFor();
  await until(async () => !(await audit.innerText()).includes("id=1"));

  // The role is in force at once; the session ends, and nothing is lost but the login.
  await turnTo(tab, "access");
  await press(tab, "Change …", 'tr:has-text("eve")');
  await tab.page.locator('dialog [name="role"]').selectOption("operator");
  await press(tab, "Change", "dialog");
  const ended = other.page.getByText("Your session has ended.");
  await ended.waitFor();
  // The cookie is gone now, and it is still said.
  for (let i = 0; i < 2; i++) await other.page.waitForResponse("**/api/cluster");
  assert(await ended.isVisible());
  await logIn(other, "eve", PASSWORD);
  await other.page.locator(".menu summary").getByText("eve").waitFor();
  const buttons = await changingButtons(other);
  assert(buttons.includes("Migrate …") && buttons.includes("Add server …"), buttons.join());
  for (const name of ["Remove …", "Remove locks …", "Initialize …"]) {
    assert(!buttons.includes(name), name);
  }
  // The answer to a question from before the change comes last: it does not show the login again.
  const late = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  await other.page.route("**/api/cluster", async (route) => {
    held.resolve();
    await late.promise;
    const json = { error: "the session has ended: log in again", has_users: true };
    await route.fulfill({ status: 401, json }).catch(() => {}); // the page has given it up
  }, { times: 1 });
  await held.promise;
  await other.page.locator(".menu summary").press("Enter");
  const renewed = { old_password: PASSWORD, password: "a new password", again: "a new password" };
  await take(other, "Change password …", renewed, "Change");
  await other.page.getByText("Your password was changed.").waitFor();
  late.resolve();
  for (let i = 0; i < 2; i++) await other.page.waitForResponse("**/api/cluster");
  assert(await other.ask(`document.querySelector(".menu")?.open === true`));
  await press(other, "Log out");
  await other.page.getByText("Log in to see this cluster.").waitFor();
  await other.page.locator('.login [name="user"]:focus').waitFor();
  assertEquals(await other.page.context().cookies(), []);
  // With a token instead.
  await press(other, "Use a token");
  await other.page.locator('[name="token"]').fill(token);
  await press(other, "Log in", ".login");
  await other.page.locator(".menu summary").getByText("token ci").waitFor();

  // Users of Redis clients are others: nobody logs in here as one of them.
  const redis = tab.page.locator(".redis-users");
  const rules = "~app:* &* +@all -@dangerous (%R~shared:* +get)";
  const app = { name: "app", password: "of the app", rules };
  await take(tab, "Add Redis user …", app, "Add Redis user");
  await redis.getByText("1 password").waitFor();
  await press(tab, "Change …", ".redis-users");
  const dialog = tab.page.locator("dialog[open]");
  assertEquals(
    await dialog.locator('[name="rules"]').inputValue(),
    "~app:* &* +@all -@dangerous (%R~shared:* resetchannels -@all +get)",
  );
  await dialog.locator('[name="rules"]').fill("~app:* +@read");
  await press(tab, "Change", "dialog");
  await redis.getByText("~app:* resetchannels -@all +@read").waitFor();
  await press(tab, "Limits …", ".redis-users");
  await dialog.locator('[name="requests"]').fill("500");
  await press(tab, "Limit", "dialog");
  await redis.getByText("500 requests/s").waitFor();
  const [stored] = await loadRedisUsers(await folder.open());
  assertEquals(
    stored!.rules,
    `on sanitize-payload #${APP_PASSWORD} ~app:* resetchannels -@all +@read`,
  );

  // On a phone nothing is cut off.
  await tab.page.setViewportSize({ width: 390, height: 800 });
  for (const view of [...VIEWS, "access"]) {
    await turnTo(tab, view);
    const [needed, given] = await tab.ask<[number, number]>(
      "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
    );
    assert(needed <= given, `${view} needs ${needed} px of ${given}`);
  }
  await press(tab, "Delete …", ".redis-users");
  await press(tab, "Delete", "dialog");
  await redis.getByText("There are none here").waitFor();
  assertEquals([...unexpected(tab), ...unexpected(other)], []);
});
