/**
 * Runs one unit of Redis's suite against servers of its own.
 *
 * @module
 */

import { Child } from "../support/child.ts";
import { delay } from "@std/async/delay";
import { OWN_SERVER_UNITS, OwnServers } from "./own_servers.ts";
import { parseOutput, type UnitOutput } from "./output.ts";
import { type RedisSource, WORK_FOLDER } from "./source.ts";
import { startTarget, type Way } from "./target.ts";

/** How a unit is run. */
export interface UnitOptions {
  readonly way: Way;
  /** Workers of the proxy. */
  readonly cpu: number;
  /** Whether runtest itself runs it, which ends a unit at its first exception. */
  readonly isPlain: boolean;
  /** Tests that are left out. */
  readonly skipped: readonly string[];
}

/** What became of a unit. */
export interface UnitRun extends UnitOutput {
  readonly unit: string;
  readonly seconds: number;
  readonly slotsMoved: number;
  /** What went wrong outside of tests: the proxy ended, a test hung, no slot could be moved. */
  readonly trouble: readonly string[];
}

/** For servers that are not the suite's own, and may be several. */
const SUITE_OPTIONS: readonly string[] = [
  ...["--cluster-mode", "--singledb", "--ignore-encoding", "--ignore-digest"],
  ...["--tags", "-needs:debug -needs:repl -needs:config-maxmemory -needs:save -needs:reset"],
];
/** A test that waits longer for one reply has failed. While slots move a command may wait for its slot. */
const READ_LIMIT_SECONDS: Readonly<Record<Way, number>> = { direct: 15, proxy: 15, migrating: 30 };
/** A test that takes longer hangs: its unit is ended. */
const TEST_LIMIT_MS = 300_000;
const LOOK_MS = 250;
/** Ports for runtest's own process, one for each that may run at a time. */
const PLAIN_PORTS = { first: 21_111, step: 64, count: 64 };

const judge = new URL("judge.tcl", import.meta.url).pathname;
let plainRuns = 0;
/** Suites that run now. */
const running = new Set<Child>();
let isEnding = false;

/** Ends all runs at once, with all processes that they have started. No other run begins. */
export function endRuns(): void {
  isEnding = true;
  for (const child of running) child.signal("SIGKILL");
}

/**
 * Runs a unit to its end, or until it hangs. What was printed is kept in the work folder.
 *
 * @throws {Error} When the servers do not start, and after {@linkcode endRuns}.
 */
export async function runUnit(
  { folder }: RedisSource,
  unit: string,
  { way, cpu, isPlain, skipped }: UnitOptions,
): Promise<UnitRun> {
  if (isEnding) throw new Error("interrupted");
  const startMs = performance.now();
  const hasOwnServers = OWN_SERVER_UNITS.includes(unit);
  await using target = hasOwnServers
    ? await OwnServers.start(way, cpu, folder)
    : await startTarget(way, cpu);
  const controlPort = target instanceof OwnServers ? target.controlPort : 0;
  const suite = ["--host", "127.0.0.1", "--port", `${target.port}`, ...SUITE_OPTIONS];
  for (const test of skipped) suite.push("--skiptest", test);
  const child = isPlain
    ? new Child("sh", {
      args: ["./runtest", ...suite, "--single", unit, "--baseport", `${plainPort()}`],
      cwd: folder,
    })
    : new Child("tclsh", {
      args: [judge, unit, `${READ_LIMIT_SECONDS[way]}`, `${controlPort}`, ...suite],
      cwd: folder,
    });
  running.add(child);
  const hasHung = await watch(child).finally(() => running.delete(child));
  const output = parseOutput(child.stdout, !isPlain);
  await keep(way, unit, `${child.stdout}${child.stderr}\n--- the proxy ---\n${target.log()}`);
  const trouble: string[] = [];
  if (hasHung) trouble.push(`hung in "${output.unfinished ?? "its setup"}"`);
  else if (!output.isDone && !isPlain) trouble.push(`ended early: ${child.stderr.trim()}`);
  const failure = target.failure();
  if (failure !== undefined) trouble.push(failure);
  const seconds = (performance.now() - startMs) / 1000;
  return { ...output, unit, seconds, trouble, slotsMoved: target.slotsMoved() };
}

/** Waits for the end; ends a child that prints nothing for too long, and says whether it did. */
async function watch(child: Child): Promise<boolean> {
  let length = 0;
  let sinceMs = performance.now();
  while (!child.hasEnded) {
    await Promise.race([child.ended, delay(LOOK_MS)]);
    if (child.stdout.length !== length) {
      length = child.stdout.length;
      sinceMs = performance.now();
    }
    if (performance.now() - sinceMs > TEST_LIMIT_MS) {
      await child.end("SIGKILL");
      return true;
    }
  }
  return false;
}

function plainPort(): number {
  return PLAIN_PORTS.first + PLAIN_PORTS.step * (plainRuns++ % PLAIN_PORTS.count);
}

async function keep(way: Way, unit: string, text: string): Promise<void> {
  await Deno.mkdir(`${WORK_FOLDER}/output`, { recursive: true });
  await Deno.writeTextFile(`${WORK_FOLDER}/output/${way}-${unit.replaceAll("/", "-")}.txt`, text);
}
