/**
 * What a reader of the source may rely on: which module imports which, what each file and function
 * is at most, that names mean one thing, and that what is exported is explained.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { readSourceTree } from "../support/source_tree.ts";

const FILE_LINES_MAX = 450;
/** A longer file is named in the output of this test, before it is too long. */
const FILE_LINES_NEAR_MAX = 400;
const FUNCTION_LINES_MAX = 70;

/** What the processes that change a cluster have below them. */
const CLUSTER = ["base", "hash", "io", "resp", "model", "config", "coordinator", "store", "redis"];

/** Each module and the modules it may import from, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  hash: [],
  io: ["base"],
  resp: ["base"],
  command: ["base", "hash", "resp"],
  acl: ["base", "resp", "command"],
  router: ["base", "hash", "io", "resp", "command", "acl"],
  model: ["base", "hash"],
  config: ["base"],
  coordinator: ["base", "config", "hash", "io"],
  store: ["base", "hash", "model", "config", "coordinator"],
  redis: ["base", "io", "resp"],
  api: ["base", "hash", "model"],
  import: ["base", "hash", "io", "resp", "command", "acl", "redis"],
  proxy: [...CLUSTER.filter((module) => module !== "redis"), "api", "command", "acl", "router"],
  control: [...CLUSTER, "api", "acl"],
  migration: [...CLUSTER, "api", "control"],
  monitor: [...CLUSTER, "api", "control", "migration"],
  dashboard: [...CLUSTER, "api", "command", "acl", "control", "migration", "monitor"],
  cli: [
    ...CLUSTER.filter((module) => module !== "resp"),
    ...["api", "command", "acl", "import", "proxy", "control", "migration", "monitor", "dashboard"],
  ],
};

/** Calls that reach out of the program, and the modules that may make them. */
const EFFECTS: readonly (readonly [call: RegExp, modules: readonly string[]])[] = [
  [/Deno\.connect(Tls)?\(/, ["io"]],
  [/Deno\.listen(Tls)?\(/, ["io"]],
  [/Deno\.serve\(/, ["io"]],
  [/Deno\.exit\(/, []],
  [/new Deno\.Command\(/, ["cli", "command"]],
];

/** Unit tests of several files of a module. Those of the whole project are in tests/unit itself. */
const UNIT_TESTS_OF_MANY = ["model/recorded_test.ts"];

const FILES = readSourceTree();

/** The test files below a folder of tests/unit, relative to tests/unit. */
function unitTests(prefix: string): string[] {
  return filesBelow(new URL("./", import.meta.url), prefix).filter((path) =>
    path.endsWith("_test.ts")
  );
}

/** The files below a folder, relative to its root. */
function filesBelow(root: URL, prefix: string): string[] {
  return [...Deno.readDirSync(new URL(`./${prefix}`, root))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(root, `${prefix}${name}/`) : [`${prefix}${name}`]
  );
}

/** Every value that more than one of the pairs has, with what they say of it. */
function sharedBy(pairs: readonly (readonly [value: string, path: string])[]): string[] {
  const paths = new Map<string, Set<string>>();
  for (const [value, path] of pairs) paths.set(value, (paths.get(value) ?? new Set()).add(path));
  const shared = [...paths].filter(([, found]) => found.size > 1);
  return shared.map(([value, found]) => `${value}: ${[...found].join(", ")}`);
}

/** The groups of files that import each other, over any number of steps. */
function circles(): string[][] {
  const imports = new Map(FILES.map(({ path, imports }) => [path, imports]));
  const reached = new Map([...imports.keys()].map((path) => [path, reachedFrom(path, imports)]));
  const groups = new Map<string, string[]>();
  for (const [path, others] of reached) {
    if (!others.has(path)) continue;
    const group = [...others].filter((other) => reached.get(other)?.has(path)).sort();
    groups.set(group[0]!, group);
  }
  return [...groups.values()];
}

function reachedFrom(path: string, imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const next = [...imports.get(path) ?? []];
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    next.push(...imports.get(file) ?? []);
  }
  return reached;
}

Deno.test("imports run downhill: no module imports from a module above it", () => {
  const uphill = FILES.flatMap(({ module, path, imports }) => {
    const modules = imports.map((target) => target.split("/")[0]!);
    return modules
      .filter((other) => other !== module && !MAY_IMPORT[module]?.includes(other))
      .map((other) => `${path} → ${other}`);
  });
  assertEquals(uphill, []);
});

Deno.test("one place says which slot a key is in: slot rules hold wherever keys are placed", () => {
  // Everywhere else: Placement (hash/placement.ts), which a router has at `shared.slots`.
  const elsewhere = FILES.filter(({ module, text }) =>
    module !== "hash" && /\b(?<!\.)(slotIdOf|keyHashOf)\(/.test(text)
  );
  assertEquals(elsewhere.map(({ path }) => path), []);
});

Deno.test("no file needs itself: files import each other in no circle, not even for types", () => {
  assertEquals(circles(), []);
});

Deno.test("sockets, servers, processes and exits are opened only by the modules that may", () => {
  const elsewhere = FILES.flatMap(({ module, path, text }) =>
    EFFECTS
      .filter(([call, modules]) => call.test(text) && !modules.includes(module))
      .map(([call]) => `${path}: ${call.source}`)
  );
  assertEquals(elsewhere, []);
});

Deno.test("every file says first what it is", () => {
  const header = /^\/\*\*\n \* \S[^]*? \* @module\n \*\//;
  assertEquals(FILES.filter(({ text }) => !header.test(text)).map(({ path }) => path), []);
});

Deno.test(`no file has more than ${FILE_LINES_MAX} lines`, () => {
  const lengths = FILES.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
  for (const { path, lines } of lengths) {
    if (lines > FILE_LINES_NEAR_MAX) console.warn(`src/${path} has ${lines} lines: split it soon`);
  }
  const tooLong = lengths.filter(({ lines }) => lines > FILE_LINES_MAX);
  assertEquals(tooLong.map(({ path, lines }) => `${path}: ${lines} lines`), []);
});

Deno.test(`no function has more than ${FUNCTION_LINES_MAX} lines`, () => {
  const tooLong = FILES.flatMap(({ path, functions }) =>
    functions
      .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
      .map(({ name, lines }) => `${path}: ${name}: ${lines} lines`)
  );
  assertEquals(tooLong, []);
});

Deno.test("an exported name means one thing, wherever it is read", () => {
  const names = FILES.flatMap(({ path, exports }) =>
    exports.map(({ name }) => [name, path] as const)
  );
  assertEquals(sharedBy(names), []);
});

Deno.test("whatever is exported is explained where it is declared", () => {
  const unexplained = FILES.flatMap(({ path, exports }) => {
    const explained = new Set(exports.filter((one) => one.isDocumented).map(({ name }) => name));
    return exports.filter(({ name }) => !explained.has(name)).map(({ name }) => `${path}: ${name}`);
  });
  assertEquals(unexplained, []);
});

Deno.test("files are snake_case nouns, and none is a place for what has no other", () => {
  const wrong = FILES.map(({ path }) => path).filter((path) => {
    const name = path.split("/").at(-1)!.replace(/\.(tsx?|js)$/, "");
    return !/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name) ||
      /(^|_)(util|utils|helper|helpers|common|manager|misc|index)(_|$)/.test(name);
  });
  assertEquals(wrong, []);
});

Deno.test("a unit test lies at the path of the file or folder that it tests", () => {
  const paths = new Set(FILES.flatMap(({ path }) => [path, path.slice(0, path.lastIndexOf("/"))]));
  const elsewhere = unitTests("").filter((path) => {
    const tested = path.replace(/_test\.ts$/, "");
    return path.includes("/") && !UNIT_TESTS_OF_MANY.includes(path) &&
      ![tested, `${tested}.ts`, `${tested}.tsx`, `${tested}.js`].some((one) => paths.has(one));
  });
  assertEquals(elsewhere, []);
});

Deno.test("all benches read their options in the same way", () => {
  const root = new URL("../bench/", import.meta.url);
  const readers = filesBelow(root, "").filter((path) =>
    path.endsWith(".ts") && Deno.readTextFileSync(new URL(path, root)).includes("parse-args")
  );
  assertEquals(readers, ["options.ts"]);
});

Deno.test("no file leaves work undone: reminders name an issue", () => {
  const reminders = FILES.filter(({ text }) => /\b(FIXME|XXX|TODO(?!\(#\d+\)))/.test(text));
  assertEquals(reminders.map(({ path }) => path), []);
});
