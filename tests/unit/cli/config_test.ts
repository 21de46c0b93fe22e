/**
 * What config commands refuse before they ask anybody.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { commandLine } from "../../../src/cli/cli.ts";
import { callCli } from "../../support/cli_call.ts";
import { json, RecordingDashboard } from "../../support/recording_dashboard.ts";

const MISTAKES: readonly [words: string, complaint: string][] = [
  ["slot info 1024", 'bad <slot_id>: "1024" is not a slot: a whole number, 0 to 1023'],
  ["slot info -1", 'bad <slot_id>: "-1" is not a slot: a whole number, 0 to 1023'],
  ["slot info 0x10", 'bad <slot_id>: "0x10" is not a slot: a whole number, 0 to 1023'],
  ["slot set 5 -1 online", 'bad <group_id>: "-1" is not a group: a whole number, 0 to 999999999'],
  ["slot set 5 1 migrate", 'bad <status>: "migrate" is not one of online, offline'],
  ["slot range-set 9 8 1 online", "bad <slot_to>: 8 is below <slot_from> 9"],
  ["slot migrate 9 8 1", "bad <slot_to>: 8 is below <slot_from> 9"],
  ["slot migrate 0 8", "<group_id> is missing: number of a group"],
  ["slot migrate 0 8 1 2", 'unexpected word "2"'],
  ["slot migrate 0 8 1 --delay=-5", 'bad --delay: "-5" is not a delay in milliseconds'],
  ["slot migrate 0 8 1 --delay -5", 'bad --delay: "-5" is not a delay in milliseconds'],
  ["slot rebalance --by=keys", 'bad --by: "keys" is not one of memory, slots'],
  ["slot rebalance --dry-run --wait", "--wait and --dry-run cannot be used together"],
  ["slot cancel all", 'bad <task>: "all" is not the name of a task: digits only'],
  ["server add 1 redis-1 master", 'bad <redis_addr>: address "redis-1" has no port'],
  ["server add 1 redis-1:0 master", 'bad <redis_addr>: address "redis-1:0" has port 0'],
  ["server add 1 http://redis-1:1 master", 'bad <redis_addr>: address "http://redis-1:1" is a URL'],
  ["server add-group 1000000000", 'bad <group_id>: "1000000000" is not a group'],
  ["--log-level=loud slot list", 'bad --log-level: "loud" is not a log level: error, warn, info'],
  ["server add 1 redis-1:1 boss", 'bad <role>: "boss" is not one of master, slave, offline'],
  ["server add one redis-1:1 master", 'bad <group_id>: "one" is not a group'],
  ["server import README.md", 'bad <file>: "README.md" is neither *.yml or *.yaml (twemproxy)'],
  ["server import /no/such/file", "bad <file>: /no/such/file cannot be read: no such file"],
  ["server import tests", "bad <file>: tests cannot be read: it is a folder"],
  ["server import /nowhere.yml", "/nowhere.yml cannot be read: no such file"],
  ["server import a.ini --pool=x", "--pool is for twemproxy configs"],
  ["server import a.yml --slots", "--slots is for configs of another Codis"],
  ["proxy online a/b", 'bad <proxy_name>: "a/b" is not a proxy_id'],
  ["action gc -n 1 -s 1", "-n and -s cannot be used together"],
  ["action gc -n many", 'bad -n: "many" is not a number of actions'],
  ["slot cancel --back --finish", "--back and --finish cannot be used together"],
  ["group drain -1", 'bad <group_id>: "-1" is not a group: a whole number, 0 to 999999999'],
  ["command allow GET all", "GET is a command of Redis 7.0: where it goes is fixed"],
  ["command allow X 3", 'bad <way>: "3" is not key=N or block=N, N from 1 on, any or all'],
  ["slot", "config slot needs a command: list, info"],
  ["", "config needs a command: status, group, server"],
  ["slot inof 5", 'unknown command "config slot inof", did you mean "info"?'],
  ["sever list", 'unknown command "config sever", did you mean "server"?'],
  ["slot list --ouput=json", 'unknown flag "--ouput", did you mean "--output"?'],
  ["--ouput=json slot list", 'unknown flag "--ouput", did you mean "--output"?'],
  ["slot list --output=xml", 'bad --output: "xml" is not one of table, json'],
  ["slot list --dashboard=here", 'bad --dashboard: address "here" has no port'],
];

Deno.test("called codis-config, the program is that; by any other name it is what it is", () => {
  for (const program of ["codis-config", "./codis-config", "/opt/codis/bin/codis-config"]) {
    assertEquals(commandLine(program, ["slot", "init"]), ["config", "slot", "init"]);
  }
  for (const program of ["codis-proxy", "/opt/codis-config/deno", ""]) {
    assertEquals(commandLine(program, ["slot", "init"]), ["slot", "init"]);
  }
});

/** Where codis-config takes its flags: before its commands, of one letter also without a space. */
const BEFORE: readonly (readonly string[])[] = [
  ["-c", "FILE"],
  ["-cFILE"],
  ["-c=FILE", "--log-level=error"],
  ["--log-level", "error", "-c", "FILE"],
  ["-L-", "--log-level=error", "-cFILE"],
];

for (const flags of BEFORE) {
  Deno.test(`flags stand before the command, as codis-config has them: ${flags.join(" ")}`, async () => {
    const groups = [{ id: 1, product_name: "test", servers: null }];
    await using dashboard = new RecordingDashboard({ "GET /api/server_groups": json(groups) });
    const file = await Deno.makeTempFile({ suffix: "=1.ini" });
    await Deno.writeTextFile(file, `dashboard_addr = ${dashboard.addr}\n`);
    const given = flags.map((word) => word.replace("FILE", file));
    const lines = [
      commandLine("codis-config", [...given, "server", "list"]),
      commandLine("codis-proxy", [...given, "config", "server", "list"]),
      commandLine("codis-proxy", ["config", ...given, "server", "list"]),
      commandLine("codis-proxy", ["config", "server", "list", ...given]),
    ];
    for (const line of lines) {
      const { code, stdout, stderr } = await callCli(...line);
      assertEquals([code, stderr, JSON.parse(stdout)], [0, "", groups], line.join(" "));
    }
    await Deno.remove(file);
  });
}

Deno.test("flags without a command are the proxy's, and a mistaken one stays the first mistake", () => {
  for (
    const words of [
      ["-c", "a.ini", "--addr", ":9000", "--take-over"],
      ["--adr", ":9000"],
      ["-cpu=2", "config"],
      ["-h"],
      [],
    ]
  ) {
    assertEquals(commandLine("codis-proxy", words), words);
  }
});

Deno.test("the dashboard starts by codis-config's words, too", async () => {
  const { code, stdout } = await callCli("config", "-c", "a.ini", "dashboard", "--help");
  assertEquals(code, 0);
  assertEquals(stdout.split("-c <config_file>").length, 2, stdout);
  assertEquals(stdout.includes("--http-log=<file>"), true);
});

Deno.test("action gc without a word of what is kept removes nothing, and does not fail", async () => {
  await using dashboard = new RecordingDashboard();
  const words = ["config", `--dashboard=${dashboard.addr}`, "action", "gc"];
  assertEquals(await callCli(...words, "--output=json"), { code: 0, stdout: "", stderr: "" });
  const { stdout } = await callCli(...words, "--output=table");
  assertEquals(stdout, "nothing was removed: use -n or -s to say which actions to keep\n");
  assertEquals(dashboard.requests, []);
});

for (const [words, complaint] of MISTAKES) {
  Deno.test(`config ${words}: a mistake is answered in one line`, async () => {
    await using dashboard = new RecordingDashboard();
    const args = words.split(" ").filter((word) => word !== "");
    const at = words.includes("--dashboard") ? [] : [`--dashboard=${dashboard.addr}`];
    const { code, stdout, stderr } = await callCli("config", ...at, ...args);
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr.split("\n").length, 2, stderr);
    assertEquals(stderr.startsWith(`codis-proxy: ${complaint}`), true, stderr);
    assertEquals(dashboard.requests, []);
  });
}
