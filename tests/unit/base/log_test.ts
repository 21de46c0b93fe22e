/**
 * What the log keeps, and where.
 *
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  logger,
  logLevel,
  type LogOptions,
  parseLogLevel,
  prepareLog,
  setLogLevel,
  startLog,
  stopLog,
} from "../../../src/base/log.ts";
import { LogFile } from "../../../src/base/log_file.ts";
import { Secret } from "../../../src/base/secret.ts";

async function withLog(
  options: Partial<LogOptions>,
  body: (name: string) => void,
): Promise<Map<string, string[]>> {
  const folder = await Deno.makeTempDir();
  try {
    startLog({ level: "info", file: `${folder}/proxy.log`, ...options });
    try {
      body(`${folder}/proxy.log`);
    } finally {
      stopLog();
    }
    const files = new Map<string, string[]>();
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    for (const name of names) {
      const text = Deno.readTextFileSync(`${folder}/${name}`);
      files.set(name, text.split("\n").slice(0, -1));
    }
    return files;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("parseLogLevel() knows Codis 2.0's words in any case, and refuses others", () => {
  const words = ["error", "WARN", "Warning", "info", "debug"];
  assertEquals(words.map(parseLogLevel), ["error", "warn", "warn", "info", "debug"]);
  for (const word of ["loud", "", "constructor"]) {
    const rule = `"${word}" is not a log level: error, warn, info, debug`;
    assertThrows(() => parseLogLevel(word), SyntaxError, rule);
  }
});

Deno.test("log writes time, level, module and message, one line per record", async () => {
  const files = await withLog({}, () => {
    logger("router").warn("backend {addr} failed: {error}", {
      addr: "127.0.0.1:6379\r\n[INFO] forged {addr}\x1b[31m",
      error: new Error("connection refused"),
    });
  });
  const [line] = files.get("proxy.log.0")!;
  assertMatch(
    line!,
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[WARN\] router: backend 127\.0\.0\.1:6379\\x0d\\n\[INFO\] forged \{addr\}\\x1b\[31m failed: connection refused$/,
  );
});

Deno.test("setLogLevel() takes effect at once, on loggers that exist already", async () => {
  const files = await withLog({}, () => {
    const log = logger("proxy");
    log.debug("one");
    setLogLevel("debug");
    assertEquals(logLevel(), "debug");
    log.debug("two");
    setLogLevel("error");
    log.warn("three");
    log.error("four");
  });
  assertEquals(files.get("proxy.log.0")!.map((line) => line.replace(/^.*: /, "")), ["two", "four"]);
});

Deno.test("log rolls to the next free number by size and never splits a line", async () => {
  const files = await withLog({ fileBytesMax: 150 }, () => {
    for (let i = 0; i < 4; i++) logger("x").info("{text}", { text: "y".repeat(20) });
  });
  assertEquals([...files].map(([name, lines]) => [name, lines.length]), [
    ["proxy.log.0", 2],
    ["proxy.log.1", 2],
  ]);
});

Deno.test("log goes on in the last file, and keeps the newest ones only", async () => {
  const options = { filesMax: 2, fileBytesMax: 90 };
  const files = await withLog(options, (file) => {
    for (const line of ["first", "second", "third", "fourth", "fifth", "sixth"]) {
      logger("x").info(line);
      // A program that is started over and over must not push out the log that says why.
      startLog({ level: "info", file, ...options });
    }
    // Names that are like those of log files, and are not.
    for (const end of [".0.gz", ".x", "2.0"]) Deno.writeTextFileSync(`${file}${end}`, "");
    logger("x").info("seventh");
  });
  const logs = [...files].filter(([, lines]) => lines.length > 0);
  assertEquals(
    logs.map(([name, lines]) => [name, ...lines.map((line) => line.replace(/^.*: /, ""))]),
    [["proxy.log.2", "fifth", "sixth"], ["proxy.log.3", "seventh"]],
  );
  assertEquals(files.size, 5);
});

Deno.test("two processes with one log file overwrite nothing of each other", async () => {
  const files = await withLog({}, (name) => {
    const other = new LogFile(name, { bytesMax: 1_000, filesMax: 0 });
    for (const line of ["one", "two", "three"]) {
      logger("x").info(line);
      other.writeLine(`other ${line}`);
    }
    other.close();
  });
  const lines = files.get("proxy.log.0")!.map((line) => line.replace(/^.*: /, ""));
  assertEquals(lines, ["one", "other one", "two", "other two", "three", "other three"]);
});

Deno.test("a line that a full disk has cut off is ended when the log goes on", async () => {
  const files = await withLog({}, (file) => {
    Deno.writeTextFileSync(`${file}.0`, "half a li");
    startLog({ level: "info", file });
    logger("x").info("whole");
  });
  const [half, whole] = files.get("proxy.log.0")!;
  assertEquals([half, whole!.replace(/^.*: /, "")], ["half a li", "whole"]);
});

Deno.test("a line of JSON has the text, the kind of event and its values", async () => {
  const files = await withLog({ format: "json" }, () => {
    const error = new Error('refused "x"\n');
    logger("router").warn("backend {addr} failed {times} times: {error}", {
      ...{ addr: "127.0.0.1:6379", times: 3, error, list: ["a"] },
    });
    logger("dashboard").info("{text}", { text: "slot 5: group 1, online" });
  });
  const [first, second] = files.get("proxy.log.0")!.map((line) => JSON.parse(line));
  assertMatch(first.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  delete first.time;
  assertEquals(first, {
    level: "warn",
    module: "router",
    message: 'backend 127.0.0.1:6379 failed 3 times: refused "x"\n',
    event: "backend {addr} failed {times} times: {error}",
    values: { addr: "127.0.0.1:6379", times: 3, error: 'refused "x"\n', list: '[ "a" ]' },
  });
  delete second.time;
  assertEquals(second, { level: "info", module: "dashboard", message: "slot 5: group 1, online" });
});

Deno.test("what was counted of repeated lines is written at the end", async () => {
  const files = await withLog({}, () => {
    for (let i = 0; i < 5; i++) logger("x").warn("again");
  });
  const last = files.get("proxy.log.0")!.at(-1);
  assertMatch(last!, /\[WARN\] x: again \(4 times more in 1 s\)$/);
});

Deno.test("a log that is made ready and not used leaves no file, removes none, and holds none open", async () => {
  const files = await withLog({}, (name) => {
    const folder = name.slice(0, name.lastIndexOf("/"));
    for (let i = 0; i < 3; i++) Deno.writeTextFileSync(`${folder}/old.${i}`, "full\n");
    // The test runner fails a test that leaves a file open.
    for (const file of [`${folder}/new`, `${folder}/old`]) {
      for (const fileBytesMax of [1, 1_000]) {
        prepareLog({ level: "info", file, fileBytesMax, filesMax: 1 });
      }
    }
  });
  assertEquals([...files.keys()], ["old.0", "old.1", "old.2", "proxy.log.0"]);
});

Deno.test("log shows no password", async () => {
  const files = await withLog({}, () => {
    const password = new Secret("hunter2");
    logger("x").info("{password} {config}", { password, config: { password } });
  });
  assertEquals(files.get("proxy.log.0")![0]!.includes("hunter2"), false);
});

Deno.test("startLog() says which file it cannot make", () => {
  assertThrows(
    () => startLog({ level: "info", file: "/nowhere/proxy.log" }),
    Error,
    'log file "/nowhere/proxy.log" cannot be opened: "/nowhere/proxy.log.0": there is no folder /nowhere',
  );
  stopLog();
});
