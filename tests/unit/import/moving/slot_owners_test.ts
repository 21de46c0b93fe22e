/**
 * Changes of sources between which slots move have no common order: whatever comes first, each key ends as it is
 * at its owner.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { chance, fuzzParameters } from "../../../support/fuzz.ts";
import { VirtualTime } from "../../../support/virtual_time.ts";
import { KEYS, MovingProduct, NAMES } from "./moving_product.ts";

const step = fc.record({
  what: fc.oneof(
    { weight: 40, arbitrary: fc.constant("write") },
    { weight: 4, arbitrary: fc.constantFrom("delete", "move", "end", "end") },
    { weight: 1, arbitrary: fc.constant("begin") },
  ),
  key: fc.constantFrom(...KEYS),
  to: fc.constantFrom(...NAMES),
  waitMs: fc.nat(150),
});

Deno.test("each key ends as its owner has it, however slots move while sources are followed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 300, maxLength: 300 }),
      fc.nat(),
      async (steps, seed) => {
        using time = new VirtualTime();
        const product = new MovingProduct(chance(seed));
        const live = async () => {
          await product.follow();
          for (const { what, key, to, waitMs } of steps) {
            if (what === "move") product.move(key);
            else if (what === "begin") product.moveSlot(key, to);
            else if (what === "end") product.endMove(key);
            else product.change(key, what === "delete");
            await delay(waitMs);
          }
          for (const key of KEYS) product.endMove(key);
          await product.rest();
        };
        await time.until(Promise.race([live(), product.failed]), 200_000);
        product.isEnded = true;
        for (const [key, target, owner] of product.outcome) {
          assertEquals(target, owner, `${key} at the target, and at its owner`);
        }
      },
    ),
    // To shrink so many steps would take minutes.
    { ...fuzzParameters(40), endOnFailure: true },
  );
});
