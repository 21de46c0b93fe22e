/**
 * The style of the house, as far as a test can tell: rooms, doors, lengths, headers.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

const SRC = new URL("../../src/", import.meta.url);
const LINES_MAX = 600;

/** Each room and the rooms it may import from, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  hash: [],
  io: ["base"],
  resp: ["base"],
  command: ["base", "hash", "resp"],
  router: ["base", "hash", "io", "resp", "command"],
  model: ["base", "hash"],
  config: ["base"],
  coordinator: ["base", "config", "hash"],
  store: ["base", "hash", "model", "config", "coordinator"],
  redis: ["base", "io", "resp"],
  api: ["base", "model"],
  proxy: [
    "base",
    "hash",
    "io",
    "resp",
    "command",
    "router",
    "model",
    "config",
    "coordinator",
    "store",
    "api",
  ],
  control: [
    "base",
    "hash",
    "io",
    "resp",
    "model",
    "config",
    "coordinator",
    "store",
    "redis",
    "api",
  ],
  migration: [
    "base",
    "hash",
    "io",
    "resp",
    "model",
    "config",
    "coordinator",
    "store",
    "redis",
    "api",
    "control",
  ],
  monitor: [
    "base",
    "hash",
    "io",
    "resp",
    "model",
    "config",
    "coordinator",
    "store",
    "redis",
    "api",
    "control",
    "migration",
  ],
  dashboard: [
    "base",
    "hash",
    "io",
    "resp",
    "model",
    "config",
    "coordinator",
    "store",
    "redis",
    "api",
    "control",
    "migration",
    "monitor",
  ],
  cli: [
    "base",
    "hash",
    "io",
    "command",
    "model",
    "config",
    "coordinator",
    "store",
    "redis",
    "api",
    "proxy",
    "control",
    "migration",
    "monitor",
    "dashboard",
  ],
};

/** Calls that open a door to the outside, and the rooms that may make them. */
const DOORS: readonly (readonly [call: RegExp, rooms: readonly string[]])[] = [
  [/Deno\.connect(Tls)?\(/, ["io"]],
  [/Deno\.listen(Tls)?\(/, ["io"]],
  [/Deno\.serve\(/, ["io"]],
  [/Deno\.exit\(/, []],
  [/new Deno\.Command\(/, ["cli", "command"]],
];

interface SourceFile {
  readonly room: string;
  readonly path: string;
  readonly text: string;
}

function sourceFiles(): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (folder: URL, room: string, prefix: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${prefix}${entry.name}`;
      if (entry.isDirectory) {
        walk(new URL(`${entry.name}/`, folder), room || entry.name, `${path}/`);
      } else if (/\.(tsx?|js)$/.test(entry.name) && !entry.name.endsWith(".d.ts")) {
        files.push({ room, path, text: Deno.readTextFileSync(new URL(entry.name, folder)) });
      }
    }
  };
  walk(SRC, "", "");
  return files;
}

const FILES = sourceFiles();

Deno.test("imports run downhill: no room imports from a room above it", () => {
  const uphill: string[] = [];
  for (const { room, path, text } of FILES) {
    for (const match of text.matchAll(/from\s+"(\.[^"]+)"/g)) {
      const target = new URL(match[1]!, new URL(path, SRC)).href;
      if (!target.startsWith(SRC.href)) continue;
      const other = target.slice(SRC.href.length).split("/")[0]!;
      if (other !== room && !MAY_IMPORT[room]?.includes(other)) uphill.push(`${path} → ${other}`);
    }
  }
  assertEquals(uphill, []);
});

Deno.test("effects have doors: sockets, processes and exits are opened in their rooms only", () => {
  const strays: string[] = [];
  for (const { room, path, text } of FILES) {
    for (const [call, rooms] of DOORS) {
      if (call.test(text) && !rooms.includes(room)) strays.push(`${path}: ${call.source}`);
    }
  }
  assertEquals(strays, []);
});

Deno.test("every file opens with what it is, and none is longer than it may be", () => {
  const wrong: string[] = [];
  for (const { path, text } of FILES) {
    const header = /^\/\*\*\n \* \S[^]*? \* @module\n \*\//.exec(text);
    if (header === null) wrong.push(`${path}: no header`);
    const lines = text.split("\n").length - 1;
    if (lines > LINES_MAX) wrong.push(`${path}: ${lines} lines`);
  }
  assertEquals(wrong, []);
});

Deno.test("files are snake_case nouns, and none is a junk drawer", () => {
  const wrong = FILES.map(({ path }) => path).filter((path) => {
    const name = path.split("/").at(-1)!.replace(/\.(tsx?|js)$/, "");
    return !/^[a-z0-9]+(_[a-z0-9]+)*$/.test(name) ||
      /(^|_)(util|utils|helper|helpers|common|manager|misc|index)(_|$)/.test(name);
  });
  assertEquals(wrong, []);
});

Deno.test("no file leaves work undone: reminders name an issue", () => {
  const reminders = FILES.filter(({ text }) => /\b(FIXME|XXX|TODO(?!\(#\d+\)))/.test(text));
  assertEquals(reminders.map(({ path }) => path), []);
});
