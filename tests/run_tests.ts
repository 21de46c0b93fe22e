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

/** A run of `deno test` that takes longer hangs, and is killed. */
const RUN_LIMIT_MINUTES = 15;

/** What tests may do: use network and disk, and run these programs. */
const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
const PROGRAMS = [
  "redis-server",
  "redis-cli",
  "redis-benchmark",
  "tclsh",
  "chromium",
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

/** Lines of a failure's message that are repeated at the end, where everybody looks. */
const MESSAGE_LINES = 4;
/** Longest such line, in characters. */
const LINE_LIMIT = 160;

interface Sum {
  passed: number;
  failed: number;
  /** A text for each failure: the file and the test, and how its message begins. */
  failures: string[];
}

const emptySum = (): Sum => ({ passed: 0, failed: 0, failures: [] });

function countFailure(sum: Sum, name: string, message = ""): void {
  sum.failed++;
  const lines = message.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const shown = lines.slice(0, MESSAGE_LINES).map((line) => `  ${line.slice(0, LINE_LIMIT)}`);
  sum.failures.push([`FAILED ${name}`, ...shown].join("\n"));
}

const root = new URL("..", import.meta.url).pathname;

/**
 * How many runs of `deno test` go on at the same time. Most tests wait most of the time: twice as many
 * as cores keep the machine busy.
 */
const WORKERS = 2 * Math.max(2, navigator.hardwareConcurrency);

/** How many files one run of `deno test` takes, by folder. Folders with long tests come first. */
const FILES_AT_ONCE: readonly (readonly [folder: string, count: number])[] = [
  ["tests/e2e", 1],
  ["tests/conformance", 1],
  ["tests/contract", 1],
  ["tests/integration", 2],
  ["tests/fuzz", 1],
  ["tests/unit", 20],
];

/** In the header of a file whose tests measure times: such files run last, one after another. */
const RUNS_ALONE = /^ \* Runs alone: \S/m;

/** Runs deno. Its output is printed as it comes or, when `quiet`, all at its end. */
async function runDeno(args: string[], quiet = false): Promise<boolean> {
  const output = quiet ? "piped" : "inherit";
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    stdin: "null",
    stdout: output,
    stderr: output,
  }).spawn();
  const timer = setTimeout(() => {
    console.error(`deno still runs after ${RUN_LIMIT_MINUTES} minutes: killed`);
    child.kill("SIGKILL");
  }, RUN_LIMIT_MINUTES * 60_000);
  if (!quiet) {
    const { success } = await child.status;
    clearTimeout(timer);
    return success;
  }
  const [stdout, stderr, { success }] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  clearTimeout(timer);
  console.log(`${stdout}${stderr}`);
  return success;
}

/** A check that counts as one test. */
async function check(name: string, args: string[], sum: Sum): Promise<void> {
  const hasPassed = await runDeno(args);
  console.log(`${name} ... ${hasPassed ? "ok" : "FAILED"}`);
  hasPassed ? sum.passed++ : countFailure(sum, name);
}

/** The text of a part of XML. */
function unescaped(text: string): string {
  const named = new Map([["lt", "<"], ["gt", ">"], ["quot", '"'], ["apos", "'"], ["amp", "&"]]);
  return stripVTControlCharacters(text).replace(
    /&(?:(lt|gt|quot|apos|amp)|#(\d+));/g,
    (_, name, code) => {
      return named.get(name) ?? String.fromCodePoint(Number(code));
    },
  );
}

/** Adds up the cases of a JUnit report; returns the files that it names. */
function readReport(report: string, sum: Sum): Set<string> {
  const files = new Set<string>();
  // Names and messages are escaped: a "<" always begins a tag.
  for (const suite of report.split(/<testsuite name="/).slice(1)) {
    const file = suite.slice(0, suite.indexOf('"')).replace(/^\.\//, "");
    files.add(file);
    for (const [, head, inside] of suite.matchAll(/<testcase ([^>]*)>([\s\S]*?)<\/testcase>/g)) {
      const failure = inside!.match(/<(?:failure|error)\b[^>]*>([\s\S]*?)</);
      const name = unescaped(head!.match(/^name="([^"]*)"/)?.[1] ?? "");
      if (failure !== null) countFailure(sum, `${file}: ${name}`, unescaped(failure[1]!));
      else if (!/<skipped\b/.test(inside!)) sum.passed++;
    }
  }
  return files;
}

async function* testFiles(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(`${root}${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* testFiles(path);
    else if (entry.name.endsWith("_test.ts")) yield path;
  }
}

/** Runs tests; returns the files that they were in. */
async function runTests(args: string[], sum: Sum, quiet = false): Promise<Set<string>> {
  const report = await Deno.makeTempFile({ prefix: "codis-tests-", suffix: ".xml" });
  const programs = [...PROGRAMS];
  for (const name of ["CODIS_PROXY_BIN", "CODIS_SERVER"]) {
    const program = Deno.env.get(name);
    if (program !== undefined) programs.push(program);
  }
  const own = emptySum();
  try {
    const hasPassed = await runDeno([
      ...["test", ...PERMISSIONS, `--allow-run=${programs.join(",")}`, "--no-prompt"],
      ...[`--junit-path=${report}`, ...args],
    ], quiet);
    const files = readReport(await Deno.readTextFile(report), own);
    if (!hasPassed && own.failed === 0) countFailure(own, args.join(" "), "ended without a report");
    return files;
  } finally {
    sum.passed += own.passed;
    sum.failed += own.failed;
    sum.failures.push(...own.failures);
    await Deno.remove(report);
  }
}

/** Runs every test: first many files at the same time, then those that need the machine alone. */
async function runAll(sum: Sum): Promise<void> {
  const all: string[] = [];
  for await (const file of testFiles("tests")) all.push(file);
  const texts = await Promise.all(all.map((file) => Deno.readTextFile(`${root}${file}`)));
  const alone = all.filter((_, i) => RUNS_ALONE.test(texts[i]!));
  // The types have been checked. A mistake in them must not hide the results of tests.
  const runs: string[][] = [["--doc", "--no-check", "src"]];
  for (const [folder, count] of FILES_AT_ONCE) {
    const files = all.filter((file) => file.startsWith(`${folder}/`) && !alone.includes(file));
    while (files.length > 0) runs.push(["--no-check", ...files.splice(0, count)]);
  }
  const seen: Set<string>[] = [];
  const work = async () => {
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
      seen.push(await runTests(run, sum, true));
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  seen.push(await runTests(["--no-check", ...alone], sum));
  for (const file of all) {
    // A file that does not load is not in the report.
    if (seen.some((files) => files.has(file))) continue;
    countFailure(sum, file, "did not run");
  }
}

async function main(): Promise<void> {
  const sum = emptySum();
  if (Deno.args.length > 0) {
    await runTests(Deno.args, sum);
  } else {
    await Promise.all([
      check("deno fmt --check", ["fmt", "--check", "--quiet"], sum),
      check("deno lint", ["lint", "--quiet"], sum),
      check("deno check", ["check", "--quiet"], sum),
      ...["fmt --check --quiet", "lint --quiet", "check --quiet"].map((words) => {
        const [command, ...flags] = words.split(" ");
        const args = [command!, ...flags, "--config", `${FRAMEWORKS}/deno.json`, FRAMEWORKS];
        return check(`deno ${command} ${FRAMEWORKS}`, args, sum);
      }),
    ]);
    await runAll(sum);
  }
  if (sum.failed > 0) console.log(`\n${sum.failures.join("\n")}\n`);
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  Deno.exit(sum.failed === 0 ? 0 : 1);
}

await main();
