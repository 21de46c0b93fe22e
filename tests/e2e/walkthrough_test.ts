/**
 * The walk-through of docs/quickstart.md, pasted as one block: the whole life of a cluster from an empty
 * ZooKeeper or etcd, by the `config` commands alone.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { startEtcd, startZookeeper } from "../support/remote_coordinator.ts";
import type { Child } from "../support/child.ts";
import { freePort } from "../support/free_port.ts";
import { configText, startProgram } from "../support/proxy_process.ts";
import { RedisServer } from "../support/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";
import { StoreServer } from "../support/store.ts";

const QUICKSTART = new URL("../../docs/quickstart.md", import.meta.url);
/** Longest time that one line may take, in milliseconds. */
const LINE_MS = 60_000;

/** What the document has its reader write and run. */
interface Walkthrough {
  /** The commands, without comments. */
  readonly lines: readonly string[];
  /** The keys of config.ini. */
  readonly keys: Readonly<Record<string, string>>;
  /** The password that each redis.conf is to have. */
  readonly requirepass: string;
}

async function walkthrough(): Promise<Walkthrough> {
  const [, text = ""] = (await Deno.readTextFile(QUICKSTART)).split("## A cluster from nothing");
  const block = /<!-- walkthrough -->\n([^]*?)<!-- \/walkthrough -->/.exec(text)?.[1] ?? "";
  return {
    lines: block.split("\n").filter((line) => line.startsWith("    "))
      .map((line) => line.replace(/ +#.*$/, "").trim()),
    keys: Object.fromEntries(
      text.matchAll(/^ {4}(\w+) = (.*)$/gm).map(([, key, value]) => [key, value]),
    ),
    requirepass: /`requirepass\s+(\S+)`/.exec(text)?.[1] ?? "",
  };
}

for (const kind of ["zookeeper", "etcd"] as const) {
  Deno.test(`the walk-through of docs/quickstart.md works pasted as one block, from an empty ${kind}`, () =>
    walk(kind));
}

async function walk(kind: "zookeeper" | "etcd"): Promise<void> {
  const { lines, keys, requirepass } = await walkthrough();
  assert(lines.length > 12, `${lines.length} lines`);
  const remote = await (kind === "zookeeper" ? startZookeeper() : startEtcd());
  await using _server = remote.server;
  await using place = await StoreServer.make(remote);
  await using servers = await RedisServer.startMany(
    3,
    requirepass === "" ? {} : { args: ["--requirepass", requirepass] },
  );
  const [redisPort, httpPort, dashboardPort] = [freePort(), freePort(), freePort()];
  const folder = await Deno.makeTempDir({ prefix: "codis-walk-" });
  const running: Child[] = [];
  try {
    await Deno.writeTextFile(
      `${folder}/config.ini`,
      configText({
        ...keys,
        coordinator: kind,
        zk: remote.server.addr,
        dashboard_addr: `127.0.0.1:${dashboardPort}`,
        zk_session_timeout: 4000,
      }),
    );
    for (const line of lines) {
      const words = line.split(" ").map((word) =>
        word.replace("127.0.0.1:6379", servers[0]!.addr)
          .replace("127.0.0.1:6380", servers[1]!.addr)
          .replace("127.0.0.1:6381", servers[2]!.addr)
      );
      if (words[0] === "redis-cli") {
        using client = await RespClient.connect(redisPort);
        const request = words.slice(3);
        if (request[0] === "-a") {
          assertEquals(await client.call("AUTH", request[1]!), "OK", line);
          request.splice(0, 2);
        }
        assertEquals(await client.call(...request), "OK", line);
        continue;
      }
      assertEquals(words[0], "codis-proxy", line);
      const isBackground = words.at(-1) === "&";
      const args = words.slice(1, isBackground ? -1 : undefined);
      if (args.length === 0) {
        args.push(`--addr=127.0.0.1:${redisPort}`, `--http-addr=127.0.0.1:${httpPort}`);
      }
      if (args[0] === "dashboard") args.push(`--addr=127.0.0.1:${dashboardPort}`);
      const child = startProgram(args, {}, folder);
      // As a shell does with lines that are pasted at once: the next one begins right away.
      if (isBackground) {
        running.push(child);
        continue;
      }
      const timer = setTimeout(() => child.signal("SIGKILL"), LINE_MS);
      const { code } = await child.ended;
      clearTimeout(timer);
      assertEquals(code, 0, `${line}: ${child.stdout}${child.stderr}`);
      if (line.endsWith("config check")) assertMatch(child.stdout, /"problems": \[\]/);
    }
    // Every slot was moved by the task that was made for it, and no task came too late.
    assertNotMatch(running[0]!.stderr, /ended without a migration/);
    // The proxy was taken offline by the last line: it has ended in order.
    assertEquals((await running.at(-1)!.ended).code, 0);
    const store = await place.open("test");
    assertEquals(await store.coordinator.children(store.paths.fences), []);
  } finally {
    for (const child of running) await child.end("SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}
