/**
 * One unit run directly and through the proxy, test by test.
 *
 * @module
 */

import { mayWaitInVain, reasonFor } from "./reasons.ts";
import type { UnitRun } from "./run_unit.ts";

/** A test that passes directly, and not through the proxy. */
export interface Difference {
  readonly name: string;
  /** Why it must; `NO_REASON` when nobody has said so. */
  readonly reason: string;
  /** What it said, or that it did not run. */
  readonly why: string;
}

/** How a unit went. */
export interface UnitComparison {
  readonly unit: string;
  /** Tests that ran directly. */
  readonly tests: number;
  readonly passedDirectly: number;
  /** Of those that pass directly. */
  readonly passedThrough: number;
  readonly differences: readonly Difference[];
  readonly trouble: readonly string[];
}

/** Sums of all units. */
export interface Totals {
  readonly tests: number;
  readonly passedDirectly: number;
  readonly passedThrough: number;
  /** Tests that waited for a reply that never came, but for those whose reason says so. */
  readonly hangs: number;
}

/** What judge.tcl says of a test that waited for a reply too long. */
const HANG = /no reply within \d+ s/;

/** Compares two runs of one unit. Tests of one name are told apart by their order. */
export function compare(direct: UnitRun, through: UnitRun): UnitComparison {
  const results = byName(through);
  const differences: Difference[] = [];
  let passedDirectly = 0;
  for (const [key, { name, hasPassed }] of byName(direct)) {
    if (!hasPassed) continue;
    passedDirectly++;
    const result = results.get(key);
    if (result?.hasPassed) continue;
    const why = result === undefined ? "it did not run" : result.why;
    differences.push({ name, reason: reasonFor(direct.unit, name), why });
  }
  return {
    unit: direct.unit,
    tests: direct.tests.length,
    passedDirectly,
    passedThrough: passedDirectly - differences.length,
    differences,
    trouble: [...direct.trouble.map((text) => `directly: ${text}`), ...through.trouble],
  };
}

function byName({ tests }: UnitRun): Map<string, UnitRun["tests"][number]> {
  const counts = new Map<string, number>();
  return new Map(tests.map((test) => {
    const count = (counts.get(test.name) ?? 0) + 1;
    counts.set(test.name, count);
    return [`${count} ${test.name}`, test];
  }));
}

/** The sums over all units. */
export function totalsOf(units: readonly UnitComparison[]): Totals {
  const sum = (of: (unit: UnitComparison) => number) =>
    units.reduce((all, unit) => all + of(unit), 0);
  return {
    tests: sum((unit) => unit.tests),
    passedDirectly: sum((unit) => unit.passedDirectly),
    passedThrough: sum((unit) => unit.passedThrough),
    hangs: sum(({ unit, differences }) =>
      differences.filter(({ name, why }) => HANG.test(why) && !mayWaitInVain(unit, name)).length
    ),
  };
}
