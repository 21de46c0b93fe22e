/**
 * A machine with IPv6 alone: what cannot be had at 127.0.0.1 is said in words that help.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { startProgram } from "../../support/proxy_process.ts";
import { hasNamespaces, inNamespaces, isInside } from "../../support/two_machines.ts";

if (isInside()) Deno.test("a machine with IPv6 alone", ipv6Only);
else {
  Deno.test({
    name: "a machine with IPv6 alone (in namespaces of its own)",
    ignore: !hasNamespaces(),
    async fn() {
      const child = inNamespaces(["test", "--quiet"], import.meta.url);
      const { success } = await child.ended;
      assert(success, child.stdout + child.stderr);
    },
  });
}

async function ipv6Only(t: Deno.TestContext): Promise<void> {
  for (const words of ["link set lo up", "addr del 127.0.0.1/8 dev lo"]) {
    const { success } = await new Deno.Command("ip", { args: words.split(" ") }).output();
    assert(success, words);
  }
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.ini`;
  await Deno.writeTextFile(file, `embedded_dir = ${folder}/data\n`);
  // Nobody else is in this network.
  const port = 9001;

  await t.step("check says that no process runs, as where a connection is refused", async () => {
    const { code, stdout } = await callCli("check", "-c", file, `--http-addr=:${port}`);
    assertEquals(
      [code, stdout],
      [0, `no process runs at --http-addr=:${port} to compare with\nok: no error was found\n`],
    );
  });

  await t.step("a start that cannot listen says what to set", async () => {
    const words = ["proxy", "-c", file, "--addr=[::1]:9000", `--http-addr=:${port}`];
    const { code, stderr } = await callCli(...words);
    assertEquals([code, stderr], [
      1,
      `codis-proxy: cannot listen on 127.0.0.1:${port}: this machine has no 127.0.0.1; with IPv6 alone, ` +
      `set proto = tcp6, or name [::1]:${port}\n`,
    ]);
  });

  await t.step(
    "a proxy and its dashboard record where they are reached, and commands find them",
    async () => {
      await Deno.writeTextFile(file, `embedded_dir = ${folder}/data\nproto = tcp6\n`);
      const words = ["proxy", "-c", file, "--addr=:9000", `--http-addr=:${port}`];
      const proxy = startProgram(words, { TMPDIR: folder });
      try {
        const { stdout, stderr } = await callCli("config", "-c", file, "proxy", "list");
        const [listed] = JSON.parse(stdout || "[]");
        assertEquals([stderr, listed?.debug_var_addr], ["", `[::1]:${port}`]);
        const checked = await callCli("check", "-c", file, `--http-addr=:${port}`);
        assertEquals(checked.stdout.includes("no process runs"), false);
      } finally {
        await proxy.end("SIGTERM");
      }
    },
  );
  await Deno.remove(folder, { recursive: true });
}
