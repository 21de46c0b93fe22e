/**
 * The cluster suite on the embedded coordinator.
 *
 * Runs alone: it holds the proxy to times.
 *
 * @module
 */

import { StoreFolder } from "../support/store.ts";
import { testCluster } from "./cluster.ts";

testCluster(
  "embedded",
  async (servers) => {
    const folder = await StoreFolder.make();
    const store = await folder.openFilled(servers.map(({ addr }) => addr).join(","));
    return {
      store,
      config: { coordinator: "embedded", embedded_dir: folder.dir },
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  },
  ["codis-server", "stock Redis"],
  (name, test) => Deno.test(name, test),
);
