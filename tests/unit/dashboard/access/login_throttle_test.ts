/**
 * Who guesses passwords is slowed down, and nobody else for long.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { LoginThrottle, networkOf } from "../../../../src/dashboard/access/login_throttle.ts";

Deno.test("after five wrong passwords an address waits, twice as long each time, a minute at most", () => {
  let now = 0;
  const throttle = new LoginThrottle(() => now);
  const waits: number[] = [];
  for (let i = 0; i < 14; i++) {
    waits.push(throttle.refusedMs("10.0.0.1"));
    now += waits.at(-1)!;
    assertEquals(throttle.refusedMs("10.0.0.1"), 0, "when the time is over, one more try is free");
    throttle.wrongPassword("10.0.0.1", "alice");
  }
  assertEquals(
    waits.map((ms) => ms / 1000),
    [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60],
  );
  assertEquals(throttle.refusedMs("10.0.0.2"), 0);
  now += 60_000;
  throttle.rightPassword("10.0.0.1", "alice");
  throttle.wrongPassword("10.0.0.1", "alice");
  assertEquals(throttle.refusedMs("10.0.0.1"), 0, "a right one starts anew");
});

Deno.test("guesses at once are not more guesses, and an own password buys none at other names", async () => {
  let now = 0;
  const throttle = new LoginThrottle(() => now);
  const address = "10.0.0.1";
  const release = Promise.withResolvers<void>();
  /** As the dashboard does: how many of ten passwords at once are checked. */
  const checked = (checks: Promise<void>) => {
    const tries = Array.from({ length: 10 }, () => {
      if (throttle.refusedMs(address) > 0) return;
      return throttle.whileChecking(address, async () => {
        await checks;
        throttle.wrongPassword(address, "root");
      });
    });
    return tries.filter((each) => each !== undefined);
  };
  const first = checked(release.promise);
  assertEquals(first.length, 5);
  assertEquals(throttle.refusedMs("10.0.0.2"), 0);
  release.resolve();
  await Promise.all(first);
  now += throttle.refusedMs(address);
  const second = checked(Promise.resolve());
  assertEquals(second.length, 1, "one at a time, when the time is over");
  await Promise.all(second);
  assertEquals(throttle.refusedMs(address), 2_000);
  throttle.wrongPassword(address, "mallory");
  throttle.rightPassword(address, "mallory");
  assertEquals(throttle.refusedMs(address), 2_000);
});

Deno.test("what others try at a name makes its user wait a few seconds, and never locks him out", async () => {
  const throttle = new LoginThrottle();
  for (let i = 0; i < 100; i++) throttle.wrongPassword(`10.0.0.${i}`, "alice");
  assertEquals(throttle.refusedMs("10.9.9.9"), 0);
  const began = performance.now();
  assert(await throttle.beforeCheck("bob"));
  assert(performance.now() - began < 500);
  assert(await throttle.beforeCheck("alice"));
  const took = performance.now() - began;
  assert(took > 2_500 && took < 6_000, `${took} ms`);
});

Deno.test("only so many answers wait: further guesses are refused at once", async () => {
  const throttle = new LoginThrottle();
  const answers = await Promise.all(
    Array.from({ length: 80 }, () => throttle.wrongToken("10.0.0.1")),
  );
  assertEquals(answers.slice(0, 60).every((isAnswered) => isAnswered), true);
  assertEquals(answers.filter((isAnswered) => !isAnswered).length, 80 - 5 - 64);
});

Deno.test("who has a network of IPv6 has no more guesses than who has one address", () => {
  const same = ["2001:db8::1", "2001:db8:0:0:ffff::", "2001:db8:0:0:1:2:3:4", "2001:db8::9%eth0"];
  for (const address of same) assertEquals(networkOf(address), "2001:db8:0:0::/64", address);
  assertEquals(networkOf("2001:db8:0:1::1"), "2001:db8:0:1::/64");
  assertEquals(networkOf("::1"), "0:0:0:0::/64");
  assertEquals(networkOf("10.0.0.1"), "10.0.0.1");
  networkOf("no:address::of:any:kind::at:all:::");
});
