/**
 * `config` beside a process that is starting: its dashboard is waited for, also while the process listens already.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { FileLock } from "../../../src/base/file_lock.ts";
import { freePort } from "../../support/free_port.ts";
import { startProgram } from "../../support/proxy_process.ts";

const STARTING = "the process is starting, and its dashboard with it: ask again";

Deno.test("config waits for the dashboard of a proxy that listens, and is still starting", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.ini`;
  await Deno.writeTextFile(file, `embedded_dir = ${folder}\n`);
  // Whoever opens the store waits for its lock.
  const lock = new FileLock(`${folder}/lock`);
  await lock.acquire(performance.now());
  const http = `127.0.0.1:${freePort()}`;
  const proxy = startProgram(
    ["proxy", "-c", file, `--addr=127.0.0.1:${freePort()}`, `--http-addr=${http}`, "--cpu=1"],
  );
  try {
    const response = await answerOf(`http://${http}/api/slots`);
    assertEquals([response.status, await response.text()], [503, `${STARTING}\n`]);
    assertEquals(response.headers.get("retry-after"), "1");
    const list = ["config", "-c", file, `--dashboard=${http}`, "slot", "list", "--output=json"];
    const impatient = startProgram([...list, "--dashboard-wait=0"]);
    assertEquals((await impatient.ended).code, 1);
    assertStringIncludes(impatient.stderr, `dashboard answered 503: ${STARTING}`);
    const patient = startProgram([...list, "--dashboard-wait=60"]);
    lock.release();
    assertEquals((await patient.ended).code, 0, patient.stderr);
    assertEquals(patient.stdout, "[]\n");
  } finally {
    await proxy.end("SIGKILL");
    lock.close();
    await Deno.remove(folder, { recursive: true });
  }
});

/** The first answer of a process that begins to listen. */
async function answerOf(url: string): Promise<Response> {
  for (;;) {
    try {
      return await fetch(url);
    } catch {
      await delay(20);
    }
  }
}
