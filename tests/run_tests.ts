/**
 * The whole test suite: format, lint, types, examples and tests, then one line with the sum.
 *
 * `deno task test` runs all of it; `deno task test tests/unit` or `deno task test --filter=word`
 * only the tests that these arguments of `deno test` choose. The last line printed is always
 * `N passed, N failed`, and the exit code is 0 only when nothing failed.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { type PortRange, portRange, PORTS_VARIABLE } from "./support/free_port.ts";
import { BUNDLE_VARIABLE, makeProgramBundle } from "./support/program_bundle.ts";
import {
  addUncaught,
  failureText,
  lastLines,
  readReport,
  type Results,
  slowest,
  unread,
} from "./support/test_report.ts";
import { ZookeeperServer } from "./support/zookeeper_server.ts";

/** A run of `deno test` that takes longer hangs, and is killed; the longest file takes a minute and a half. */
const RUN_LIMIT_MINUTES = 6;

/** What tests may do: use network and disk, and run these programs. */
const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
const PROGRAMS = [
  "redis-server",
  "redis-sentinel",
  "redis-cli",
  "redis-benchmark",
  "tclsh",
  "promtool",
  "helm",
  "unshare",
  "chromium-headless-shell",
  "sh",
  "bash",
  "cat",
  "id",
  "uname",
  "/usr/bin/python3",
  "ruby",
  Deno.execPath(),
];

/** Programs with a config of their own, so that nobody else fetches the libraries that they use. */
const FRAMEWORKS = "tests/frameworks";

/** When more files than this failed, it is not the busy machine. */
const SECOND_RUNS_MAX = 8;

const root = new URL("..", import.meta.url).pathname;

/**
 * How many runs of `deno test` go on at the same time. Most tests wait most of the time: three for each
 * core keep the machine busy.
 */
const WORKERS = 3 * Math.max(2, navigator.hardwareConcurrency);

const UNITS = "tests/unit";
const UNITS_TOGETHER = 20;

/**
 * How many files one run of `deno test` takes, as one module, by folder. Folders with long tests come first: few of
 * their files are run together, so that none holds up the end.
 */
const FILES_TOGETHER: readonly (readonly [folder: string, count: number])[] = [
  ["tests/e2e", 1],
  ["tests/conformance", 1],
  ["tests/contract", 1],
  ["tests/integration", 4],
  ["tests/fuzz", 1],
  [UNITS, UNITS_TOGETHER],
];

/**
 * The files that take longest beside others, as the end of a whole run names them, each list one run. They come
 * first: begun late, one alone would hold up the end. Files that start a browser follow one another: each browser
 * wants a core for itself, and a page that is drawn late is drawn again before anything else happens on it.
 */
const LONGEST: readonly (readonly string[])[] = [
  ["tests/e2e/dashboard_page_test.ts", "tests/e2e/page_walk_test.ts"],
  [
    "tests/e2e/page_actions_test.ts",
    "tests/e2e/page_axe_test.ts",
    "tests/e2e/page_login_test.ts",
  ],
  ["tests/e2e/consistency_test.ts"],
  ["tests/e2e/migrate_progress_test.ts"],
  ["tests/integration/proxy/membership_etcd_test.ts"],
  ["tests/integration/proxy/membership_zookeeper_test.ts"],
  ["tests/e2e/outage_zookeeper_test.ts"],
  ["tests/e2e/walkthrough_test.ts"],
  ["tests/integration/upgrade/upgrade_test.ts"],
  ["tests/integration/proxy/self_extracting_test.ts"],
];

/**
 * Starts a program so that it has only the time in which no other wants a core. Checks, examples and units that count
 * on no time run so, in lanes of their own, when there is nothing else to begin: beside the files that run alone, which
 * leave half of the machine's time.
 */
const LEFT_OVER = ["chrt", "--idle", "0"];
const LEFT_OVER_LANES = 2;

/** In the text of a test that counts on time. */
const COUNTS_TIME = /\b(?:delay|until|within|setTimeout|Date\.now|performance\.now)\(/;

/** In the header of a file whose tests measure times: such files run last, one after another. */
const RUNS_ALONE = /^ \* Runs alone: \S/m;

/** How a run of deno ended. */
interface Ended {
  hasPassed: boolean;
  /** What it printed, without colours. */
  output: string;
}

/** All that a stream brings, printed as it comes unless `quiet`. */
async function outputOf(stream: ReadableStream<Uint8Array>, quiet: boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    if (!quiet) {
      for (let at = 0; at < piece.length;) at += Deno.stdout.writeSync(piece.subarray(at));
    }
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}

/** How deno is run. */
interface RunOptions {
  /** Whether its output is printed all at its end, not as it comes. */
  readonly quiet?: boolean;
  /** The ports that its servers have for themselves. @default all, shared with whoever else runs tests */
  readonly ports?: PortRange;
  /** What it is started with. @default nothing */
  readonly by?: readonly string[];
}

/** Runs deno. */
async function runDeno(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { quiet = false, ports, by = [] } = options;
  const [program, ...words] = [...by, Deno.execPath(), ...args] as [string, ...string[]];
  const child = new Deno.Command(program, {
    args: words,
    cwd: root,
    env: ports === undefined ? {} : { [PORTS_VARIABLE]: JSON.stringify(ports) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => {
    console.error(`deno still runs after ${RUN_LIMIT_MINUTES} minutes: killed`);
    child.kill("SIGKILL");
  }, RUN_LIMIT_MINUTES * 60_000);
  const [stdout, stderr, { success: hasPassed }] = await Promise.all([
    outputOf(child.stdout, quiet),
    outputOf(child.stderr, quiet),
    child.status,
  ]);
  clearTimeout(timer);
  if (quiet) console.log(`${stdout}${stderr}`);
  return { hasPassed, output: stripVTControlCharacters(`${stdout}${stderr}`) };
}

/** Checks that count as one test each. */
const CHECKS: readonly (readonly string[])[] = ["check", "lint", "fmt --check"].flatMap((words) => {
  const args = [...words.split(" "), "--quiet"];
  return [args, [...args, "--config", `${FRAMEWORKS}/deno.json`, FRAMEWORKS]];
});

async function check(args: readonly string[], results: Results): Promise<void> {
  const name = `deno ${args.filter((word) => !/^--(quiet|config)$|\.json$/.test(word)).join(" ")}`;
  const { hasPassed } = await runDeno(args, { quiet: true, by: LEFT_OVER });
  console.log(`${name} ... ${hasPassed ? "ok" : "FAILED"}`);
  results.set(name, {
    passed: hasPassed ? 1 : 0,
    failures: hasPassed ? [] : [name],
    seconds: 0,
  });
}

async function* testFiles(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(`${root}${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* testFiles(path);
    else if (entry.name.endsWith("_test.ts")) yield path;
  }
}

/** Runs tests, as {@linkcode runDeno} runs deno. */
async function runTests(args: readonly string[], options: RunOptions = {}): Promise<Results> {
  const report = await Deno.makeTempFile({ prefix: "codis-tests-", suffix: ".xml" });
  const programs = [...PROGRAMS];
  for (
    const name of [
      ...["CODIS_PROXY_BIN", "CODIS_SERVER", "NEW_SERVER"],
      ...["CODIS3_DASHBOARD", "CODIS3_PROXY"],
    ]
  ) {
    const program = Deno.env.get(name);
    if (program !== undefined) programs.push(program);
  }
  try {
    const { hasPassed, output } = await runDeno(
      [
        ...["test", ...PERMISSIONS, `--allow-run=${programs.join(",")}`, "--no-prompt"],
        ...[`--junit-path=${report}`, ...args],
      ],
      options,
    );
    const results = readReport(await Deno.readTextFile(report));
    addUncaught(output, results);
    if (!hasPassed && [...results.values()].every(({ failures }) => failures.length === 0)) {
      // Any of its files may be why: each runs once more.
      const files = args.filter((word) => word.endsWith("_test.ts"));
      for (const name of files.length > 0 ? files : [args.join(" ")]) {
        const failure = failureText(`${name}: the run failed, no test did`, lastLines(output));
        const { passed = 0, seconds = 0 } = results.get(name) ?? {};
        results.set(name, { passed, seconds, failures: [failure] });
      }
    }
    return results;
  } finally {
    await Deno.remove(report);
  }
}

/**
 * Runs files as one module: what they share is loaded and compiled once. One that cannot be loaded would hide the
 * others: then each is loaded by itself, and what was wrong before is told at the end.
 */
async function runTogether(files: readonly string[], options: RunOptions): Promise<Results> {
  if (files.length > 1) {
    const entry = await Deno.makeTempFile({ prefix: "codis-tests-", suffix: "_test.ts" });
    try {
      const imports = files.map((file) => `import ${JSON.stringify(`file://${root}${file}`)};\n`);
      await Deno.writeTextFile(entry, imports.join(""));
      const words = ["--no-check", `--config=${root}deno.json`, entry];
      const results = await runTests(words, options);
      const others = [...results].filter(([file]) => !files.includes(file));
      if (others.length === 0 && files.every((file) => results.has(file))) return results;
      for (const [, { failures }] of others) {
        notes.push(...failures.map((text) => `FAILED ONCE, beside other files: ${text}`));
      }
    } finally {
      await Deno.remove(entry);
    }
  }
  const results: Results = new Map();
  for (const file of files) addAll(results, await runTests(["--no-check", file], options));
  return results;
}

function addAll(results: Results, more: Results): void {
  for (const [file, result] of more) results.set(file, result);
}

/** Does pieces of work in lanes, the first of which has this number, each with ports of its own. */
function lanesFor<T>(
  pieces: T[],
  work: (piece: T, ports: PortRange) => void | Promise<void>,
  first = 0,
  count = WORKERS,
): Promise<void>[] {
  return Array.from({ length: count }, async (_, lane) => {
    const ports = portRange(first + lane, WORKERS + LEFT_OVER_LANES);
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      await work(piece, ports);
    }
  });
}

/** Begins what has the time that is left over. */
function leftOverLanes(files: string[], results: Results): Promise<void>[] {
  const options = { quiet: true, by: LEFT_OVER };
  const pieces: ((ports: PortRange) => Promise<void>)[] = [
    // A mistake in types must not hide the results of tests.
    ...CHECKS.map((args) => () => check(args, results)),
    async () => addAll(results, await runTests(["--doc", "--no-check", "src"], options)),
  ];
  while (files.length > 0) {
    const some = files.splice(0, UNITS_TOGETHER);
    pieces.push(async (ports) => addAll(results, await runTogether(some, { ...options, ports })));
  }
  return lanesFor(pieces, (work, ports) => work(ports), WORKERS, LEFT_OVER_LANES);
}

/** Runs checks and every test: first many at the same time, then those that need the machine
 * alone, and what takes no time of theirs. */
async function runAll(results: Results): Promise<void> {
  const all: string[] = [];
  for await (const file of testFiles("tests")) all.push(file);
  // The same files are run together on every machine.
  all.sort();
  const texts = await Promise.all(all.map((file) => Deno.readTextFile(`${root}${file}`)));
  const alone = all.filter((_, i) => RUNS_ALONE.test(texts[i]!));
  const beside = all.filter((file) => !alone.includes(file));
  const longest = LONGEST.flat();
  for (const file of longest.filter((file) => !beside.includes(file))) {
    const name = `LONGEST of tests/run_tests.ts: ${file}`;
    results.set(name, unread(name, "is not there, or runs alone"));
  }
  const runs = LONGEST.map((files) => files.filter((file) => beside.includes(file)))
    .filter((files) => files.length > 0);
  const unhurried = beside.filter((file) =>
    file.startsWith(`${UNITS}/`) && !COUNTS_TIME.test(texts[all.indexOf(file)]!)
  );
  for (const [folder, count] of FILES_TOGETHER) {
    const files = beside.filter((file) =>
      file.startsWith(`${folder}/`) && !longest.includes(file) && !unhurried.includes(file)
    );
    while (files.length > 0) runs.push(files.splice(0, count));
  }
  // What all of them need is fetched once, before it could hold up a test.
  const programs = [...Deno.readDirSync(`${root}${FRAMEWORKS}`)]
    .filter(({ name }) => name.endsWith(".ts")).map(({ name }) => `${FRAMEWORKS}/${name}`);
  const fetch = ["cache", "--quiet", "--no-check"];
  await runDeno([...fetch, "main.ts", ...all]);
  await runDeno([...fetch, "--config", `${FRAMEWORKS}/deno.json`, ...programs]);
  const lanes = lanesFor(runs, async (files, ports) => {
    addAll(results, await runTogether(files, { quiet: true, ports }));
  });
  await Promise.race(lanes);
  const leftOver = leftOverLanes(unhurried, results);
  await Promise.all(lanes);
  addAll(results, await runTests(["--no-check", ...alone]));
  await Promise.all(leftOver);
  for (const file of all) {
    // A file that does not load is not in the report.
    if (!results.has(file)) {
      results.set(file, unread(file, "did not run"));
    }
  }
  await runFailedAgain(all, results);
}

/**
 * Runs files that failed once more, one after the other: the limits of time in a test must not depend on
 * what else the machine does. Both outcomes are printed, so that nothing that fails now and then is hidden.
 */
async function runFailedAgain(all: readonly string[], results: Results): Promise<void> {
  const failed = all.filter((file) => results.get(file)!.failures.length > 0);
  if (failed.length > SECOND_RUNS_MAX) return;
  for (const file of failed) {
    const first = results.get(file)!.failures;
    console.log(`\nfailed beside others, runs again alone:\n${first.join("\n")}`);
    results.delete(file);
    addAll(results, await runTests(["--no-check", file]));
    const second = results.get(file);
    if (second === undefined) {
      results.set(file, unread(file, "did not run"));
    } else if (second.failures.length === 0) {
      notes.push(...first.map((text) => `FAILED ONCE, passed alone: ${text}`));
    }
  }
}

/** What is printed at the end beside failures. */
const notes: string[] = [];

/** What to do about programs that tests did not find, if there are any. */
function missingPrograms(failures: readonly string[]): string[] {
  const found = failures.join("\n").matchAll(/Failed to spawn '([^']+)': entity not found/g);
  const names = new Set([...found].map(([, name]) => name));
  if (names.size === 0) return [];
  return [`not in PATH: ${[...names].join(", ")}. "make test ARGS=FILE" installs what tests need`];
}

/** Bundles the program for the tests that start it; they run its sources when it cannot be bundled. */
async function prepareProgram(results: Results, stack: AsyncDisposableStack): Promise<void> {
  try {
    const folder = await makeProgramBundle();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    Deno.env.set(BUNDLE_VARIABLE, folder);
  } catch (error) {
    results.set("deno bundle", unread("deno bundle", `${error}`));
  }
}

/** Names the test files and folders that are asked for and do not exist; one of them fails a whole run of Deno. */
async function addMissing(args: readonly string[], results: Results): Promise<void> {
  for (const path of args.filter((word) => /^(\.\/)?tests\/[^*]*$/.test(word))) {
    const isThere = await Deno.stat(`${root}${path}`).then(() => true, () => false);
    if (!isThere) results.set(path, unread(path, "there is no such file or folder"));
  }
}

async function main(): Promise<void> {
  const results: Results = new Map();
  await addMissing(Deno.args, results);
  if (results.size > 0) {
    console.log("nothing was run");
  } else if (Deno.args.length > 0) {
    addAll(results, await runTests(Deno.args));
  } else {
    await using stack = new AsyncDisposableStack();
    await Promise.all([prepareProgram(results, stack), ZookeeperServer.keepClasses(stack)]);
    await runAll(results);
    console.log(`\nslowest files:\n${slowest(results)}`);
  }
  const failures = [...results.values()].flatMap((result) => result.failures);
  const passed = [...results.values()].reduce((sum, result) => sum + result.passed, 0);
  const told = [
    ...notes,
    ...failures.map((text) => `FAILED ${text}`),
    ...missingPrograms(failures),
  ];
  if (told.length > 0) console.log(`\n${told.join("\n")}\n`);
  console.log(`${passed} passed, ${failures.length} failed`);
  Deno.exit(failures.length === 0 ? 0 : 1);
}

await main();
