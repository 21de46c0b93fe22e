/**
 * What the scripts of deploy/helm do, which compose uses, too: Redis servers that keep their role, and a
 * cluster that is told of them once.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Child } from "../../support/child.ts";
import { DashboardProcess } from "../../support/dashboard_process.ts";
import { until } from "../../support/deadline.ts";
import { freePort } from "../../support/free_port.ts";
import { programWords } from "../../support/proxy_process.ts";
import { RespClient } from "../../support/resp_client.ts";

const FILES = new URL("../../../deploy/helm/codis-proxy/files/", import.meta.url).pathname;
/** What a shell or Redis's config file would stumble over. */
const PASSWORD = `a"b\\c $d'e`;

/** A server as its container starts it; its folder outlives it. */
class ContainedRedis {
  readonly port = freePort();
  readonly addr = `127.0.0.1:${this.port}`;
  readonly env: Record<string, string>;
  #child: Child | undefined;

  constructor(folder: string, name: string) {
    Deno.mkdirSync(`${folder}/${name}`);
    this.env = {
      REDIS_PASSWORD_FILE: `${folder}/password`,
      REDIS_DATA: `${folder}/${name}`,
      REDIS_PORT: `${this.port}`,
    };
  }

  async start(): Promise<void> {
    const { env } = this;
    const flags = [
      "--bind",
      "127.0.0.1",
      "--maxmemory",
      "100mb",
      "--repl-diskless-sync-delay",
      "0",
    ];
    const args = [`${FILES}redis.sh`, ...flags];
    this.#child = new Child("sh", { args, env });
    await until(async () => {
      const { code } = await new Child("sh", { args: [`${FILES}redis.sh`, "ping"], env }).ended;
      return code === 0;
    });
  }

  async kill(): Promise<void> {
    await this.#child?.end("SIGKILL");
  }

  /** Whom it follows, and whether it is in touch; `undefined`: it is a master. */
  async follows(): Promise<{ port: number; link: string } | undefined> {
    using client = await RespClient.connect(this.port);
    await client.call("AUTH", PASSWORD);
    const info = `${await client.call("INFO", "replication")}`;
    const port = /^master_port:(\d+)/m.exec(info)?.[1];
    if (port === undefined) return undefined;
    return { port: Number(port), link: /^master_link_status:(\w+)/m.exec(info)![1]! };
  }

  async set(name: string): Promise<string> {
    using client = await RespClient.connect(this.port);
    await client.call("AUTH", PASSWORD);
    return `${(await client.call("CONFIG", "GET", name) as unknown[])[1]}`;
  }
}

Deno.test("a first start tells the cluster of its servers, which keep their roles when they are started again", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "codis-packages-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.writeTextFile(`${folder}/password`, `${PASSWORD}\nan older one\n`);
  const quoted = programWords([]).map((word) => `'${word}'`).join(" ");
  await Deno.mkdir(`${folder}/bin`);
  await Deno.writeTextFile(`${folder}/bin/codis-proxy`, `#!/bin/sh\nexec ${quoted} "$@"\n`, {
    mode: 0o755,
  });
  const [master, replica, other] = ["1a", "1b", "2a"].map((name) => {
    const redis = new ContainedRedis(folder, name);
    stack.defer(() => redis.kill());
    return redis;
  }) as [ContainedRedis, ContainedRedis, ContainedRedis];
  await Promise.all([master, replica, other].map((redis) => redis.start()));
  const dashboard = stack.use(
    await DashboardProcess.start({
      coordinator: "embedded",
      embedded_dir: `${folder}/store`,
      password_file: `${folder}/password`,
    }),
  );
  const firstStart = async () => {
    const child = new Child("sh", {
      args: [`${FILES}first_start.sh`, `${master.addr},${replica.addr}`, other.addr],
      env: {
        CODIS_CONFIG: dashboard.configFile,
        PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
        NO_COLOR: "1",
      },
    });
    const { code } = await child.ended;
    assertEquals(code, 0, child.stderr);
    return child.stdout;
  };
  const groupsOf = async () => {
    const { text } = await dashboard.ask("GET", "/api/slots");
    return (JSON.parse(text) as { group_id: number; state: { status: string } }[]).map((slot) =>
      slot.state.status === "online" ? slot.group_id : -1
    );
  };

  await t.step("groups, replicas, and slots spread evenly", async () => {
    await firstStart();
    assertEquals(
      await groupsOf(),
      Array.from({ length: 1024 }, (_, slot) => slot < 512 ? 1 : 2),
    );
    await until(async () => (await replica.follows())?.link === "up");
    assertEquals((await replica.follows())!.port, master.port);
    assertEquals([await master.follows(), await other.follows()], [undefined, undefined]);
  });

  await t.step("a second one changes nothing", async () => {
    assertEquals((await firstStart()).match(/adding|slots \d/), null);
  });

  await t.step("a replica that was killed follows again by itself", async () => {
    await replica.kill();
    await replica.start();
    await until(async () => (await replica.follows())?.link === "up");
  });

  await t.step(
    "so does the old master after a promotion, and the new one stays master",
    async () => {
      const { status, text } = await dashboard.ask("POST", "/api/server_group/1/promote", {
        addr: replica.addr,
        group_id: 1,
      });
      assertEquals(status, 200, text);
      for (const redis of [master, replica]) {
        await redis.kill();
        await redis.start();
      }
      assertEquals(await replica.follows(), undefined);
      await until(async () => (await master.follows())?.link === "up");
      assertEquals((await master.follows())!.port, replica.port);
    },
  );

  await t.step(
    "what a promotion sets for a moment is not there after a restart, flags are",
    async () => {
      assertEquals(await master.set("min-replicas-to-write"), "0");
      assertEquals(await master.set("maxmemory"), `${100 * 1024 * 1024}`);
    },
  );
});
