/**
 * The program bundled once for a whole run of the suite, which starts it many hundred times: a bundle starts with
 * two thirds of the CPU time that the source tree's modules take.
 *
 *     tests/run_tests.ts ─► bundle, and its folder in the environment ─► proxy_process.ts
 *
 * @module
 */

import { bundleProgram } from "../../deploy/bundle.ts";
import denoJson from "../../deno.json" with { type: "json" };

const root = new URL("../..", import.meta.url).pathname;

/** Names the folder of the bundle. Without it, the program is run from its sources. */
export const BUNDLE_VARIABLE = "CODIS_TEST_BUNDLE";

/** Words of `deno run` that run the program, after its permissions, and what it has to have in its environment. */
export interface ProgramWords {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes the bundle in a temporary folder, which is the caller's to remove.
 *
 * @throws {Error} When the program cannot be bundled; its text is that of `deno bundle`.
 */
export async function makeProgramBundle(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "codis-bundle-" });
  await bundleProgram({
    entry: `${root}main.ts`,
    workers: [`${root}src/proxy/workers/worker.ts`],
    folder,
  });
  return folder;
}

/** How to run the program: the bundle of this run of the suite, if there is one, else its sources. */
export function runWords(): ProgramWords {
  const folder = Deno.env.get(BUNDLE_VARIABLE);
  if (folder === undefined) {
    return { words: ["--config", `${root}deno.json`, `${root}main.ts`], env: {} };
  }
  return {
    words: [
      ...denoJson.unstable.map((feature) => `--unstable-${feature}`),
      ...["--no-config", `${folder}/main.js`],
    ],
    // Compiled code is kept beside it, and goes with it.
    env: { DENO_DIR: `${folder}/cache`, DENO_NO_UPDATE_CHECK: "1" },
  };
}
