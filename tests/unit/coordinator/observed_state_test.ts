/**
 * The state of a session, as others see it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ObservedState } from "../../../src/coordinator/observed_state.ts";

Deno.test("ObservedState reports every change to its listeners, until they end that", () => {
  const state = new ObservedState();
  const seen: string[] = [];
  const stop = state.onChange((next) => seen.push(next));
  assertEquals(state.now, "connecting");
  state.change("connected");
  state.change("disconnected");
  stop();
  state.change("expired");
  assertEquals(seen, ["connected", "disconnected"]);
  assertEquals(state.now, "expired");
});

Deno.test("ObservedState ends the wait for a connection when it comes, never will, or is late", async () => {
  const state = new ObservedState();
  assertEquals(await state.isConnectedWithin(1), false);
  const coming = state.isConnectedWithin(60_000);
  state.change("disconnected");
  state.change("connected");
  assertEquals(await coming, true);
  assertEquals(await state.isConnectedWithin(0), true);
  state.change("disconnected");
  const never = state.isConnectedWithin(60_000);
  state.change("closed");
  assertEquals(await never, false);
  assertEquals(state.isClosed, true);
});

Deno.test("ObservedState tells once of a connection that does not come at once, and never of one that does", async () => {
  const state = new ObservedState();
  let told = 0;
  assertEquals(await state.isConnectedWithin(5, undefined, () => told++), false);
  assertEquals(told, 1);
  const coming = state.isConnectedWithin(60_000, undefined, () => told++);
  state.change("connected");
  assertEquals([await coming, told], [true, 1]);
});
