/**
 * A lock that was taken without anybody hearing of it keeps nobody from changing anything.
 *
 * @module
 */

import { assert } from "@std/assert";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded/embedded.ts";
import { ConnectionLossError } from "../../../src/coordinator/errors.ts";
import { withLock } from "../../../src/store/lock.ts";
import { childrenIfThere } from "../../../src/store/store.ts";
import { until } from "../../support/deadline.ts";
import { StoreFolder } from "../../support/store.ts";

const CALL_TIMEOUT_MS = 100;
const TRIES = 30;

Deno.test("a process that stood still while it asked for the lock leaves no entry behind", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  const coordinator = await EmbeddedCoordinator.open({
    dir: folder.dir,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  try {
    // Whether its timers or what it waits for come first when it goes on is a matter of luck.
    for (let tries = 0, isUnheard = false; !isUnheard; tries++) {
      assert(tries < TRIES, "the lock was always taken in time");
      const taking = withLock({ ...store, coordinator }, "one", () => Promise.resolve());
      const heard = taking.then(() => false, (error) => error instanceof ConnectionLossError);
      await Promise.resolve();
      const goesOnMs = performance.now() + 3 * CALL_TIMEOUT_MS;
      while (performance.now() < goesOnMs);
      isUnheard = await heard;
    }
    await until(async () => (await childrenIfThere(store, store.paths.lock)).length === 0);
    await withLock(store, "another", () => Promise.resolve());
  } finally {
    await coordinator.close();
  }
});
