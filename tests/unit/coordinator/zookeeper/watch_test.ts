/**
 * One-shot watches behind a watch that has no gap.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { WatchedPath } from "../../../../src/coordinator/zookeeper/watch.ts";

/** A path whose answers come when the test says so. */
class ScriptedPath {
  readonly reads: { answer: PromiseWithResolvers<string>; onChange: () => void }[] = [];
  isConnected = true;
  idles = 0;
  readonly watched = new WatchedPath<string>({
    read: (onChange) => {
      const answer = Promise.withResolvers<string>();
      this.reads.push({ answer, onChange });
      return answer.promise;
    },
    isSame: (a, b) => a === b,
    isConnected: () => this.isConnected,
    onIdle: () => this.idles++,
  });

  /** Answers the last read. */
  async answer(value: string): Promise<void> {
    this.reads.at(-1)!.answer.resolve(value);
    await settled();
  }

  /** The last read's watch fires. */
  fire(): void {
    this.reads.at(-1)!.onChange();
  }
}

/** Lets every promise that is settled have its say. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

Deno.test("WatchedPath reads again each time its watch fires", async () => {
  const path = new ScriptedPath();
  const watch = path.watched.watch();
  await path.answer("1");
  assertEquals(await watch.next(), { value: "1", done: false });
  path.fire();
  await path.answer("2");
  assertEquals((await watch.next()).value, "2");
  assertEquals(path.reads.length, 2);
  watch.close();
});

Deno.test("WatchedPath reads again when its watch fires before the answer was handled", async () => {
  const path = new ScriptedPath();
  const watch = path.watched.watch();
  path.reads[0]!.answer.resolve("1");
  path.fire();
  await settled();
  assertEquals(path.reads.length, 2);
  await path.answer("2");
  assertEquals((await watch.next()).value, "2");
  watch.close();
});

Deno.test("WatchedPath reads once for all who watch, and gives newcomers what it knows", async () => {
  const path = new ScriptedPath();
  const [first, second] = [path.watched.watch(), path.watched.watch()];
  await path.answer("1");
  await path.answer("1");
  const third = path.watched.watch();
  const reads = path.reads.length;
  assertEquals((await first.next()).value, "1");
  assertEquals((await second.next()).value, "1");
  assertEquals((await third.next()).value, "1");
  assertEquals(path.reads.length, reads);
  for (const watch of [first, second, third]) watch.close();
});

Deno.test("WatchedPath gives no value twice", async () => {
  const path = new ScriptedPath();
  const watch = path.watched.watch();
  await path.answer("1");
  await watch.next();
  path.fire();
  await path.answer("1");
  path.fire();
  await path.answer("2");
  assertEquals((await watch.next()).value, "2");
  watch.close();
});

Deno.test("WatchedPath reads anew after a lost connection, and trusts nothing from before", async () => {
  const path = new ScriptedPath();
  const watch = path.watched.watch();
  await path.answer("1");
  await watch.next();
  path.isConnected = false;
  path.watched.disarm();
  path.isConnected = true;
  path.watched.refresh();
  await path.answer("2");
  assertEquals((await watch.next()).value, "2");
  watch.close();
});

Deno.test("WatchedPath waits for the connection when a read fails without it", async () => {
  const path = new ScriptedPath();
  const watch = path.watched.watch();
  path.isConnected = false;
  path.reads[0]!.answer.reject(new Error("lost"));
  await settled();
  assertEquals(path.reads.length, 1);
  path.isConnected = true;
  path.watched.refresh();
  await path.answer("1");
  assertEquals((await watch.next()).value, "1");
  watch.close();
});

Deno.test("WatchedPath is given up when there are no watches and nothing can fire any more", async () => {
  const path = new ScriptedPath();
  const watch = path.watched.watch();
  await path.answer("1");
  watch.close();
  assertEquals(path.idles, 0, "its watch is armed");
  path.fire();
  assertEquals(path.idles, 1);
  assertEquals(path.reads.length, 1);
});
