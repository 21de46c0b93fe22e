/**
 * The judge: Redis's own test suite against a redis-server, and against the proxy before two of them.
 * `make conformance`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { compare, totalsOf, type UnitComparison } from "./comparison.ts";
import { partText, writePart } from "./document.ts";
import { NO_REASON } from "./reasons.ts";
import { endRuns, runUnit, type UnitRun } from "./run_unit.ts";
import { ensureSource, type RedisSource, WORK_FOLDER } from "./source.ts";
import type { Way } from "./target.ts";
import { QUICK_SKIPPED, QUICK_UNITS } from "./quick_units.ts";

const HELP = `deno task conformance [options]

  --migrating       while all slots move to and fro between the two servers
  --unit=A,B        these units alone, as unit/type/list; docs/conformance.md stays as it is
  --quick           the short choice of units that the test suite runs; the same
  --plain           by runtest itself, which ends a unit at its first exception; the same
  --lanes=N         units that run at a time; as many as cores
  --cpu=N           workers of the proxy; as many as cores
`;

/** These take longest, and begin first. */
const LONG_UNITS: readonly string[] = [
  ...["unit/type/list-3", "unit/hyperloglog", "unit/type/zset", "unit/type/list-2"],
  ...["unit/geo", "unit/type/stream", "unit/type/list", "unit/type/string"],
];

interface Options {
  readonly isMigrating: boolean;
  readonly isPlain: boolean;
  /** Undefined: all. */
  readonly units: readonly string[] | undefined;
  readonly lanes: number;
  readonly cpu: number;
  /** Tests that are left out. */
  readonly skipped: readonly string[];
}

function stop(message: string, code = 1): never {
  console.log(message);
  Deno.exit(code);
}

function readOptions(args: readonly string[]): Options {
  const flags = parseArgs([...args], {
    boolean: ["help", "migrating", "quick", "plain"],
    string: ["unit", "lanes", "cpu"],
    unknown: (arg) => stop(`unknown option "${arg}"\n\n${HELP}`),
  });
  if (flags.help) stop(HELP, 0);
  const count = (name: "lanes" | "cpu") => {
    const value = Number(flags[name] ?? navigator.hardwareConcurrency);
    return Number.isInteger(value) && value > 0
      ? value
      : stop(`--${name}: "${flags[name]}" is not a whole number above 0`);
  };
  return {
    isMigrating: flags.migrating,
    isPlain: flags.plain,
    units: flags.quick ? QUICK_UNITS : flags.unit?.split(","),
    lanes: count("lanes"),
    cpu: count("cpu"),
    skipped: flags.quick ? QUICK_SKIPPED : [],
  };
}

function chosenUnits({ units }: RedisSource, wanted: readonly string[] | undefined): string[] {
  const unknown = (wanted ?? []).filter((unit) => !units.includes(unit));
  if (unknown.length > 0) stop(`no such unit: ${unknown.join(", ")}`);
  const rank = (unit: string) => (LONG_UNITS.indexOf(unit) + 1) || LONG_UNITS.length + 1;
  return [...wanted ?? units].sort((a, b) => rank(a) - rank(b));
}

/** Runs a unit both ways. Without a test that runs directly there is nothing to compare. */
async function judgeUnit(
  source: RedisSource,
  unit: string,
  { isMigrating, ...options }: Options,
): Promise<UnitComparison | undefined> {
  const direct = await runUnit(source, unit, { way: "direct", ...options });
  if (direct.tests.length === 0) return undefined;
  const way: Way = isMigrating ? "migrating" : "proxy";
  const through = await runUnit(source, unit, { way, ...options });
  const result = compare(direct, through);
  console.log(line(result, direct, through));
  for (const text of result.trouble) console.log(`  ${text}`);
  return result;
}

function line(result: UnitComparison, direct: UnitRun, through: UnitRun): string {
  const seconds = `${direct.seconds.toFixed(0)} s, ${through.seconds.toFixed(0)} s`;
  const moved = through.slotsMoved === 0 ? "" : `, ${through.slotsMoved} slots moved`;
  return `${result.unit}: ${result.passedThrough} of ${result.passedDirectly} (${seconds}${moved})`;
}

/** What is left to do, with what the tests said. */
function openEnds(units: readonly UnitComparison[]): string {
  return units.flatMap(({ unit, differences, trouble }) => [
    ...trouble.map((text) => `${unit}: ${text}\n`),
    ...differences.map(({ name, reason, why }) =>
      `${unit}: ${name}\n    ${reason}\n    ${why.split("\n", 1)[0]}\n`
    ),
  ]).join("");
}

async function main(): Promise<void> {
  const options = readOptions(Deno.args);
  const source = await ensureSource();
  const waiting = chosenUnits(source, options.units);
  const order = [...source.units];
  const results: UnitComparison[] = [];
  const lane = async () => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) {
      const result = await judgeUnit(source, unit, options);
      if (result !== undefined) results.push(result);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, endRuns);
  const ends = await Promise.allSettled(Array.from({ length: options.lanes }, lane));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  results.sort((a, b) => order.indexOf(a.unit) - order.indexOf(b.unit));

  const name = options.isPlain ? "plain" : options.isMigrating ? "migrating" : "proxy";
  const list = `${WORK_FOLDER}/failures-${name}.txt`;
  await Deno.writeTextFile(list, openEnds(results));
  if (options.units === undefined && !options.isPlain) {
    const part = options.isMigrating ? "while slots move" : "at rest";
    await writePart(part, partText(results, source.version));
    console.log("docs/conformance.md is written");
  }
  const { tests, passedDirectly, passedThrough, hangs } = totalsOf(results);
  const open = results.flatMap(({ differences }) => differences).filter(({ reason }) =>
    reason === NO_REASON
  );
  console.log(
    `${tests} tests, ${passedDirectly} pass directly, ${passedThrough} of these through the proxy, ` +
      `${hangs} wait in vain for a reply, ${open.length} fail without a known reason: ${list}`,
  );
}

try {
  await main();
} catch (error) {
  stop((error as Error).message);
}
