/**
 * What operators see of an embedded store whose disk is full: changes are refused, and the dashboard says so of
 * itself until there is room again.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { callCli } from "../support/cli_call.ts";
import { tellsThatItLeads } from "../support/cluster_view.ts";
import { Child } from "../support/child.ts";
import { until } from "../support/deadline.ts";
import { freePort } from "../support/free_port.ts";
import { programWords } from "../support/proxy_process.ts";
import { StoreFolder } from "../support/store.ts";

const BLOCK_BYTES = 512;
/** What the dashboard may store before its disk is full. */
const ROOM_BYTES = 256 * 1024;

Deno.test("config status tells that the store's disk is full, until a change is stored again", async () => {
  await using folder = await StoreFolder.make();
  const store = await folder.openFilled("127.0.0.1:1");
  const { size } = await Deno.stat(`${folder.dir}/journal`);
  const addr = `127.0.0.1:${freePort()}`;
  const file = `${folder.dir}/config.ini`;
  await Deno.writeTextFile(file, `${folder.config}\ndashboard_addr = ${addr}\n`);
  // A file that may get no longer is as a full disk: the first write that goes beyond is short.
  const limited = `trap '' XFSZ; ulimit -f ${
    Math.ceil((size + ROOM_BYTES) / BLOCK_BYTES)
  }; exec "$@"`;
  const words = programWords(["dashboard", "-c", file, `--addr=${addr}`]);
  const child = new Child("sh", { args: ["-c", limited, "sh", ...words] });
  const concerns = async () => {
    const { stdout } = await callCli("config", "-c", file, "status", "--short");
    return (JSON.parse(stdout).concerns as { text: string }[]).map(({ text }) => text)
      .filter((text) => text.includes("coordinator"));
  };
  const addGroup = (id: number) => callCli("config", "-c", file, "server", "add-group", `${id}`);
  try {
    await until(async () => {
      const response = await fetch(`http://${addr}/api/cluster`).catch(() => undefined);
      return response?.status === 200 && tellsThatItLeads(await response.json());
    }, 30_000);
    assertEquals(await concerns(), []);
    await store.coordinator.create("/other", "z".repeat(ROOM_BYTES));
    const { code, stderr } = await addGroup(7);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "File too large");
    const [told = "", ...others] = await concerns();
    assertStringIncludes(
      told,
      "The coordinator (embedded) could not store the last change: File too large",
    );
    assertEquals(others, []);
    // There is room again: the file is written anew when it has grown enough, without what was overwritten.
    await until(async () => {
      await store.coordinator.write("/other", "z".repeat(ROOM_BYTES / 8));
      return (await Deno.stat(`${folder.dir}/journal`)).size < size + ROOM_BYTES / 2;
    });
    const again = await addGroup(8);
    assertEquals(again.code, 0, again.stderr);
    assertEquals(await concerns(), []);
  } finally {
    await child.end("SIGTERM");
    await store.coordinator.close();
  }
});
