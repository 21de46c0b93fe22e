/**
 * What the tests of a run have come to, by file, from the report that `deno test` writes.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";

/** Lines of a failure's message that are repeated at the end, where everybody looks. */
const MESSAGE_LINES = 4;
/** Longest such line, in characters. */
const LINE_LIMIT = 160;

/** How many of the slowest files are named at the end of a whole run. */
const SLOWEST_SHOWN = 8;

/** What a file's tests, or a check, came to. */
export interface Result {
  passed: number;
  /** How long its tests took together. */
  seconds: number;
  /** A text for each failure: the file and the test, and how its message begins. */
  failures: string[];
}

/** Results by file; those of a second run take the place of the first. */
export type Results = Map<string, Result>;

/** A failure in a few lines: its name, and how its message begins. */
export function failureText(name: string, message = ""): string {
  const [first = "", ...rest] = message.split("\n").map((line) => line.trim())
    .filter((line) => line !== "");
  // Of a comparison, what differs.
  const changed = rest.filter((line) => /^[-+] /.test(line));
  const shown = [first, ...changed.length > 0 ? changed : rest].slice(0, MESSAGE_LINES).map((
    line,
  ) => `  ${line.slice(0, LINE_LIMIT)}`);
  return [name, ...shown].join("\n");
}

/** The end of what a run printed. */
export function lastLines(output: string): string {
  return output.trimEnd().split("\n").slice(-MESSAGE_LINES).join("\n");
}

/** What a file comes to that cannot be read. */
export function unread(name: string, why: string): Result {
  return { passed: 0, failures: [failureText(name, why)], seconds: 0 };
}

/** The files whose tests took longest, a line each. */
export function slowest(results: Results): string {
  return [...results].sort(([, a], [, b]) => b.seconds - a.seconds).slice(0, SLOWEST_SHOWN)
    .map(([file, { seconds }]) => `${seconds.toFixed(0).padStart(4)} s ${file}`).join("\n");
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

/** Reads the cases of a JUnit report. */
export function readReport(report: string): Results {
  const results: Results = new Map();
  // Names and messages are escaped: a "<" always begins a tag.
  for (const suite of report.split(/<testsuite name="/).slice(1)) {
    const file = suite.slice(0, suite.indexOf('"')).replace(/^\.\//, "");
    const result: Result = { passed: 0, failures: [], seconds: 0 };
    for (const [, head, inside] of suite.matchAll(/<testcase ([^>]*)>([\s\S]*?)<\/testcase>/g)) {
      // A step's time is part of its test's, and its name begins with it.
      const isStep = head!.includes(" &gt; ");
      if (!isStep) result.seconds += Number(head!.match(/\btime="([\d.]+)"/)?.[1] ?? 0);
      const failure = inside!.match(/<(?:failure|error)\b[^>]*>([\s\S]*?)</);
      const name = unescaped(head!.match(/^name="([^"]*)"/)?.[1] ?? "");
      if (failure !== null) {
        result.failures.push(failureText(`${file}: ${name}`, unescaped(failure[1]!)));
      } else if (!/<skipped\b/.test(inside!)) result.passed++;
    }
    results.set(file, result);
  }
  return results;
}

/** Adds errors that came when no test of their file ran: the report has only those of a test. */
export function addUncaught(output: string, results: Results): void {
  const errors = output.matchAll(/^(?:\.\/)?(\S+) \(uncaught error\)\n(error: .*(?:\n.+)*)/gm);
  for (const [, file, message] of errors) {
    const { passed = 0, seconds = 0, failures = [] } = results.get(file!) ?? {};
    const text = failureText(`${file}: uncaught error`, message);
    results.set(file!, { passed, seconds, failures: [...failures, text] });
  }
}
