/**
 * What is taken for proof that a process is gone, and what is not.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { forgetLife, isSurelyGone, ProcessLife } from "../../../src/base/process_life.ts";
import { until } from "../../support/deadline.ts";
import { deadLife } from "../../support/process_life.ts";

const MODULE = new URL("../../../src/base/process_life.ts", import.meta.url).href;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;
const PROGRAM = `import { ProcessLife } from "${MODULE}";
console.log(ProcessLife.begin("a test").text);
setInterval(() => {}, 1000);`;

Deno.test("a process that is paused is not gone, one that is killed is, at once", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, PROGRAM);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", `--config=${CONFIG}`, file],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const text = (await reader.read()).value!.trim();
  await reader.cancel();
  try {
    assertEquals(isSurelyGone(text), false);
    child.kill("SIGSTOP");
    assertEquals(isSurelyGone(text), false);
    forgetLife(text);
    assertEquals(isSurelyGone(text), false);
  } finally {
    child.kill("SIGKILL");
  }
  await until(() => isSurelyGone(text), 2_000);
  await child.status;
  forgetLife(text);
  assertEquals(isSurelyGone(text), false, "nothing is left to tell");
  await Deno.remove(file);
});

Deno.test("what processes that were killed have left is removed after a day, by the next one", () => {
  using fresh = deadLife();
  using stale = deadLife();
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  Deno.utimeSync(stale.path, longAgo, longAgo);
  ProcessLife.begin("a test").end();
  assertEquals(Deno.statSync(fresh.path).isFile, true);
  assertThrows(() => Deno.statSync(stale.path), Deno.errors.NotFound);
});

Deno.test("a life that ended in order leaves no file", () => {
  const life = ProcessLife.begin("a test");
  assertMatch(life.text, /^life [0-9a-f-]{36} on .+$/);
  life.end();
  life.end();
  assertEquals(isSurelyGone(life.text), false);
});

Deno.test("what may be of another machine is no proof", () => {
  using here = deadLife();
  assert(isSurelyGone(here.text));
  using elsewhere = deadLife(`not-${Deno.hostname()}`);
  assertEquals(isSurelyGone(elsewhere.text), false);
  // A copy of a disk brings files from before this machine was started.
  const booted = new Date(Date.now() - Deno.osUptime() * 1_000 - 60_000);
  Deno.utimeSync(here.path, booted, booted);
  assertEquals(isSurelyGone(here.text), false);
  for (const text of ["", "life", `life ../../etc/passwd on ${Deno.hostname()}`]) {
    assertEquals(isSurelyGone(text), false);
    forgetLife(text);
  }
});
