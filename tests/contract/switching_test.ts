/**
 * Holds a coordinator that was exchanged for another one to the contract, and says what the exchange is to those
 * who work with it.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import type { CoordinatorState } from "../../src/coordinator/coordinator.ts";
import { EmbeddedCoordinator } from "../../src/coordinator/embedded/embedded.ts";
import { BadVersionError, ClosedError } from "../../src/coordinator/errors.ts";
import { SwitchingCoordinator } from "../../src/coordinator/switching.ts";
import { testCoordinator } from "./coordinator.ts";

async function folders(): Promise<{ old: string; now: string } & AsyncDisposable> {
  const [old, now] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  return {
    ...{ old, now },
    async [Symbol.asyncDispose]() {
      await Deno.remove(old, { recursive: true });
      await Deno.remove(now, { recursive: true });
    },
  };
}

testCoordinator({
  name: "exchanged",
  ownerEndMs: 2_000,
  sequenceDigits: 10,
  start: async () => {
    const { old, now, ...place } = await folders();
    return {
      config: `embedded_dir = ${now}`,
      open: async () => {
        const coordinator = new SwitchingCoordinator(await EmbeddedCoordinator.open({ dir: old }));
        await coordinator.switchTo(await EmbeddedCoordinator.open({ dir: now }));
        return coordinator;
      },
      ...place,
    };
  },
}, (name, body) => Deno.test(name, body));

Deno.test("an exchange looks like a session that has expired, with other data behind it", async () => {
  await using place = await folders();
  const old = await EmbeddedCoordinator.open({ dir: place.old });
  const now = await EmbeddedCoordinator.open({ dir: place.now });
  await old.create("/a/own", "old", "ephemeral");
  await now.create("/a/x", "new");
  const coordinator = new SwitchingCoordinator(old);
  const states: CoordinatorState[] = [];
  coordinator.onState((state) => states.push(state));
  const data = coordinator.watchData("/a/x");
  const names = coordinator.watchChildren("/a");
  assertEquals((await data.next()).value, undefined);
  assertEquals((await names.next()).value, ["own"]);
  await coordinator.create("/a/unread", "");
  await coordinator.switchTo(now);
  // Nobody is told of the old one any more, not even of what was not read yet.
  assertEquals((await names.next()).value, ["x"]);
  const seen = (await data.next()).value;
  assertEquals(seen?.data, "new");
  assertEquals(states, ["expired", "connected"]);
  assertEquals(coordinator.moves, 1);
  // What was ephemeral in the old one has ended with its session.
  const again = await EmbeddedCoordinator.open({ dir: place.old });
  assertEquals(await again.children("/a"), ["unread"]);
  await again.close();
  await coordinator.close();
  assertEquals(states.at(-1), "closed");
  assertEquals((await data.next()).done, true);
  await assertRejects(() => coordinator.read("/a/x"), ClosedError);
});

Deno.test("a version of the old store is never that of an entry of the new one", async () => {
  await using place = await folders();
  const [old, now] = [
    await EmbeddedCoordinator.open({ dir: place.old }),
    await EmbeddedCoordinator.open({ dir: place.now }),
  ];
  // The two count alike.
  for (const each of [old, now]) await each.create("/epoch", "");
  const coordinator = new SwitchingCoordinator(old);
  const { version } = await coordinator.read("/epoch");
  await coordinator.switchTo(now);
  assertEquals((await now.read("/epoch")).version, version);
  for (
    const change of [
      () => coordinator.write("/epoch", "mine", version),
      () => coordinator.delete("/epoch", version),
      () => coordinator.transact([{ check: "/epoch", version }, { create: "/a", data: "" }]),
    ]
  ) await assertRejects(change, BadVersionError);
  const read = await coordinator.read("/epoch");
  const written = await coordinator.write("/epoch", "now", read.version);
  assert(written > version);
  await coordinator.transact([{ check: "/epoch", version: written }, { create: "/a", data: "" }]);
  await coordinator.close();
});

Deno.test("a call that is under way during an exchange fails as one that got no answer, or is done", async () => {
  await using place = await folders();
  const old = await EmbeddedCoordinator.open({ dir: place.old });
  const coordinator = new SwitchingCoordinator(old);
  const lock = await coordinator.lock("/lock", { data: "", waitMs: 0 });
  const calls = Array.from({ length: 50 }, (_, i) => coordinator.create(`/a/${i}`, ""));
  const outcomes = Promise.allSettled(calls);
  await coordinator.switchTo(await EmbeddedCoordinator.open({ dir: place.now }));
  const failed = (await outcomes).flatMap((end) => end.status === "rejected" ? [end.reason] : []);
  assertEquals(failed.filter(({ name }) => name !== "ConnectionLossError"), []);
  await lock.release();
  await coordinator.create("/b", "");
  await coordinator.close();
});
