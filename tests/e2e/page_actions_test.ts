/**
 * What is done with the dashboard's page, in a real browser: dialogs, logging in, choosing, and what it does
 * while the dashboard is away.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import type { ClusterView } from "../../src/api/cluster_view.ts";
import { until } from "../support/deadline.ts";
import {
  button,
  changesAsked,
  dialogButton,
  fillIn,
  middleOf,
  openDialog,
  type PagePlace,
  type PagePromise,
  tryPromises,
  turnTo,
  visit,
} from "../support/page_place.ts";
import type { AskedFor } from "../support/page_server.ts";

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
      body: { type: "slave", group_id: 1, addr: "10.0.1.9:6379", must_exist: true },
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

async function asksFirst(place: PagePlace): Promise<void> {
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

async function tellsRefusals(place: PagePlace): Promise<void> {
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
    // Whoever has no pointer goes on where he was.
    await tab.page.locator('dialog button[type="submit"]:focus').waitFor();
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

async function forcesPromotion(place: PagePlace): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "groups/1");
  await openDialog(tab, "Promote …");
  assertEquals(await tab.page.locator('dialog [name="force"]').count(), 0);
  const behind = "it is 9 bytes behind 10.0.1.1:6379";
  const cases = [
    ["no group 1: do not try to force it", "no group 1: do not try to force it", 0],
    [behind, { error: behind, can_force: true }, 1],
  ] as const;
  for (const [text, body, count] of cases) {
    server.answers.push({ status: 500, body });
    await dialogButton(tab, "Promote").click();
    await tab.page.getByText(text).waitFor();
    assertEquals(await tab.page.locator('dialog [name="force"]').count(), count, text);
  }
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

async function logsIn(place: PagePlace): Promise<void> {
  const { server } = place;
  server.token = "open sesame".replace(" ", "-");
  server.addresses.length = 0;
  const tab = await visit(place, "groups");
  // What is asked for before the token is there is asked again after it.
  await openDialog(tab, "Add group …");
  await tab.page.locator('dialog [name="token"]').fill("wrong");
  await dialogButton(tab, "Log in").click();
  await tab.page.getByText("the token is missing or wrong").waitFor();
  // A server refuses so long a header before it can say why.
  await tab.page.locator('dialog [name="token"]').fill("x".repeat(100_000));
  await dialogButton(tab, "Log in").click();
  await tab.page.getByText("at most 4096 characters, this one has 100000").waitFor();
  await tab.page.locator('dialog [name="token"]').fill(server.token);
  await dialogButton(tab, "Log in").click();
  await dialogButton(tab, "Add group").click();
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  assertEquals(changesAsked(server).length, 1);
  assertNotEquals(await tab.ask("document.activeElement.tagName"), "BODY");
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
  const menu = tab.page.locator(".who .menu");
  await menu.locator("summary").press("Enter");
  await button(tab, "Log out").focus();
  await tab.page.keyboard.press("Escape");
  await tab.page.locator(".who .menu:not([open]) summary:focus").waitFor();
  await menu.locator("summary").press("Enter");
  await button(tab, "Log out").press("Enter");
  await tab.page.locator('.who button:text-is("Log in"):focus').waitFor();
  assertEquals(await tab.ask("sessionStorage.length"), 0);
  await tab.page.keyboard.press("Enter");
  await tab.page.locator('dialog [name="token"]').fill("another");
  await tab.page.keyboard.press("Enter");
  // What stands where the button was has the focus.
  await tab.page.locator(".who summary:focus").waitFor();
  await menu.locator("summary").press("Enter");
  await button(tab, "Log out").press("Enter");
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

async function choosesSlots(place: PagePlace): Promise<void> {
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

async function showsWhatStopsEverything(place: PagePlace): Promise<void> {
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

async function outlivesTheDashboard(place: PagePlace): Promise<void> {
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

async function hasTwoThemes(place: PagePlace): Promise<void> {
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

async function missesGroup(place: PagePlace): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "migrations");
  await openDialog(tab, "Migrate slots …");
  await fillIn(tab, { new_group: "64" });
  await dialogButton(tab, "Migrate").and(tab.page.locator(":enabled")).waitFor();
  removeGroup(place);
  await tab.page.getByText("there is no group 64 any more").waitFor();
  assertEquals(await dialogButton(tab, "Migrate").isEnabled(), false);
  // A server that is added to such a group would make it again, with itself as master.
  await tab.page.keyboard.press("Escape");
  server.edit = (view) => view;
  await turnTo(tab, "groups/64");
  await openDialog(tab, "Add server …");
  await fillIn(tab, { addr: "10.0.1.9:6379" });
  await dialogButton(tab, "Add server").and(tab.page.locator(":enabled")).waitFor();
  removeGroup(place);
  await tab.page.getByText("there is no group 64 any more").waitFor();
  assertEquals(await dialogButton(tab, "Add server").isEnabled(), false);
}

/** Adds a server to group 64, is refused, and ticks what is offered then; returns why it was refused. */
async function chooseForce({ server, tab }: PagePlace): Promise<string> {
  await openDialog(tab, "Add server …");
  await fillIn(tab, { addr: "10.0.1.9:6379" });
  const keys = "10.0.1.9:6379 holds 3 keys, which it would lose: force it if they are not needed";
  server.answers.push({ status: 500, body: { error: keys, can_force: true } });
  await dialogButton(tab, "Add server").press("Enter");
  await tab.page.getByText(keys).waitFor();
  await fillIn(tab, { force: true });
  return keys;
}

/** Somebody has removed group 64. */
function removeGroup({ server }: PagePlace): void {
  server.edit = (view) => ({ ...view, groups: view.groups.filter(({ id }) => id !== 64) });
}

async function keepsFocusWhenGroupIsGone(place: PagePlace): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "groups/64");
  await chooseForce(place);
  // Somebody removes the group meanwhile.
  const gone = "group 64 is not found";
  server.answers.push({ status: 500, body: gone });
  await dialogButton(tab, "Add server").press("Enter");
  await tab.page.getByText(gone).waitFor();
  assertEquals(await tab.page.locator('dialog [name="force"]').count(), 0);
  await tab.page.locator('dialog button[type="submit"]:focus').waitFor();
  server.takeAsked();
  await dialogButton(tab, "Add server").press("Enter");
  await until(() => server.asked.length > 0);
  const [{ body }] = server.takeAsked() as [AskedFor];
  assertEquals((body as { force?: boolean }).force, undefined, "force was offered, and is not now");
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  // The page hears of it before the answer, or while the dialog waits: what had the focus cannot be used then.
  await openDialog(tab, "Add server …");
  await fillIn(tab, { addr: "10.0.1.9:6379" });
  await dialogButton(tab, "Add server").focus();
  removeGroup(place);
  await tab.page.getByText("there is no group 64 any more").waitFor();
  await tab.page.locator("dialog :focus").waitFor();
  assertEquals(await tab.page.locator('dialog [name="force"]').count(), 0);
}

async function dropsOldAnswersWhenGroupIsGone(place: PagePlace): Promise<void> {
  const { server } = place;
  const tab = await visit(place, "groups/64");
  const keys = await chooseForce(place);
  removeGroup(place);
  await tab.page.getByText("there is no group 64 any more").waitFor();
  const dialog = await tab.text("dialog");
  assert(!dialog.includes(keys) && !dialog.includes("Add it anyway"), dialog);
  await tab.page.locator("dialog :focus").waitFor();

  await tab.page.keyboard.press("Escape");
  server.edit = (view) => view;
  await openDialog(tab, "Drain …");
  await tab.page.locator("dialog .plan").getByText("4 slots").first().waitFor();
  removeGroup(place);
  await tab.page.getByText("there is no group 64 any more").waitFor();
  assertEquals(await tab.page.locator("dialog .plan").count(), 0);
  assertEquals(await dialogButton(tab, "Drain").isEnabled(), false);
}

async function keepsFocusAfterRemoval(place: PagePlace): Promise<void> {
  const tab = await visit(place, "groups/64");
  await openDialog(tab, "Remove …");
  await dialogButton(tab, "Remove group").press("Enter");
  await tab.page.locator("dialog").waitFor({ state: "detached" });
  removeGroup(place);
  await until(async () => !(await tab.text("main")).includes("Drain …"));
  assertEquals(await tab.ask("document.activeElement.id"), "main");
}

const PROMISES: readonly PagePromise[] = [
  ["explains dead fences and removes them", showsWhatStopsEverything],
  ["asks before it does anything, and then does exactly that", asksFirst, true],
  ["tells refusals in the dashboard's own words", tellsRefusals],
  ["says so when a group is removed that is chosen in a dialog", missesGroup],
  ["offers to force a promotion only once it was refused, where that helps", forcesPromotion, true],
  [
    "keeps the focus in a dialog, and offers no force, when its group is gone",
    keepsFocusWhenGroupIsGone,
  ],
  ["shows no plan and no refusal of a group that is gone", dropsOldAnswersWhenGroupIsGone],
  ["keeps the focus in the content when a group has been removed", keepsFocusAfterRemoval],
  ["asks for the token where it is needed, and keeps it out of addresses", logsIn],
  ["lets slots be chosen with pointer and keys", choosesSlots, true],
  ["keeps what it knew while the dashboard is out of reach", outlivesTheDashboard, true],
  ["is dark or light as the system or the reader wants", hasTwoThemes],
];

/** Groups and proxies that are used here: that hundreds more are shown well is tried in dashboard_page_test.ts. */
const USED = { groups: [1, 2, 3, 7, 9, 20, 64], proxies: ["proxy_1", "proxy_31"] };

function used(view: ClusterView): ClusterView {
  return {
    ...view,
    groups: view.groups.filter(({ id }) => USED.groups.includes(id)),
    proxies: view.proxies.filter(({ id }) => USED.proxies.includes(id)),
  };
}

Deno.test("what is done with the dashboard's page", (t) => tryPromises(t, PROMISES, used));
