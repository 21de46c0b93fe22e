/**
 * `import` from a real Redis Cluster of three masters.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { CLUSTER_SLOT_COUNT, clusterSlotOf } from "../../../src/hash/crc16.ts";
import { until } from "../../support/deadline.ts";
import { ProxyProcess, startProgram } from "../../support/proxy_process.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { RespClient, type Word } from "../../support/resp_client.ts";
import { FOLLOWS } from "./import_setting.ts";

const NODES = 3;
const KEYS = 300;
const ENCODER = new TextEncoder();

/** Makes one cluster of servers; slots are dealt out in equal parts. */
async function joined(nodes: readonly RespClient[], ports: readonly number[]): Promise<void> {
  const firstOf = (node: number) => Math.floor(node * CLUSTER_SLOT_COUNT / NODES);
  for (const [i, node] of nodes.entries()) {
    await node.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
    await node.call("CLUSTER", "ADDSLOTSRANGE", firstOf(i), firstOf(i + 1) - 1);
    if (i > 0) await node.call("CLUSTER", "MEET", "127.0.0.1", ports[0]!);
  }
  await until(async () => {
    const infos = await Promise.all(nodes.map((node) => node.call("CLUSTER", "INFO")));
    return infos.every((text) => /state:ok[^]*known_nodes:3/.test(String(text)));
  });
}

/** A value of one of some kinds, with or without a time to live, and later changes of it. */
function requestsOf(i: number): { readonly make: Word[][]; readonly change: Word[][] } {
  const key = `key:${i}`;
  const kinds = [
    { make: [["SET", key, i]], change: [["INCR", key]] },
    { make: [["HSET", key, "f", i]], change: [["HINCRBY", key, "f", 1], ["EXPIRE", key, 500]] },
    { make: [["RPUSH", key, i, 2]], change: [["RPOPLPUSH", key, `{${key}}moved`]] },
    { make: [["ZADD", key, i, "m"]], change: [["DEL", key]] },
    { make: [["XADD", key, "1-1", "f", i]], change: [["XADD", key, "2-2", "f", "v"]] },
    { make: [["SET", key, "v", "PX", 60_000]], change: [["APPEND", key, "w"]] },
  ];
  return kinds[i % kinds.length]!;
}

Deno.test("all keys of a cluster and their changes come along; slots that move end it with what to do", async () => {
  const args = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"];
  await using cluster = await RedisServer.startMany(NODES, { args });
  await using servers = await RedisServer.startMany(2);
  await using proxy = await ProxyProcess.start({ servers });
  await using clients = new AsyncDisposableStack();
  const nodes = await Promise.all(cluster.map(async ({ port }) => {
    const client = await RespClient.connect(port);
    clients.defer(() => client.close());
    return client;
  }));
  await joined(nodes, cluster.map(({ port }) => port));
  const send = async (requests: Word[][]) => {
    const key = ENCODER.encode(String(requests[0]![1]));
    const slot = clusterSlotOf(key, 0, key.length);
    const replies = await nodes[Math.floor((slot + 0.5) * NODES / CLUSTER_SLOT_COUNT)]!
      .pipeline(requests);
    for (const { raw } of replies) if (raw[0] === 45) throw new Error(String(raw));
  };
  const importIt = (...words: string[]) =>
    startProgram([
      ...["import", "-c", `${proxy.folder}/config.ini`, `--state=${proxy.folder}/state`],
      ...[`--from=cluster://${cluster[1]!.addr}`, ...words],
    ]);

  for (let i = 0; i < KEYS; i++) await send(requestsOf(i).make);
  const child = importIt();
  await child.waitFor(() => child.stderr.includes(FOLLOWS));
  for (let i = 0; i < KEYS; i++) await send(requestsOf(i).change);
  child.signal("SIGKILL");
  await child.ended;
  const last = importIt("--switch-over", "--verify=all");
  assertEquals((await last.ended).code, 0, last.stderr + last.stdout);
  const { different, compared } = JSON.parse(last.stdout).verified;
  // A sixth is deleted, and a sixth has a second key.
  assertEquals([different, compared], [0, KEYS]);
  for (const node of nodes) await node.call("CLIENT", "UNPAUSE");

  const again = importIt("--merge");
  await again.waitFor(() => again.stderr.includes(FOLLOWS));
  await nodes[0]!.call(
    "CLUSTER",
    "SETSLOT",
    0,
    "MIGRATING",
    String(await nodes[2]!.call("CLUSTER", "MYID")),
  );
  assertEquals((await again.ended).code, 1);
  assertStringIncludes(again.stderr, "the source's cluster moves slots");
  assertStringIncludes(again.stderr, "--restart");
  const refused = importIt("--restart", "--merge");
  assertEquals((await refused.ended).code, 1);
  assertStringIncludes(refused.stderr, "end that first");
});
