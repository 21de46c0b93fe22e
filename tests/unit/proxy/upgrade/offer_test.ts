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
import { describeOld, UpgradeOffer } from "../../../../src/proxy/upgrade/offer.ts";
import { OtherProcess } from "../../../../src/proxy/upgrade/other_process.ts";
import { RECORD } from "../../../support/proxy_record.ts";
import { StoreFolder } from "../../../support/store.ts";

const NEW: NewCalls = {
  applied: () => {},
  stoppedListening: () => {},
  left: () => Promise.resolve(),
};

Deno.test("a process of another version is told so, and can take over in no other way", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("x:1");
  const life = ProcessLife.begin("of a test");
  const offer = UpgradeOffer.open(life, {
    other: new OtherProcess(),
    describe: () => describeOld(store, RECORD, { ports: [1], workers: 1, httpPort: 2 }),
    newestAction: () => "",
    newestInHand: () => "",
    isEnding: () => false,
    setAlone: () => Promise.resolve(),
    leave: () => {},
  })!;
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
