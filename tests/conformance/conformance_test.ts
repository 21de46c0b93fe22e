/**
 * A short choice of Redis's own tests: what passes on a redis-server passes through the proxy, but for
 * the tests that docs/conformance.md lists. `make conformance` runs all of them and writes that list.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compare } from "./comparison.ts";
import { DOCUMENT, listedDifferences, listedName, partText, replacePart } from "./document.ts";
import { QUICK_UNITS } from "./quick_units.ts";
import { runUnit } from "./run_unit.ts";
import { ensureSource } from "./source.ts";

/** Fewer workers than cores may be: each unit has a proxy of its own. */
const CPU = 2;

/** Tests that fail only through the proxy, and that the document does not list. */
async function unlistedFailures(unit: string): Promise<string[]> {
  const source = await ensureSource();
  const direct = await runUnit(source, unit, { way: "direct", cpu: CPU, isPlain: false });
  const through = await runUnit(source, unit, { way: "proxy", cpu: CPU, isPlain: false });
  const { differences, passedDirectly, trouble } = compare(direct, through);
  assert(passedDirectly > 0, "no test of the unit passes on a redis-server");
  const listed = listedDifferences(await Deno.readTextFile(DOCUMENT), "at rest").get(unit) ?? [];
  const failures: string[] = [];
  for (const { name, why } of differences) {
    const at = listed.indexOf(listedName(name));
    if (at >= 0) listed.splice(at, 1);
    else failures.push(`${name}: ${why}`);
  }
  return [...trouble, ...failures];
}

for (const unit of QUICK_UNITS) {
  Deno.test(`${unit} of Redis's suite fails nowhere but where docs/conformance.md says`, async () => {
    // Some of Redis's tests hold the server to times: on a busy machine they may fail once.
    const first = await unlistedFailures(unit);
    if (first.length > 0) assertEquals(await unlistedFailures(unit), [], first.join("\n"));
  });
}

Deno.test("the document gives back what was written into it", () => {
  const unit = {
    unit: "unit/multi",
    tests: 4,
    passedDirectly: 4,
    passedThrough: 1,
    trouble: [],
    differences: [
      { name: "EXEC: `a`  *b*", reason: "no reason known", why: "" },
      { name: "twice", reason: "servers are several", why: "" },
      { name: "twice", reason: "servers are several", why: "" },
    ],
  };
  const text = partText([unit], "7.0.15");
  const before = "# Title\n\n<!-- at rest -->old<!-- /at rest -->\n\nend\n";
  const document = replacePart(before, "at rest", text);
  assertEquals(
    listedDifferences(document, "at rest"),
    new Map([["unit/multi", ["EXEC: 'a' *b*", "twice", "twice"]]]),
  );
  assertEquals(listedDifferences(document, "while slots move"), new Map());
  assertEquals(document.startsWith("# Title\n\n<!-- at rest -->\n\nRedis 7.0.15: of 4"), true);
  assertEquals(document.endsWith("<!-- /at rest -->\n\nend\n"), true);
  assertEquals(listedName("EXEC: `a`  *b*"), "EXEC: 'a' *b*");
});
