/**
 * What the byte budget guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type BudgetWaiter, ByteBudget } from "../../../../src/router/client/byte_budget.ts";
import { onlyWorker } from "../../../../src/router/worker_context.ts";

/** Someone who counts how often he was told. */
class Waiter implements BudgetWaiter {
  calls = 0;

  resume(): void {
    this.calls++;
  }
}

Deno.test("ByteBudget is spent above its limit, not at it", () => {
  const budget = new ByteBudget(1000, onlyWorker());
  budget.charge(1000);
  assert(!budget.isSpent);
  budget.charge(1);
  assert(budget.isSpent);
  budget.release(1);
  assert(!budget.isSpent);
});

Deno.test("ByteBudget wakes those who wait once an eighth is free, each once", () => {
  const budget = new ByteBudget(1000, onlyWorker());
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
  const budget = new ByteBudget(1000, onlyWorker());
  for (let i = 0; i < 5; i++) assert(budget.mayGrow(new Waiter()));
});

Deno.test("ByteBudget, spent, lets one unfinished request grow, and the next when that is through", () => {
  const budget = new ByteBudget(1000, onlyWorker());
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
  const budget = new ByteBudget(1000, onlyWorker());
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
  const budget = new ByteBudget(1000, onlyWorker());
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

/** A budget that shares with another one of which a test says what it holds. */
function shared(limitBytes: number) {
  const others = { shares: 2, told: 0, held: 0, holds: (n: number) => void (others.told = n) };
  const budget = new ByteBudget(limitBytes, {
    ...others,
    holds: others.holds,
    heldElsewhere: () => others.held,
  });
  let overs = 0;
  budget.onOver = () => overs++;
  return { budget, others, overs: () => overs };
}

const KB = 1024;

Deno.test("ByteBudget is over when all routers together hold more than all their shares", () => {
  const { budget, others, overs } = shared(1000 * KB);
  others.held = 500 * KB;
  budget.chargeReply(1400 * KB); // more than its share, but the other does not use its own
  assertEquals([budget.isAboveShare, budget.isOver, overs()], [true, false, 0]);
  budget.chargeReply(200 * KB);
  assertEquals([budget.isOver, overs()], [true, 1]);
  budget.chargeReply(-1600 * KB);
  assertEquals([budget.isOver, budget.isAboveShare, budget.usedBytes], [false, false, 0]);
});

Deno.test("ByteBudget does not blame replies for what requests hold", () => {
  const { budget } = shared(1000 * KB);
  budget.charge(2500 * KB);
  budget.chargeReply(100 * KB);
  assertEquals([budget.isOver, budget.isAboveShare], [true, false]);
});

Deno.test("ByteBudget tells the others what it holds, to within 64 KB", () => {
  const { budget, others } = shared(1000 * KB);
  for (let i = 0; i < 300; i++) {
    budget.charge(KB);
    assert(Math.abs(budget.usedBytes - others.told) <= 65 * KB);
  }
  for (let i = 0; i < 300; i++) {
    budget.release(KB);
    assert(Math.abs(budget.usedBytes - others.told) <= 65 * KB);
  }
});

Deno.test("ByteBudget gives each session a smaller share the more there are", () => {
  const budget = new ByteBudget(128 * KB * KB, onlyWorker());
  const shares = [1, 1000, 10_000, 1_000_000].map((sessions) => {
    budget.shareAmong(sessions);
    return budget.fairShareBytes;
  });
  assertEquals(shares, [64 * KB, 64 * KB, 6710, KB]);
});

Deno.test("ByteBudget is tight from half of it on, with what was asked for", () => {
  const budget = new ByteBudget(1000, onlyWorker());
  budget.charge(300);
  assert(!budget.isTight);
  budget.expect(300);
  assert(budget.isTight);
  budget.expect(-300);
  assert(!budget.isTight);
});
