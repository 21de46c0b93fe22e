/**
 * Calls between threads, without threads.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { RemoteCalls } from "../../../src/base/remote_call.ts";

interface Answers {
  add(a: number, b: number): number;
  later(text: string): Promise<string>;
  fail(): Promise<never>;
  note(text: string): void;
}

/** A caller, and the notes and messages of the side that answers. */
function line() {
  const notes: string[] = [];
  let messages = 0;
  const answers: Answers = {
    add: (a, b) => a + b,
    later: async (text) => await Promise.resolve(`${text}!`),
    fail: () => Promise.reject(new TypeError("it cannot")),
    note: (text) => void notes.push(text),
  };
  const theirs: RemoteCalls<Record<never, never>> = new RemoteCalls(
    (message) => calls.receive(message),
    answers,
  );
  const calls = new RemoteCalls<Answers>((message) => {
    messages++;
    theirs.receive(message);
  }, {});
  return { calls, notes, messages: () => messages };
}

Deno.test("a call gives what the other side returns, at once or later, or its error", async () => {
  const { calls } = line();
  assertEquals(await calls.call("add", 1, 2), 3);
  assertEquals(await calls.call("later", "yes"), "yes!");
  assertEquals(await calls.call("note", "x"), undefined);
  await assertRejects(() => calls.call("fail"), Error, "it cannot");
  await assertRejects(() => calls.call("missing" as "fail"), Error);
});

Deno.test("calls of one turn go as one message, in order", async () => {
  const { calls, notes, messages } = line();
  for (let i = 0; i < 99; i++) calls.notify("note", `${i}`);
  await calls.call("note", "last");
  assertEquals(messages(), 1);
  assertEquals(notes, [...Array.from({ length: 99 }, (_, i) => `${i}`), "last"]);
});

Deno.test("once the other side is gone, what waits is rejected, and nothing is sent", async () => {
  let messages = 0;
  const calls = new RemoteCalls<Answers>(() => messages++, {});
  const waiting = calls.call("later", "x");
  await Promise.resolve();
  calls.end(new Error("gone"));
  await assertRejects(() => waiting, Error, "gone");
  await assertRejects(() => calls.call("later", "y"), Error, "gone");
  calls.notify("note", "z");
  await Promise.resolve();
  assertEquals(messages, 1);
});
