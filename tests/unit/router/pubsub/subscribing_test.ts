import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import {
  endSubscribing,
  PATTERNS_CELL,
  Subscribing,
  SUBSCRIBING_NUMBERS,
} from "../../../../src/router/pubsub/subscribing.ts";

const LIMIT_MS = 10_000;

function twoWorkers(limitMs = LIMIT_MS): [Subscribing, Subscribing, Int32Array] {
  const numbers = new Int32Array(new SharedArrayBuffer(2 * 4 * SUBSCRIBING_NUMBERS));
  return [
    new Subscribing({ numbers, index: 0 }, limitMs),
    new Subscribing({ numbers, index: 1 }, limitMs),
    numbers,
  ];
}

/** A client, and when it was resumed. */
function waiter(): { resume(): void; resumed: Promise<void>; isResumed: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const client = {
    resumed: promise,
    isResumed: false,
    resume() {
      client.isResumed = true;
      resolve();
    },
  };
  return client;
}

Deno.test("a PUBLISH waits for the SUBSCRIBEs of its slot that any worker has begun before", async () => {
  const [one, two] = twoWorkers();
  const end = one.begin([7]);
  const client = waiter();
  assert(!two.holds(waiter(), [8]));
  assert(two.holds(client, [8, 7]));
  const later = one.begin([7]); // not waited for
  await delay(20);
  assert(!client.isResumed);
  end();
  end(); // counts once
  await client.resumed;
  assert(!two.holds(client, [8, 7]));
  assert(two.holds(client, [7]));
  later();
  await delay(20);
  assert(!one.holds(waiter(), [7]));
  one.stop();
  two.stop();
});

Deno.test("a pattern holds up all channels, and nothing holds up longer than the limit", async () => {
  const [one, two] = twoWorkers(30);
  one.begin([PATTERNS_CELL]);
  const client = waiter();
  const startMs = performance.now();
  assert(two.holds(client, [5]));
  await client.resumed;
  assert(performance.now() - startMs >= 30);
  assert(!two.holds(client, [5]));
  two.stop();
});

Deno.test("what a worker had under way when it died holds up nobody", () => {
  const [one, two, numbers] = twoWorkers();
  one.begin([1, 2]);
  const end = two.begin([3]);
  endSubscribing({ numbers, index: 0 });
  assertEquals([1, 2, 3].map((slotId) => two.holds(waiter(), [slotId])), [false, false, true]);
  end();
  two.stop();
});

Deno.test("counts may wrap around", () => {
  const [one, two, numbers] = twoWorkers();
  numbers[4] = numbers[4 + SUBSCRIBING_NUMBERS / 2] = 2 ** 31 - 1;
  const end = one.begin([4]);
  assert(two.holds(waiter(), [4]));
  end();
  assert(!two.holds(waiter(), [4]));
  two.stop();
});
