/**
 * Reads what Redis's runtest prints, and what judge.tcl prints in the same form.
 *
 * @module
 */

/** One test that ran. */
export interface TestResult {
  readonly name: string;
  readonly hasPassed: boolean;
  /** Why it failed, with line feeds; empty when it passed. */
  readonly why: string;
}

/** What a run of one unit has shown. */
export interface UnitOutput {
  /** In the order in which they ended. A unit may have several tests of one name. */
  readonly tests: readonly TestResult[];
  /** Tests and groups of tests that their tags exclude. */
  readonly ignored: number;
  /** Commands outside of tests that failed. */
  readonly setupFailures: readonly string[];
  /** Why the unit ended early, where the suite itself said so. */
  readonly exception: string | undefined;
  /** The test that has begun and not ended. */
  readonly unfinished: string | undefined;
  /** Whether the unit's end was reached. */
  readonly isDone: boolean;
}

/** Colours of a terminal. */
// deno-lint-ignore no-control-regex
const COLOUR = /\x1b\[[\d;]*m/g;
/** `[ok]: text`; runtest writes `[1/2 done]: text` at a unit's end. */
const EVENT = /^\[(?:\d+\/\d+ )?([a-z]+)\]: (.*)$/;
const DURATION = / \(\d+ ms\)$/;
/** runtest adds the file to the name of a test that failed. */
const FAILED_IN = /^(.*) in tests\/\S+$/;

/**
 * Reads the output of one unit.
 *
 * @param text What runtest or judge.tcl has printed so far.
 * @param isEscaped Whether it is judge.tcl's: a line feed within an event is `\n` there.
 */
export function parseOutput(text: string, isEscaped: boolean): UnitOutput {
  const tests: TestResult[] = [];
  const setupFailures: string[] = [];
  let ignored = 0;
  let exception: string | undefined;
  let unfinished: string | undefined;
  let isDone = false;
  for (const [kind, data] of eventsIn(text, isEscaped)) {
    if (kind === "testing") unfinished = data;
    if (kind === "ok" || kind === "err") {
      unfinished = undefined;
      tests.push(kind === "ok" ? passed(data) : failed(data));
    }
    if (kind === "ignore") ignored++;
    if (kind === "setup") setupFailures.push(data);
    if (kind === "exception") exception = data;
    if (kind === "done") isDone = true;
  }
  return { tests, ignored, setupFailures, exception, unfinished, isDone };
}

/** The events; what follows one on lines of its own belongs to it. */
function eventsIn(text: string, isEscaped: boolean): [kind: string, data: string][] {
  const events: [string, string][] = [];
  for (const line of text.replace(COLOUR, "").split("\n")) {
    const event = EVENT.exec(line);
    if (event !== null) {
      events.push([event[1]!, isEscaped ? unescape(event[2]!) : event[2]!]);
    } else if (!isEscaped && events.length > 0) {
      events.at(-1)![1] += `\n${line}`;
    }
  }
  return events;
}

function unescape(data: string): string {
  return data.replace(
    /\\([nr\\])/g,
    (_, sign: string) => sign === "n" ? "\n" : sign === "r" ? "\r" : "\\",
  );
}

function passed(data: string): TestResult {
  const [name] = data.split("\n", 1);
  return { name: name!.replace(DURATION, ""), hasPassed: true, why: "" };
}

function failed(data: string): TestResult {
  const [head, ...why] = data.split("\n");
  const name = FAILED_IN.exec(head!)?.[1] ?? head!;
  // Of an error that is no assertion runtest cuts 10 characters, and repeats the whole of it.
  if (why.length > 1 && why[1]!.endsWith(why[0]!)) why.shift();
  return { name, hasPassed: false, why: why.join("\n").trim() };
}
