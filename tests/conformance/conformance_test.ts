/**
 * A short choice of Redis's own tests: what passes on a redis-server passes through the proxy, but for
 * the tests for which reasons.ts says why. `make conformance` runs all of them.
 *
 * Runs alone: some of Redis's tests hold the server to times.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compare, totalsOf } from "./comparison.ts";
import { partText, replacePart } from "./document.ts";
import { QUICK_SKIPPED, QUICK_UNITS } from "./quick_units.ts";
import { NO_REASON, reasonFor } from "./reasons.ts";
import { runUnit } from "./run_unit.ts";
import { ensureSource } from "./source.ts";

/** Fewer workers than cores may be: each unit has a proxy of its own. */
const CPU = 2;
/** Its tests want in order what two clients are told: the threads of two workers may tell it in any. */
const IN_ORDER = "unit/tracking";

/** Tests that fail only through the proxy, and for which no reason is known. */
async function unexplainedFailures(unit: string): Promise<string[]> {
  const source = await ensureSource();
  const options = { cpu: unit === IN_ORDER ? 1 : CPU, isPlain: false, skipped: QUICK_SKIPPED };
  const [direct, through] = await Promise.all([
    runUnit(source, unit, { way: "direct", ...options }),
    runUnit(source, unit, { way: "proxy", ...options }),
  ]);
  const { differences, passedDirectly, trouble } = compare(direct, through);
  assert(passedDirectly > 0, "no test of the unit passes on a redis-server");
  const open = differences.filter(({ reason }) => reason === NO_REASON);
  return [...trouble, ...open.map(({ name, why }) => `${name}: ${why}`)];
}

for (const unit of QUICK_UNITS) {
  Deno.test(`${unit} of Redis's suite fails nowhere but where it must`, async () => {
    // On a busy machine such a test may fail once.
    const first = await unexplainedFailures(unit);
    if (first.length === 0) return;
    console.log(`failed once:\n${first.join("\n")}`);
    assertEquals(await unexplainedFailures(unit), [], first.join("\n"));
  });
}

Deno.test("the document's part lists each test that fails, and leaves the rest as it is", () => {
  const unit = {
    unit: "unit/multi",
    tests: 4,
    passedDirectly: 4,
    passedThrough: 1,
    trouble: [],
    differences: [
      { name: "EXEC: `a`  *b*", reason: "no reason known", why: "no reply within 15 s" },
      { name: "twice", reason: "servers are several", why: "" },
      { name: "twice", reason: "servers are several", why: "" },
    ],
  };
  const before = "# Title\n\n<!-- at rest -->old<!-- /at rest -->\n\nend\n";
  const row = "| 4 | 4 | 1 |\n";
  assertEquals(
    replacePart(before, "at rest", partText([unit], "7.0.15")),
    "# Title\n\n<!-- at rest -->\n\nRedis 7.0.15: of 4 tests 4 pass directly, and of these 1 pass through " +
      "the proxy. 1 wait in vain for a reply of the proxy.\n\n" +
      "| unit | tests | passed directly | of these through the proxy |\n|---|---|---|---|\n" +
      `| unit/multi ${row}| **all** ${row}\n### Tests that fail only through the proxy\n\n` +
      "#### unit/multi\n\n- `EXEC: 'a' *b*`: no reason known\n" +
      "- `twice`: servers are several\n- `twice`: servers are several\n\n" +
      "<!-- /at rest -->\n\nend\n",
  );
});

Deno.test("a test that waits for what cannot come counts as one that hangs, unless its reason says so", () => {
  const why = "no reply within 15 s";
  const hangsOf = (unit: string, name: string) =>
    totalsOf([{
      unit,
      tests: 1,
      passedDirectly: 1,
      passedThrough: 0,
      trouble: [],
      differences: [{ name, reason: reasonFor(unit, name), why }],
    }]).hangs;
  assertEquals(hangsOf("unit/introspection", "MONITOR can log commands issued by functions"), 0);
  assertEquals(hangsOf("unit/introspection", "CONFIG sanity"), 1);
  const rewritten = "SLOWLOG - Rewritten commands are logged as their original command";
  assertEquals(hangsOf("unit/slowlog", rewritten), 1);
});
