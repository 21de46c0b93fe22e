/**
 * What an old process answers to a new one that wants to take over.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ProcessLife } from "../../../../src/base/process_life.ts";
import { connectLocally } from "../../../../src/io/local_socket.ts";
import {
  type NewCalls,
  type OldCalls,
  openChannel,
  ownCalls,
} from "../../../../src/proxy/upgrade/channel.ts";
import { OtherProcess } from "../../../../src/proxy/upgrade/other_process.ts";
import { FakeTimers } from "../../../support/fake_timers.ts";
import { lockedLife } from "../../../support/process_life.ts";
import { StoreFolder } from "../../../support/store.ts";
import { until } from "../../../support/deadline.ts";
import { openOffer } from "../../../support/upgrade_offer.ts";

const NEW: NewCalls = {
  applied: () => {},
  stoppedListening: () => {},
  left: () => Promise.resolve(),
};

Deno.test("a process of another version is told so, and can take over in no other way", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  const life = ProcessLife.begin("of a test");
  const offer = openOffer(life, () => store);
  const connection = await connectLocally(life.socketPath);
  const calls = openChannel<OldCalls>(connection, NEW, () => {});
  const who = { pid: Deno.pid, version: "9.9.9", life: life.text };
  await assertRejects(
    () => calls.call("join", { ...who, calls: 999 }),
    Error,
    "its version takes over in another way: stop the old process, and start the new one",
  );
  const { clients } = await calls.call("join", { ...who, ...ownCalls() });
  assertEquals(clients, [{ port: 1, oldSockets: 1 }]);
  connection.close();
  life.end();
  await offer.stop();
});

for (const isInTime of [true, false]) {
  const what = isInTime ? "serves on" : "lets its clients go, and can be taken over from again";
  Deno.test(`when a new process is gone ${isInTime ? "at once" : "later"}, the old one ${what}`, async () => {
    await using folder = await StoreFolder.make();
    const store = await folder.openFilled("x:1");
    const life = ProcessLife.begin("of the old one");
    let hasBegun = false;
    let times = 0;
    const offer = openOffer(life, () => store, {
      drain: {
        get hasBegun() {
          return hasBegun;
        },
        callOff: () => !(hasBegun = !isInTime),
      },
      leave: () => {
        hasBegun = true;
        times++;
      },
    });
    const start = async (stoppedListening: () => void) => {
      const life = ProcessLife.begin("of a new one");
      const connection = await connectLocally(offerPath);
      const calls = openChannel<OldCalls>(connection, { ...NEW, stoppedListening }, () => {});
      await calls.call("join", { ...ownCalls(), pid: 1, version: "9.9.9", life: life.text });
      await calls.call("ready");
      await calls.call("listening");
      return async () => {
        await calls.call("left");
        connection.close();
        life.end();
      };
    };
    const offerPath = life.socketPath;
    const endFirst = await start(() => {});
    assertEquals([hasBegun, times], [true, 1]);
    if (!isInTime) offer.stoppedListening();
    await endFirst();
    assertEquals(hasBegun, !isInTime);
    let told = 0;
    const endSecond = await start(() => told++);
    assertEquals([hasBegun, times, told], [true, isInTime ? 2 : 1, isInTime ? 0 : 1]);
    await endSecond();
    life.end();
    await offer.stop();
  });
}

for (const isGone of [false, true]) {
  const what = isGone ? "was killed needs" : "lost its connection gets";
  Deno.test(`a new process that joined and ${what} ${isGone ? "no" : "a"} proof of the old one's end`, async () => {
    await using folder = await StoreFolder.make();
    const store = await folder.openFilled("x:1");
    const life = ProcessLife.begin("of the old one");
    using newLife = lockedLife();
    const other = new OtherProcess();
    const offer = openOffer(life, () => store, { other });
    const connection = await connectLocally(life.socketPath);
    const calls = openChannel<OldCalls>(connection, NEW, () => {});
    await calls.call("join", { ...ownCalls(), pid: 1, version: "9.9.9", life: newLife.text });
    connection.close();
    await until(() => !other.isThere);
    if (isGone) newLife.unlock();
    assertEquals(await offer.stop(), isGone);
    life.end();
  });
}

Deno.test("a process that is refused says for itself alone that it has left", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  const [life, newLife] = ["the old one", "the new ones"].map(ProcessLife.begin);
  const other = new OtherProcess();
  const offer = openOffer(life!, () => store, { other });
  const connections = [
    await connectLocally(life!.socketPath),
    await connectLocally(life!.socketPath),
  ];
  const [first, second] = connections.map((each) => openChannel<OldCalls>(each, NEW, () => {}));
  const who = { ...ownCalls(), pid: 1, version: "9.9.9", life: newLife!.text };
  await first!.call("join", who);
  await assertRejects(() => second!.call("join", who), Error, "taken over from already");
  await second!.call("left");
  assertEquals(other.isThere, true);
  await first!.call("left");
  assertEquals(other.isThere, false);
  for (const connection of connections) connection.close();
  await offer.stop();
  for (const each of [life, newLife]) each!.end();
});

Deno.test("a process serves on for good when a new one has joined and given up", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  const [life, newLife] = ["the old one", "the new one"].map(ProcessLife.begin);
  const timers = new FakeTimers();
  const other = new OtherProcess();
  const offer = openOffer(life!, () => store, { other }, timers);
  const who = { ...ownCalls(), pid: 1, version: "9.9.9", life: newLife!.text };
  for (const says of ["left", "nothing"]) {
    const connection = await connectLocally(life!.socketPath);
    const calls = openChannel<OldCalls>(connection, NEW, () => {});
    await calls.call("join", who);
    if (says === "left") await calls.call("left");
    connection.close();
    await until(() => !other.isThere);
    assertEquals(timers.nextMs, undefined, "nothing is left to be done about it");
    timers.advance(10 * 60_000);
  }
  await offer.stop();
  for (const each of [life, newLife]) each!.end();
});
