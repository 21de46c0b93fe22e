/**
 * What the program says and how it exits, as its users see it.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { configText, startProgram } from "../support/proxy_process.ts";
import { StoreFolder } from "../support/store.ts";

async function run(args: string[], cwd?: string) {
  const child = startProgram(args, {}, cwd);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Runs the proxy with a config of this text, which must not let it start. */
async function complaintAbout(config: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.ini`, config);
    const { code, stdout, stderr } = await run(["-c", "config.ini"], folder);
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
    return stderr.trimEnd();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("--help lists the commands and the flags, on every command", async () => {
  const { code, stdout, stderr } = await run(["--help"]);
  assertEquals([code, stderr], [0, ""]);
  for (const word of ["proxy", "demo", "-c <config_file>", "-L <log_file>", "--http-addr"]) {
    assertStringIncludes(stdout, word);
  }
  assertStringIncludes((await run(["proxy", "--help"])).stdout, "--log-filesize");
  assertStringIncludes((await run(["demo", "--help"])).stdout, "--redis");
});

Deno.test("--version names the program and its version", async () => {
  const { code, stdout } = await run(["--version"]);
  assertEquals(code, 0);
  assert(/^codis-proxy \d+\.\d+\.\d+\n$/.test(stdout), stdout);
});

Deno.test("a mistyped command or flag ends with one line and a suggestion", async () => {
  assertEquals(await run(["dmeo"]), {
    code: 1,
    stdout: "",
    stderr: 'codis-proxy: unknown command "dmeo", did you mean "demo"?\n',
  });
  assertEquals(await run(["proxy", "--log-levle=warn"]), {
    code: 1,
    stdout: "",
    stderr: 'codis-proxy: unknown flag "--log-levle", did you mean "--log-level"?\n',
  });
});

Deno.test("files of the system are refused in our words, not in Deno's", async () => {
  for (const args of [["-c", "/dev/stdin"], ["dashboard", "-c", "/proc/self/fd/0"]]) {
    const { code, stderr } = await run(args);
    const reason = "cannot read config file: files below /dev, /proc and /sys cannot be used";
    assertEquals([code, stderr], [1, `codis-proxy: ${args.at(-1)}: ${reason}\n`]);
  }
});

const BAD_CONFIGS: readonly [config: string, complaint: string][] = [
  ["colour = red", 'config.ini:1: unknown key "colour"'],
  ["\nmax_clients = many", 'config.ini:2: max_clients = "many": must be a whole number'],
  ["backend_timeout = -5", 'config.ini:1: backend_timeout = "-5": must not be negative'],
  ["servers = here", 'config.ini:1: servers = "here": address "here" has no port: write host:port'],
  ["coordinator = etcd", "config.ini: zk must be set when coordinator = etcd"],
];

for (const [config, complaint] of BAD_CONFIGS) {
  Deno.test(`a bad config ends the start: ${complaint}`, async () => {
    const stderr = await complaintAbout(config);
    assertStringIncludes(stderr, `codis-proxy: ${complaint}`);
  });
}

Deno.test("a config that is not there, or cannot be read, is named", async () => {
  const { code, stderr } = await run(["-c", "/nowhere/config.ini"]);
  assertEquals(code, 1);
  assertEquals(stderr, "codis-proxy: /nowhere/config.ini: cannot read config file: no such file\n");
  const folder = await run(["-c", "/"]);
  assertEquals(folder.code, 1);
  assertStringIncludes(folder.stderr, "codis-proxy: /: cannot read config file: ");
});

Deno.test("a store that cannot be opened is named, with the reason", async () => {
  const complaint = await complaintAbout("embedded_dir = /dev/null/store");
  assertStringIncludes(complaint, 'cannot open embedded_dir "/dev/null/store": ');
});

Deno.test("two dashboards with one config file announce what --addr says, and pass requests on to each other", async () => {
  await using folder = await StoreFolder.make();
  await folder.openFilled("127.0.0.1:1");
  const [a, b] = [freePort(), freePort()].map((port) => `127.0.0.1:${port}`) as [string, string];
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, configText({ embedded_dir: folder.dir, dashboard_addr: a }));
  const start = (addr: string) => startProgram(["dashboard", "-c", file, `--addr=${addr}`]);
  const leader = start(b);
  await leader.waitFor(() => leader.stderr.includes(`this dashboard leads (${b}`));
  const other = start(a);
  await other.waitFor(() => other.stderr.includes(`stands by: the one at ${b} leads`));
  const response = await fetch(`http://${a}/api/cluster`);
  assertEquals([response.status, (await response.json()).dashboard.addr], [200, b]);
  await leader.end("SIGTERM");
  await other.waitFor(() => other.stderr.includes(`this dashboard leads (${a}`));
  await other.end("SIGTERM");
});

Deno.test("a dashboard that stands by says when the one that leads announces the same address", async () => {
  await using folder = await StoreFolder.make();
  await folder.openFilled("127.0.0.1:1");
  const ports = [freePort(), freePort()];
  const file = `${folder.dir}/config.ini`;
  // As that of a load balancer, which may lead back to whoever passes a request on.
  const shared = `127.0.0.1:${ports[1]}`;
  await Deno.writeTextFile(file, configText({ embedded_dir: folder.dir }));
  const start = (port: number | undefined) =>
    startProgram([
      ...["dashboard", "-c", file, `--addr=127.0.0.1:${port}`],
      `--announce-addr=${shared}`,
    ]);
  const leader = start(ports[0]);
  await leader.waitFor(() => leader.stderr.includes("this dashboard leads ("));
  const other = start(ports[1]);
  const told =
    `this dashboard stands by: the one that leads announces the same address, ${shared}; if both ` +
    "run, start each with an --announce-addr of its own";
  await other.waitFor(() => other.stderr.includes(told));
  const response = await fetch(`http://${shared}/api/cluster`);
  assertEquals([response.status, await response.json()], [503, { error: told, leader: "" }]);
  for (const each of [leader, other]) await each.end("SIGTERM");
});

Deno.test("a dashboard says when nobody answers where config.ini tells others to look for it", async () => {
  await using folder = await StoreFolder.make();
  const [here, told] = [freePort(), freePort()];
  const file = `${folder.dir}/config.ini`;
  const config = { embedded_dir: folder.dir, dashboard_addr: `127.0.0.1:${told}` };
  await Deno.writeTextFile(file, configText(config));
  const start = (port: number) =>
    startProgram(["dashboard", "-c", file, `--addr=127.0.0.1:${port}`]);
  const elsewhere = start(here);
  await elsewhere.waitFor(() => elsewhere.stderr.includes("does not answer ("));
  assertStringIncludes(
    elsewhere.stderr,
    `dashboard_addr 127.0.0.1:${told} does not answer (connection refused): proxies and config ` +
      `commands look for the dashboard there, but this one listens on 127.0.0.1:${here}; start it ` +
      `with --addr=127.0.0.1:${told}, or change dashboard_addr`,
  );
  await elsewhere.end("SIGTERM");
  const found = start(told);
  await found.waitFor(() => found.stderr.includes("this dashboard leads ("));
  await found.end("SIGTERM");
  assert(!found.stderr.includes("does not answer"), found.stderr);
});
