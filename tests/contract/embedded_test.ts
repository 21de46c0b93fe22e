/**
 * Holds the embedded coordinator to the contract.
 *
 * @module
 */

import { EmbeddedCoordinator } from "../../src/coordinator/embedded/embedded.ts";
import { testCoordinator } from "./coordinator.ts";

testCoordinator({
  name: "embedded",
  ownerEndMs: 2_000,
  sequenceDigits: 10,
  start: async () => {
    const dir = await Deno.makeTempDir();
    return {
      config: `embedded_dir = ${dir}`,
      open: () => EmbeddedCoordinator.open({ dir }),
      [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
    };
  },
}, (name, body) => Deno.test(name, body));
