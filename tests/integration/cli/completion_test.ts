/**
 * Completion: what a shell offers where.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { callCli } from "../../support/cli_call.ts";
import { startProgram } from "../../support/proxy_process.ts";

/** Has bash complete a command line; the last word is the one under the cursor. */
async function bashOffers(script: string, words: readonly string[]): Promise<string[]> {
  const body = `${script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_codis_proxy
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", body, "bash", "codis-proxy", ...words],
    cwd: new URL("../../fixtures/codis2/", import.meta.url).pathname,
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "");
}

const SLOT_WORDS = [
  ...["list", "info", "init", "set", "range-set", "migrate", "rebalance"],
  ...["drain", "pause", "resume", "cancel", "rule"],
];

/** Words typed so far, and what is offered. bash splits at `=` and `:`, so words are split here. */
const OFFERS: readonly [words: string[], offers: string[]][] = [
  [[""], [
    ...[
      "proxy",
      "drain",
      "dashboard",
      "config",
      "check",
      "reload",
      "import",
      "export",
      "top",
      "demo",
    ],
    "completion",
  ]],
  [["con"], ["config"]],
  [["config", ""], [
    "status",
    "group",
    "server",
    "sentinel",
    "slot",
    "proxy",
    "action",
    "command",
    "acl",
    "user",
    "token",
    "events",
    "audit",
    "check",
    "dump",
    "restore",
    "move",
    "dashboard",
  ]],
  [["config", "slot", ""], SLOT_WORDS],
  [["config", "slot", "mi"], ["migrate"]],
  [["config", "-c", "slot", "slot", ""], SLOT_WORDS],
  [["config", "--output", "=", "json", "slot", ""], SLOT_WORDS],
  [["config", "--dashboard", "=", "127.0.0.1", ":", "18087", "slot", ""], SLOT_WORDS],
  [["config", "--dashboard", "127.0.0.1", ":", "18087", "slot", ""], SLOT_WORDS],
  [["config", "slot", "migrate", "0", "511", "2", "--de"], ["--delay"]],
  [["config", "slot", "init", "-"], [
    ...["-f", "-c", "-L", "--log-level", "--dashboard", "--dashboard-wait", "--output", "--help"],
  ]],
  [["config", "slot", "set", "5", ""], []],
  [["config", "slot", "set", "5", "1", ""], ["online", "offline"]],
  [["config", "slot", "set", "5", "1", "--output", "=", ""], ["table", "json"]],
  [["config", "slot", "set", "5", "1", "--output", "="], ["table", "json"]],
  [["config", "slot", "rebalance", "--by", "m"], ["memory"]],
  [["config", "server", "add", "1", "redis-1", ":", "6379", "ma"], ["master"]],
  [["config", "server", "import", "zoo"], ["zookeeper-tree.json"]],
  [["config", "-c", "slot-"], ["slot-vectors.json"]],
  [["completion", ""], ["bash", "zsh", "fish"]],
  [["proxy", "--addr", ""], []],
];

Deno.test("completion bash: bash offers what can stand there", async () => {
  const child = startProgram(["completion", "bash"]);
  assertEquals((await child.ended).code, 0);
  for (const [words, offers] of OFFERS) {
    assertEquals(await bashOffers(child.stdout, words), offers, words.join(" "));
  }
});

Deno.test("completion zsh and fish: the scripts hold every word and what it means", async () => {
  for (const shell of ["zsh", "fish"]) {
    const { code, stdout } = await callCli("completion", shell);
    assertEquals(code, 0);
    for (const word of [...SLOT_WORDS, "remove-fence", "log-level", "status"]) {
      assertStringIncludes(stdout, word);
    }
    assertStringIncludes(stdout, "Show which group owns which slots.");
  }
});

Deno.test("completion: another shell is refused by name", async () => {
  assertEquals(await callCli("completion", "tcsh"), {
    code: 1,
    stdout: "",
    stderr: 'codis-proxy: bad <shell>: "tcsh" is not one of bash, zsh, fish\n',
  });
});
