/**
 * When a proxy that is cut off from its coordinator stops using a master, and when it goes on.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { Contact } from "../../../../src/proxy/membership/contact.ts";
import { FakeTimers } from "../../../support/fake_timers.ts";

/** A proxy with one group, whose master has two replicas. */
class CutOff {
  readonly timers = new FakeTimers();
  readonly done: string[] = [];
  isThere = true;
  isOnline = true;
  isRule = true;
  /** Whether all actions were applied. */
  isCurrent = true;
  heard = 2;
  readonly contact: Contact;

  constructor() {
    this.contact = new Contact({
      read: () =>
        this.isThere
          ? Promise.resolve({ isOnline: this.isOnline, isRule: this.isRule })
          : Promise.reject(new Error("cut off")),
      noteRule: () => Promise.resolve(),
      groups: () => [{ groupId: 1, master: "m:1", replicaCount: 2 }],
      heardReplicas: () => Promise.resolve(this.heard),
      serve: (groupId, isServed) =>
        Promise.resolve(void this.done.push(`${isServed ? "serves" : "withholds"} ${groupId}`)),
      isCurrent: () => Promise.resolve(this.isCurrent),
    }, this.timers);
  }

  static async start(): Promise<CutOff> {
    const proxy = new CutOff();
    await proxy.contact.start();
    return proxy;
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.timers.nowMs() + ms;
    while (this.timers.nowMs() < endMs) {
      this.timers.advance(250);
      await delay(0);
    }
  }

  [Symbol.dispose](): void {
    this.contact.stop();
  }
}

Deno.test("a proxy in contact serves, whatever its masters say of their replicas", async () => {
  using proxy = await CutOff.start();
  proxy.heard = 0;
  await proxy.pass(30_000);
  assertEquals(proxy.done, []);
});

Deno.test("a proxy knows for how long its coordinator has not answered, until it does again", async () => {
  using proxy = await CutOff.start();
  await proxy.pass(20_000);
  assertEquals(proxy.contact.silentMs, 0);
  proxy.isThere = false;
  await proxy.pass(4_000);
  assertEquals(proxy.contact.silentMs, 0, "one that answers late is not away");
  await proxy.pass(26_000);
  assert(proxy.contact.silentMs >= 30_000, `${proxy.contact.silentMs} ms`);
  proxy.isThere = true;
  await proxy.pass(1_000);
  assertEquals(proxy.contact.silentMs, 0);
});

Deno.test("a proxy that is cut off serves a master only as long as that has all its replicas", async () => {
  for (const cut of ["isThere", "isOnline"] as const) {
    using proxy = await CutOff.start();
    await proxy.pass(5_000);
    proxy[cut] = false;
    await proxy.pass(30_000);
    assertEquals(proxy.done, [], cut);
    proxy.heard = 1;
    await proxy.pass(750);
    assertEquals(proxy.done, ["withholds 1"], cut);
    proxy.heard = 2;
    await proxy.pass(3_750);
    assertEquals(proxy.done, ["withholds 1", "serves 1"], cut);
    proxy.heard = -1;
    await proxy.pass(750);
    proxy.isCurrent = false;
    proxy[cut] = true;
    await proxy.pass(2_000);
    assertEquals(proxy.done.slice(2), ["withholds 1"], cut);
    proxy.isCurrent = true;
    await proxy.pass(1_000);
    assertEquals(proxy.done.slice(2), ["withholds 1", "serves 1"], cut);
    await proxy.pass(5_000);
    assertEquals(proxy.done.length, 4, cut);
  }
});

Deno.test("it stops within two and a half seconds, and not for a replica that was added to be promoted", async () => {
  using proxy = await CutOff.start();
  await proxy.pass(5_000);
  proxy.isThere = false;
  proxy.heard = -1;
  await proxy.pass(2_500);
  assertEquals(proxy.done, ["withholds 1"]);
  using grown = await CutOff.start();
  await grown.pass(5_000);
  grown.isThere = false;
  grown.heard = 3;
  await grown.pass(5_000);
  grown.heard = 2; // the third was promoted
  await grown.pass(750);
  assertEquals(grown.done, ["withholds 1"]);
});

Deno.test("what replicas had sent before they followed another master, and comes late, has nothing served", async () => {
  using proxy = await CutOff.start();
  await proxy.pass(5_000);
  proxy.isThere = false;
  proxy.heard = 0;
  await proxy.pass(5_000);
  for (let times = 0; times < 3; times++) {
    proxy.heard = 2;
    await proxy.pass(2_500);
    proxy.heard = 0;
    await proxy.pass(500);
  }
  assertEquals(proxy.done, ["withholds 1"]);
});

Deno.test("without the rule a proxy serves, however long its coordinator is away", async () => {
  using proxy = await CutOff.start();
  proxy.isRule = false;
  await proxy.pass(5_000);
  proxy.isThere = false;
  proxy.heard = -1;
  await proxy.pass(60_000);
  assertEquals(proxy.done, []);
});
