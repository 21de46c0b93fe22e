/**
 * The whole test suite: format, lint, types, examples and tests, then one line with the sum.
 *
 * `deno task test` runs all of it; `deno task test tests/unit` or `deno task test --filter=word`
 * only the tests that these arguments of `deno test` choose. The last line printed is always
 * `N passed, N failed`, and the exit code is 0 only when nothing failed.
 *
 * @module
 */

/** A run that takes longer hangs somewhere, and is ended. */
const RUN_LIMIT_MINUTES = 20;

/** What tests may do: anything on this machine's network and disk, these programs and no others. */
const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
const PROGRAMS = [
  "redis-server",
  "redis-cli",
  "redis-benchmark",
  "chromium",
  "sh",
  "bash",
  "cat",
  "id",
  "uname",
  Deno.execPath(),
];

interface Sum {
  passed: number;
  failed: number;
}

const root = new URL("..", import.meta.url).pathname;

/** Files whose tests hold the program to a time: in a whole run they come last, and alone. */
const TIMED =
  /^tests\/(e2e\/(cluster|server_loss)|integration\/(back_pressure|migrate_load|server_death|slow_reader|workers))_/;

/** Files whose tests mostly wait: in a whole run each set goes beside others, its output comes after. */
const WAITING = [
  new RegExp(
    "^tests/(contract|fuzz|unit)/|^tests/e2e/consistency_|" +
      "^tests/integration/(config_wait|embedded|etcd|membership|random|store|zookeeper)_",
  ),
  new RegExp(
    "^tests/e2e/dashboard_crash_|" +
      "^tests/integration/(config_(check|cli|import)|dashboard|dialog_texts|failover|late_copy|migrate|promote|rebalance|server_names)_",
  ),
];

/** Runs deno, with its output on ours at once or, when it is `quiet`, at its end. */
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
    console.error(`still running after ${RUN_LIMIT_MINUTES} minutes: ended`);
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
  hasPassed ? sum.passed++ : sum.failed++;
}

/** Adds up the cases of a JUnit report; returns the files it tells of. */
function readReport(report: string, sum: Sum): Set<string> {
  const files = new Set<string>();
  for (const [, file] of report.matchAll(/<testsuite name="([^"]*)"/g)) {
    files.add(file!.replace(/^\.\//, ""));
  }
  // Names and messages are escaped, so that no "<" can be anything but a tag.
  for (const [, inside] of report.matchAll(/<testcase [^>]*>([\s\S]*?)<\/testcase>/g)) {
    if (/<(failure|error)\b/.test(inside!)) sum.failed++;
    else if (!/<skipped\b/.test(inside!)) sum.passed++;
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
  const own: Sum = { passed: 0, failed: 0 };
  try {
    const hasPassed = await runDeno([
      ...["test", ...PERMISSIONS, `--allow-run=${programs.join(",")}`, "--no-prompt"],
      ...[`--junit-path=${report}`, ...args],
    ], quiet);
    const files = readReport(await Deno.readTextFile(report), own);
    if (!hasPassed && own.failed === 0) own.failed++;
    return files;
  } finally {
    sum.passed += own.passed;
    sum.failed += own.failed;
    await Deno.remove(report);
  }
}

/** Runs every test there is: first in three lanes, then those that want the machine for themselves. */
async function runAll(sum: Sum): Promise<void> {
  const all: string[] = [];
  for await (const file of testFiles("tests")) all.push(file);
  const timed = all.filter((file) => TIMED.test(file));
  const untimed = all.filter((file) => !TIMED.test(file));
  const waiting = WAITING.map((set) => untimed.filter((file) => set.test(file)));
  const others = untimed.filter((file) => !waiting.flat().includes(file));
  // The types have been checked; a mistake in them must not hide what the tests say.
  const seen = await Promise.all([
    runTests(["--no-check", ...others], sum),
    runTests(["--doc", "--no-check", "src"], sum, true),
    ...waiting.map((files) => runTests(["--no-check", ...files], sum, true)),
  ]);
  seen.push(await runTests(["--no-check", ...timed], sum));
  for (const file of all) {
    // A file that does not load has no place in the report.
    if (seen.some((files) => files.has(file))) continue;
    console.log(`${file} did not run`);
    sum.failed++;
  }
}

async function main(): Promise<void> {
  const sum: Sum = { passed: 0, failed: 0 };
  if (Deno.args.length > 0) {
    await runTests(Deno.args, sum);
  } else {
    await Promise.all([
      check("deno fmt --check", ["fmt", "--check", "--quiet"], sum),
      check("deno lint", ["lint", "--quiet"], sum),
      check("deno check", ["check", "--quiet"], sum),
    ]);
    await runAll(sum);
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  Deno.exit(sum.failed === 0 ? 0 : 1);
}

await main();
