/**
 * The one-file program needs nothing but itself, a shell, and what every system has.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { packSelfExtracting } from "../../../deploy/self_extracting.ts";
import { Child } from "../../support/child.ts";
import { freePort } from "../../support/free_port.ts";
import { configText, PROGRAM_FLAGS } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient } from "../../support/resp_client.ts";

/** Tells its arguments and folder, then waits for SIGTERM and exits with 7, or exits with 3. */
const PROGRAM = `
console.log(JSON.stringify({ args: Deno.args, cwd: Deno.cwd(), deno: Deno.execPath() }));
if (Deno.args[0] === "fail") Deno.exit(3);
if (Deno.args[0] === "wait") {
  Deno.addSignalListener("SIGTERM", () => Deno.exit(7));
  setInterval(() => {}, 1000);
  console.log("waiting");
}
`;

/** A machine without Deno: these folders have none. */
const PATH = "/usr/bin:/bin";

/** Starts a file as the kernel starts it; the tests may run nothing but named programs, so sh does. */
function start(file: string, args: string[], env: Record<string, string>, cwd = "/"): Child {
  const words = ["-c", 'exec "$0" "$@"', file, ...args];
  return new Child("sh", { args: words, env: { PATH, ...env }, clearEnv: true, cwd });
}

async function run(file: string, args: string[], env: Record<string, string>, cwd = "/") {
  const child = start(file, args, env, cwd);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

Deno.test("the one-file program runs on a machine that has nothing", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "codis-pack-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.writeTextFile(`${folder}/main.ts`, PROGRAM);
  const built = `${folder}/built`;
  await packSelfExtracting({
    entry: `${folder}/main.ts`,
    output: built,
    version: "0.0.0",
    flags: ["--no-prompt", "--allow-read", "--allow-env", "--allow-sys"],
    gzipLevel: 1,
  });
  const alone = `${folder}/alone`;
  await Deno.mkdir(alone);
  const file = `${alone}/codis-proxy`;
  await Deno.rename(built, file);
  const home = `${folder}/home`;

  await t.step("two that start at once both run, and nothing half-made is left", async () => {
    await Deno.mkdir(home);
    const both = await Promise.all([
      run(file, ["a", "b c", "*", ""], { HOME: home }, alone),
      run(file, ["a", "b c", "*", ""], { HOME: home }, alone),
    ]);
    for (const { code, stdout, stderr } of both) {
      assertEquals(code, 0, stderr);
      const { args, cwd, deno } = JSON.parse(stdout);
      assertEquals(args, ["a", "b c", "*", ""]);
      assertEquals(cwd, alone);
      assert(deno.startsWith(`${home}/.cache/codis-proxy/`), deno);
    }
    const [app] = [...Deno.readDirSync(`${home}/.cache/codis-proxy`)];
    const names = [...Deno.readDirSync(`${home}/.cache/codis-proxy/${app!.name}`)].map((entry) =>
      entry.name
    );
    assertEquals(names.filter((name) => name !== "cache").sort(), [".lock", "deno", "main.js"]);
  });

  await t.step("the exit code is the program's, and so is the process", async () => {
    assertEquals((await run(file, ["fail"], { HOME: home })).code, 3);
    const child = start(file, ["wait"], { HOME: home });
    await child.waitFor(() => child.stdout.includes("waiting"));
    assertEquals((await child.end("SIGTERM")).code, 7);
  });

  await t.step(
    "versions that nobody uses any more are removed, and those of an upgrade stay",
    async () => {
      const shelf = `${folder}/versions`;
      const unpacked = `${shelf}/.cache/codis-proxy`;
      const ids = () => [...Deno.readDirSync(unpacked)].map(({ name }) => name).sort();
      // The launcher, and in place of Deno a line that starts the one of here: to unpack all of it takes a second.
      const light = `${folder}/light`;
      await Deno.mkdir(light);
      await Deno.writeTextFile(`${light}/main.js`, PROGRAM);
      const line = `#!/bin/sh\nexec '${Deno.execPath()}' "$@"\n`;
      await Deno.writeTextFile(`${light}/deno`, line, { mode: 0o755 });
      const words = ["-c", 'tar -C "$0" -czf "$0.tgz" deno main.js', light];
      assertEquals((await new Child("sh", { args: words }).ended).code, 0);
      const payload = await Deno.readFile(`${light}.tgz`);
      const packed = await Deno.readFile(file);
      const launcher = new TextDecoder("latin1").decode(packed.subarray(0, 16 * 1024));
      const end = "\nexit 1 # the payload follows\n";
      const head = packed.slice(0, launcher.indexOf(end) + end.length);
      /** The folder of a version is named after what its launcher says. */
      const version = async (id: string): Promise<string> => {
        head.set(new TextEncoder().encode(id), launcher.indexOf("\nid=") + 4);
        await Deno.writeFile(`${folder}/${id}`, concat([head, payload]), { mode: 0o755 });
        return `${folder}/${id}`;
      };
      const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000 - 60_000);
      const [first, second, third, fourth] = ["1", "2", "3", "4"].map((digit) =>
        digit.repeat(16)
      ) as [
        ...[string, string, string, string],
      ];
      const HOME = shelf;
      const runs = start(await version(first), ["wait"], { HOME });
      await runs.waitFor(() => runs.stdout.includes("waiting"));
      await Deno.utime(`${unpacked}/${first}/.lock`, daysAgo(400), daysAgo(400));
      // As from a launcher of before, and something that is none of ours.
      for (
        const [name, days] of [["a".repeat(16), 29], ["b".repeat(16), 30], ["other", 99]] as const
      ) {
        await Deno.mkdir(`${unpacked}/${name}`);
        await Deno.utime(`${unpacked}/${name}`, daysAgo(days), daysAgo(days));
      }
      // While the first runs, the second takes over.
      assertEquals((await run(await version(second), [], { HOME })).code, 0);
      assertEquals(ids(), [first, second, "a".repeat(16), "other"]);
      await runs.end("SIGTERM");
      assertEquals((await run(await version(third), [], { HOME })).code, 0);
      assertEquals(ids(), [second, third, "a".repeat(16), "other"]);
      // One that is started again counts as used.
      for (const id of [second, third]) {
        await Deno.utime(`${unpacked}/${id}/.lock`, daysAgo(1), daysAgo(1));
      }
      assertEquals((await run(`${folder}/${third}`, [], { HOME })).code, 0);
      assertEquals((await run(await version(fourth), [], { HOME })).code, 0);
      assertEquals(ids(), [third, fourth, "a".repeat(16), "other"]);
    },
  );

  await t.step("by the name of Codis 2.0's codis-config it is that", async () => {
    const link = `${folder}/codis-config`;
    await Deno.symlink(file, link);
    const { code, stdout, stderr } = await run(link, ["-c", "a b", "slot"], { HOME: home });
    assertEquals(code, 0, stderr);
    assertEquals(JSON.parse(stdout).args, ["config", "-c", "a b", "slot"]);
  });

  await t.step("with an empty or impossible HOME it unpacks into a temporary folder", async () => {
    const temporary = `${folder}/tmp`;
    await Deno.mkdir(temporary);
    for (const HOME of ["", "/dev/null/nowhere"]) {
      const { code, stdout, stderr } = await run(file, [], { HOME, TMPDIR: temporary });
      assertEquals(code, 0, stderr);
      assert(JSON.parse(stdout).deno.startsWith(`${temporary}/codis-proxy-`), stdout);
    }
  });

  await t.step("what npm is told in HOME is none of its business", async () => {
    const strange = `${folder}/strange`;
    await Deno.mkdir(`${strange}/.npmrc`, { recursive: true });
    assertEquals((await run(file, [], { HOME: strange })).code, 0);
  });

  await t.step("with an empty PATH it says which programs it needs", async () => {
    const bare = `${folder}/bare`;
    await Deno.writeTextFile(bare, `#!/bin/sh\nPATH= exec ${file}\n`, { mode: 0o755 });
    const { code, stderr } = await run(bare, [], { HOME: home });
    const programs = "uname id ls mkdir tail tar gzip mv rm";
    assertEquals([code, stderr], [
      1,
      `codis-proxy: not found in PATH (""): ${programs}\n`,
    ]);
  });

  await t.step("with no folder at all it says what to do", async () => {
    const nowhere = "/dev/null/nowhere";
    const { code, stderr } = await run(file, [], { HOME: nowhere, TMPDIR: nowhere });
    assertEquals(code, 1);
    assertEquals(
      stderr,
      "codis-proxy: no folder to unpack into: set XDG_CACHE_HOME to one that can be written to\n",
    );
  });

  await t.step("what root has unpacked is used by others, who can write nowhere", async () => {
    if (Deno.uid() !== 0) return;
    const shared = `${folder}/opt`;
    await Deno.chmod(folder, 0o755);
    await run(file, [], { XDG_CACHE_HOME: shared });
    const readable = ["-c", 'chmod -R go=rX "$0" "$1"', shared, file];
    assertEquals((await new Child("sh", { args: readable }).ended).code, 0);
    const asNobody = async () => {
      const words = ["-c", 'exec setpriv --reuid=65534 --clear-groups "$0" x', file];
      const env = { PATH, XDG_CACHE_HOME: shared, HOME: "/dev/null", TMPDIR: "/dev/null" };
      const child = new Child("sh", { args: words, env, clearEnv: true, cwd: "/" });
      return { code: (await child.ended).code, stdout: child.stdout, stderr: child.stderr };
    };
    const { code, stdout, stderr } = await asNobody();
    assertEquals(code, 0, stderr);
    const { deno } = JSON.parse(stdout);
    assert(deno.startsWith(`${shared}/codis-proxy/`), deno);
    // Where others could have changed it, it is not.
    await Deno.chmod(deno, 0o777);
    assertEquals((await asNobody()).code, 1);
  });

  await t.step("a folder that somebody else prepared in its place is not trusted", async () => {
    const temporary = `${folder}/shared`;
    const [uid] = (await run("id", ["-u"], {})).stdout.split("\n");
    await Deno.mkdir(`${temporary}/elsewhere`, { recursive: true });
    const [app] = [...Deno.readDirSync(`${home}/.cache/codis-proxy`)];
    await Deno.mkdir(`${temporary}/codis-proxy-${uid}`);
    await Deno.symlink(
      `${temporary}/elsewhere`,
      `${temporary}/codis-proxy-${uid}/${app!.name}`,
    );
    assertEquals((await run(file, [], { TMPDIR: temporary })).code, 1);
  });
});

Deno.test("the proxy in one file has its workers in it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "codis-pack-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const root = new URL("../../..", import.meta.url).pathname;
  const file = `${folder}/codis-proxy`;
  await packSelfExtracting({
    entry: `${root}main.ts`,
    workers: [`${root}src/proxy/workers/worker.ts`],
    output: file,
    version: "0.0.0",
    flags: ["--unstable-net", ...PROGRAM_FLAGS],
    gzipLevel: 1,
  });
  const redis = stack.use(await RedisServer.start());
  const config = { embedded_dir: `${folder}/data`, servers: redis.addr };
  await Deno.writeTextFile(`${folder}/config.ini`, configText(config));
  const [port, httpPort] = [freePort(), freePort()];
  const addrs = [`--addr=127.0.0.1:${port}`, `--http-addr=127.0.0.1:${httpPort}`];
  const words = ["-c", `${folder}/config.ini`, "--cpu=2", ...addrs];
  const child = start(file, words, { HOME: folder });
  stack.adopt(child, (running) => running.end("SIGKILL").then(() => {}));
  await child.waitFor(() => child.stderr.includes("serving on"));
  {
    using client = await RespClient.connect(port);
    assertEquals(await client.call("SET", "k", "v"), "OK");
  }
  const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  assert(metrics.includes('codis_proxy_sessions{worker="1"}'), metrics);
  assertEquals((await child.end("SIGTERM")).code, 0);
});
