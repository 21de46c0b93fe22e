// deno-lint-ignore-file no-control-regex
/**
 * `codis-proxy top` in a real terminal: keys, the size, a dashboard that goes and comes back, and a
 * terminal that is as it was before, however it ends.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { freePort } from "../support/free_port.ts";
import { programWords, ProxyProcess, startProgram } from "../support/proxy_process.ts";
import { PseudoTerminal } from "../support/pseudo_terminal.ts";
import { RedisServer } from "../support/redis_server.ts";

const SIZE = { columns: 80, rows: 24 };
const XTERM = { TERM: "xterm-256color", NO_COLOR: "" };

/** What a terminal is told at the end: lines wrap, the cursor is seen, the screen is the one before. */
const LEFT = /\x1b\[\?7h\x1b\[\?25h\x1b\[\?1049l/;

/** A proxy that serves its dashboard, and two servers. */
async function startCluster() {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(await RedisServer.startMany(2));
  const proxy = stack.use(
    await ProxyProcess.start({ servers, config: { proxy_id: "one", product: "shop" } }),
  );
  const moved = stack.move();
  return {
    servers,
    proxy,
    words: ["top", "-c", `${proxy.folder}/config.ini`],
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

Deno.test("top in a terminal follows keys, the size and the dashboard, and leaves it as it was", async (t) => {
  await using cluster = await startCluster();
  const { proxy, servers } = cluster;
  const words = programWords(cluster.words);

  await t.step(
    "all of it is on one screen, keys look inside, and it takes the new size",
    async () => {
      await using terminal = PseudoTerminal.start(words, SIZE, XTERM);
      await terminal.shows("slots 1024/1024");
      await terminal.shows("proxies 1/1"); // there is one to look inside
      assertStringIncludes(terminal.output, "\x1b[?1049h");
      assert(/\x1b\[3\dm/.test(terminal.output), "there are colours");
      assertEquals(terminal.screen.split("\n").length, SIZE.rows);
      for (const { addr } of servers) assertStringIncludes(terminal.screen, addr);

      using client = await proxy.client();
      await client.call("SET", "key", "value");
      await terminal.press("p\r");
      await terminal.shows("proxy one");
      await terminal.shows(/SET +\d+ +1 /);
      await terminal.press("\x1b");
      await terminal.shows(/>one .* online/);
      await terminal.press("s\x1b[B\r");
      await terminal.shows(`server ${servers[1]!.addr}`);
      await terminal.press("?");
      await terminal.shows("this help");

      await terminal.resize(120, 40);
      await terminal.press("a");
      await terminal.shows(/(?:.*\n){39}.*\[q\]uit/);

      await proxy.kill();
      await terminal.shows(/no answer since .*, asking again: dashboard/);
      assertStringIncludes(terminal.screen, servers[0]!.addr);
      await proxy.restart();
      await terminal.shows(/^(?![^]*no answer since)[^]*slots 1024\/1024/);

      await terminal.press("q");
      assertEquals(await terminal.ended(), { code: 0, isAsBefore: true });
      assert(LEFT.test(terminal.output.slice(-40)));
    },
  );

  await t.step("Ctrl-C and SIGTERM leave the terminal as it was", async () => {
    await using interrupted = PseudoTerminal.start(words, SIZE, XTERM);
    await using terminated = PseudoTerminal.start(words, SIZE, XTERM);
    await Promise.all([interrupted.shows("slots"), terminated.shows("slots")]);
    await interrupted.press("\x03");
    await terminated.signal("SIGTERM");
    assertEquals(await interrupted.ended(), { code: 0, isAsBefore: true });
    assertEquals(await terminated.ended(), { code: 143, isAsBefore: true });
    for (const { output } of [interrupted, terminated]) assert(LEFT.test(output.slice(-40)));
  });

  await t.step("a terminal that takes nothing more does not keep it from ending", async () => {
    await using stalled = PseudoTerminal.start(words, { columns: 200, rows: 60 }, XTERM);
    await stalled.shows("slots");
    await stalled.stall();
    // Each new size is a whole screen, more than fits into the terminal's buffer.
    for (let rows = 60; rows < 70; rows++) {
      await stalled.resize(200, rows);
      await delay(50);
    }
    const askedMs = performance.now();
    await stalled.signal("SIGTERM");
    assertEquals((await stalled.ended()).code, 143);
    const tookMs = performance.now() - askedMs;
    assert(tookMs < 10_000, `${tookMs} ms`);
  });

  await t.step(
    "no colours where none are wanted, no sequence at all on a dumb terminal",
    async () => {
      await using plain = PseudoTerminal.start(words, SIZE, { ...XTERM, NO_COLOR: "1" });
      await using dumb = PseudoTerminal.start(words, SIZE, { TERM: "dumb", NO_COLOR: "" });
      await Promise.all([plain.shows("slots"), dumb.shows(/slots 1024\/1024[^]*slots 1024\/1024/)]);
      assert(!/\x1b\[[\d;]*m/.test(plain.output));
      assert(!dumb.output.includes("\x1b"));
      await dumb.press("q");
      assertEquals(await dumb.ended(), { code: 0, isAsBefore: true });
    },
  );

  await t.step("without a terminal one screen is printed as text, or as JSON", async () => {
    const child = startProgram(cluster.words);
    const json = startProgram([...cluster.words, "--json"]);
    assertEquals([(await child.ended).code, (await json.ended).code], [0, 0]);
    for (const { addr } of servers) assertStringIncludes(child.stdout, addr);
    assert(!child.stdout.includes("\x1b"));
    assertEquals(JSON.parse(json.stdout).cluster.product, "shop");
  });

  await t.step(
    "an address where no dashboard is: one line, and the terminal is not touched",
    async () => {
      const addr = `127.0.0.1:${freePort()}`;
      const nowhere = programWords(["top", `--dashboard=${addr}`, "--dashboard-wait=0"]);
      await using terminal = PseudoTerminal.start(nowhere, SIZE, XTERM);
      assertEquals(await terminal.ended(), { code: 1, isAsBefore: true });
      assertStringIncludes(
        terminal.output,
        `dashboard ${addr} cannot be reached: connection refused`,
      );
      assert(!terminal.output.includes("\x1b"));
    },
  );
});

Deno.test("a crash leaves the terminal as it was, and its error is to be read", async () => {
  const terminal = new URL("../../src/cli/top/terminal.ts", import.meta.url).href;
  const folder = await Deno.makeTempDir();
  try {
    const program = `${folder}/crash.ts`;
    await Deno.writeTextFile(
      program,
      `import { Terminal } from ${JSON.stringify(terminal)};
const terminal = await Terminal.open();
await terminal.draw([[["a screen"]]]);
setTimeout(() => { throw new Error("a bug"); }, 0);
await new Promise(() => {});`,
    );
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const words = [Deno.execPath(), "run", "-A", "--no-check", "--config", config, program];
    await using crashed = PseudoTerminal.start(words, SIZE, XTERM);
    assertEquals(await crashed.ended(), { code: 1, isAsBefore: true });
    const { output } = crashed;
    assertStringIncludes(output, "a screen");
    assert(output.search(LEFT) < output.indexOf("a bug"), output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
