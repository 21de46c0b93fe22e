/**
 * Promises of the byte budget.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type BudgetWaiter, ByteBudget } from "../../../src/router/byte_budget.ts";

/** Someone who counts how often he was told. */
class Waiter implements BudgetWaiter {
  calls = 0;

  resume(): void {
    this.calls++;
  }
}

Deno.test("ByteBudget is spent above its limit, not at it", () => {
  const budget = new ByteBudget(1000);
  budget.charge(1000);
  assert(!budget.isSpent);
  budget.charge(1);
  assert(budget.isSpent);
  budget.release(1);
  assert(!budget.isSpent);
});

Deno.test("ByteBudget wakes those who wait once an eighth is free, each once", () => {
  const budget = new ByteBudget(1000);
  const [first, second] = [new Waiter(), new Waiter()];
  budget.charge(1200);
  budget.wait(first);
  budget.wait(second);
  budget.wait(first);
  budget.release(300); // 900: there is room, but too little to be worth a change
  assertEquals([first.calls, second.calls], [0, 0]);
  budget.release(25);
  assertEquals([first.calls, second.calls], [1, 1]);
  budget.release(100);
  assertEquals([first.calls, second.calls], [1, 1]);
});

Deno.test("ByteBudget lets any unfinished request grow while it is not spent", () => {
  const budget = new ByteBudget(1000);
  for (let i = 0; i < 5; i++) assert(budget.mayGrow(new Waiter()));
});

Deno.test("ByteBudget, spent, lets one unfinished request grow, and the next when that is through", () => {
  const budget = new ByteBudget(1000);
  const [elder, younger] = [new Waiter(), new Waiter()];
  budget.charge(5000);
  assert(budget.mayGrow(elder));
  assert(budget.mayGrow(elder), "it goes on until it is through");
  assert(!budget.mayGrow(younger));
  budget.leave(elder);
  assertEquals(younger.calls, 1);
  assert(budget.mayGrow(younger));
  assert(!budget.mayGrow(elder));
});

Deno.test("ByteBudget does not let the place of a waiter that is gone block the others", () => {
  const budget = new ByteBudget(1000);
  const [elder, gone, next] = [new Waiter(), new Waiter(), new Waiter()];
  budget.charge(5000);
  budget.mayGrow(elder);
  budget.mayGrow(gone);
  budget.mayGrow(next);
  budget.leave(gone); // its client closed the connection
  budget.leave(elder);
  assertEquals([gone.calls, next.calls], [0, 1]);
  assert(budget.mayGrow(next));
});

Deno.test("ByteBudget allows a waiter to wait again while it is being woken", () => {
  const budget = new ByteBudget(1000);
  let calls = 0;
  const stubborn: BudgetWaiter = {
    resume() {
      if (++calls < 100) budget.wait(stubborn);
    },
  };
  budget.charge(2000);
  budget.wait(stubborn);
  budget.release(1500);
  assertEquals(calls, 1);
  budget.release(1);
  assertEquals(calls, 2);
});
