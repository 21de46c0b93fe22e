/**
 * The consistency checker in short: slots go round four servers while clients write, are cancelled on
 * the way, and things are killed among them. `deno task bench:consistency --help` tells of the long one.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { PART_KINDS, runChecker } from "../bench/consistency/checker.ts";
import { reportText } from "../bench/consistency/run_consistency.ts";
import { FUZZ_SEED } from "../support/fuzz.ts";

const SIZE = { clients: 16, keys: 2_000, rate: 400, slots: 128, cancels: 6, rounds: 1 };
/** No further round is begun after this time. */
const SECONDS = 30;

/** Runs it, and asserts that nothing was wrong and that much was done. */
async function check(
  cluster: { backend: "stock" | "codis"; proxies: number; cpu: number },
  faults: readonly string[],
): Promise<void> {
  const told: string[] = [];
  const report = await runChecker({
    ...{ ...SIZE, ...cluster, faults, kills: 1, seconds: SECONDS, seed: FUZZ_SEED },
    coordinator: "embedded",
    delayMsMax: faults.length > 0 ? 20 : 2,
    parts: PART_KINDS,
    tell: (line) => told.push(line),
  });
  const text = `FUZZ_SEED=${FUZZ_SEED}\n${told.join("\n")}\n${reportText(report)}`;
  assertEquals(report.violated, 0, text);
  assertGreater(report.slotsMoved, SIZE.slots / 2, text);
  assertGreater(report.acknowledged, SIZE.keys, text);
  assertEquals(report.kills, Object.fromEntries(faults.map((kind) => [kind, 1])), text);
  assert(faults.length > 0 || report.refused + report.unknown + report.lost === 0, text);
}

Deno.test("slots go round codis-servers, proxies with two workers: nothing is lost, refused or doubled", async () => {
  await check({ backend: "codis", proxies: 2, cpu: 2 }, []);
});

Deno.test("slots go round, a server, a proxy and the dashboard are killed: nothing acknowledged is lost", async () => {
  await check({ backend: "stock", proxies: 2, cpu: 1 }, ["source", "proxy", "dashboard"]);
});
