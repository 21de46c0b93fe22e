import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError } from "../../../../src/coordinator/errors.ts";
import { OtherProcess } from "../../../../src/proxy/upgrade/other_process.ts";

const never = new AbortController().signal;

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let hasSettled = false;
  promise.catch(() => {}).finally(() => hasSettled = true);
  await new Promise((resolve) => setTimeout(resolve));
  return hasSettled;
}

Deno.test("without another process nobody waits", async () => {
  const other = new OtherProcess();
  assertEquals(other.isThere, false);
  await other.untilApplied("0000000007", never);
});

Deno.test("an action is waited for until it, or a later one, is in force in the other process", async () => {
  const other = new OtherProcess();
  const told: string[] = [];
  other.joined(true, "", (action) => told.push(action));
  const [seventh, eighth] = ["0000000007", "0000000008"].map((name) =>
    other.untilApplied(name, never)
  );
  assertEquals(await isSettled(seventh!), false);
  other.hasApplied("0000000007");
  assertEquals([await isSettled(seventh!), await isSettled(eighth!)], [true, false]);
  other.hasApplied("0000000010");
  await eighth;
  await other.untilApplied("0000000009", never);
  other.haveApplied("0000000009");
  other.haveApplied("");
  assertEquals(told, ["0000000009"]);
});

Deno.test("a process that does not serve yet is told, and not waited for", async () => {
  const other = new OtherProcess();
  const told: string[] = [];
  other.joined(false, "", (action) => told.push(action));
  await other.untilApplied("0000000001", never);
  other.haveApplied("0000000001");
  other.serves();
  assertEquals(await isSettled(other.untilApplied("0000000002", never)), false);
  assertEquals([told, other.isThere], [["0000000001"], true]);
});

Deno.test("nobody waits for a process that has left, but for one that cannot be reached", async () => {
  const other = new OtherProcess();
  let goes = 0;
  other.onGone = () => void goes++;
  other.joined(true, "life of another machine", () => {});
  const waiting = other.untilApplied("0000000001", never);
  other.lost();
  assertEquals([await isSettled(waiting), other.isThere, goes], [false, true, 0]);
  other.left();
  await waiting;
  other.left();
  assertEquals([other.isThere, goes], [false, 1]);
});

Deno.test("who waits is told when that is given up", async () => {
  const other = new OtherProcess();
  other.joined(true, "", () => {});
  const end = new AbortController();
  const waiting = other.untilApplied("0000000001", end.signal);
  end.abort();
  await assertRejects(() => waiting, ClosedError);
  await assertRejects(() => other.untilApplied("0000000002", end.signal), ClosedError);
  other.left();
});

Deno.test("a process that was kept out never serves; one that may serve already is not kept out", () => {
  const [joined, serving, alone] = [1, 2, 3].map(() => new OtherProcess());
  for (const other of [joined!, serving!]) other.joined(false, "", () => {});
  serving!.serves();
  assertEquals([joined, serving, alone].map((other) => other!.keepOut()), [true, false, true]);
  assertThrows(() => joined!.serves(), Error, "it is ending");
});
