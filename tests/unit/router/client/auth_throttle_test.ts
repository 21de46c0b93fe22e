/**
 * Guessing passwords is slow.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { clock } from "../../../../src/base/clock.ts";
import { AuthThrottle } from "../../../../src/router/client/auth_throttle.ts";

/** A throttle with a clock of the test's own. */
class Guesser implements Disposable {
  readonly throttle = new AuthThrottle();

  /** Whether the newest wrong one of an address is answered at once. */
  isFree(address: string): boolean {
    let isNow = false;
    this.throttle.whenAllowed(address, () => isNow = true);
    return isNow;
  }

  /** So many wrong ones; what the log was told of each. */
  fail(address: string, times: number): number[] {
    return Array.from({ length: times }, () => this.throttle.failed(address));
  }

  [Symbol.dispose](): void {
    this.throttle.stop();
    clock.tick();
  }
}

Deno.test("from the fourth on wrong passwords of an address are answered late, for a minute, others not", () => {
  using guesser = new Guesser();
  guesser.fail("a", 3);
  assertEquals(guesser.isFree("a"), true);
  guesser.fail("a", 1);
  assertEquals(guesser.isFree("a"), false);
  guesser.fail("b", 1);
  assertEquals(guesser.isFree("b"), true);
  clock.nowMs += 59_000;
  guesser.fail("a", 1);
  assertEquals(guesser.isFree("a"), false);
  clock.nowMs += 61_000;
  guesser.fail("a", 3);
  assertEquals(guesser.isFree("a"), true, "what was forgotten does not count");
});

Deno.test("the log is told of an address every ten seconds at most, when it is slowed down, and of how many", () => {
  using guesser = new Guesser();
  assertEquals(guesser.fail("a", 5), [1, 0, 0, 3, 0]);
  assertEquals(guesser.fail("b", 1), [1]);
  clock.nowMs += 11_000;
  assertEquals(guesser.fail("a", 2), [2, 0]);
});

Deno.test("no more than ten thousand addresses are remembered, the newest", () => {
  using guesser = new Guesser();
  for (let i = 0; i <= 10_000; i++) guesser.fail(`${i}`, 4);
  assertEquals(guesser.isFree("0"), true);
  assertEquals(guesser.isFree("1"), false);
  assertEquals(guesser.isFree("10000"), false);
});
