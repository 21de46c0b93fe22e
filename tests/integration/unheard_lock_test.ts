/**
 * A lock that was taken without anybody hearing of it keeps nobody from changing anything.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { ConnectionLossError } from "../../src/coordinator/errors.ts";
import { withLock } from "../../src/store/lock.ts";
import { childrenIfThere } from "../../src/store/store.ts";
import { until } from "../support/deadline.ts";
import { StoreFolder } from "../support/store.ts";

for (const isLate of [false, true]) {
  const when = isLate ? "after" : "before";
  Deno.test(`a lock's entry that is made ${when} its answer is given up is removed`, async () => {
    await using folder = await StoreFolder.make();
    const store = await folder.openFilled("127.0.0.1:1");
    const { coordinator, paths } = store;
    const create = coordinator.create.bind(coordinator);
    const made = Promise.withResolvers<unknown>();
    coordinator.create = async (...args) => {
      coordinator.create = create;
      if (isLate) setTimeout(() => create(...args).then(made.resolve), 300);
      else made.resolve(await create(...args));
      throw new ConnectionLossError(args[0], "no answer");
    };
    await assertRejects(() => withLock(store, "one", () => Promise.resolve()), ConnectionLossError);
    await made.promise;
    assertEquals((await childrenIfThere(store, paths.lock)).length, 1);
    await withLock(store, "another", () => Promise.resolve());
    await until(async () => (await childrenIfThere(store, paths.lock)).length === 0);
  });
}
