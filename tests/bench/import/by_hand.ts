/**
 * What writing the same keys costs without the program: `redis-cli --pipe` of a RESTORE of each, one for each
 * server, at the same time.
 *
 * @module
 */

import { RedisServer } from "../../support/redis_server.ts";
import { encodeRequests, RespClient } from "../../support/resp_client.ts";

const SERVERS = 2;
const READ_MS = 120_000;
const ENCODER = new TextEncoder();

/**
 * Returns the seconds that it takes.
 *
 * @param ports Servers that have the keys.
 * @param started Ends what is started, when it is over.
 */
export async function restoreByHand(
  ports: readonly number[],
  started: AsyncDisposableStack,
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "codis-import-" });
  started.defer(() => Deno.remove(folder, { recursive: true }));
  const names = Array.from({ length: SERVERS }, (_, i) => `${folder}/restore-${i}`);
  const files = await Promise.all(names.map((name) => Deno.create(name)));
  for (const port of ports) await writeRequests(port, files);
  for (const file of files) file.close();
  const servers = started.use(await RedisServer.startMany(SERVERS));
  const startMs = performance.now();
  await Promise.all(servers.map(({ port }, i) => pipe(port, names[i]!)));
  return (performance.now() - startMs) / 1000;
}

async function pipe(port: number, file: string): Promise<void> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", 'redis-cli -p "$0" --pipe < "$1"', `${port}`, file],
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!text.includes("errors: 0")) throw new Error(text);
}

async function writeRequests(port: number, files: readonly Deno.FsFile[]): Promise<void> {
  using client = await RespClient.connect(port, "127.0.0.1", READ_MS);
  const info = String(await client.call("INFO", "keyspace"));
  let batch = 0;
  for (const [, database] of info.matchAll(/^db(\d+):/gm)) {
    const isSelected = database !== "0";
    if (isSelected) await client.call("SELECT", database!);
    for (let cursor = "0";;) {
      const [next, keys] = await client.call("SCAN", cursor, "COUNT", "500") as [string, string[]];
      const replies = await client.pipeline(
        keys.flatMap((key) => [["DUMP", key], ["PEXPIRETIME", key]]),
      );
      const file = files[batch++ % files.length]!;
      const parts = [encodeRequests([["SELECT", database!]])];
      for (const [i, key] of keys.entries()) {
        const [dump, time] = [replies[2 * i]!, Number(replies[2 * i + 1]!.value)];
        if (time === -2) continue;
        const head = encodeRequests([["RESTORE", key, time < 0 ? 0 : time]]).subarray(4);
        const options = encodeRequests([["REPLACE", "ABSTTL"]]).subarray(4);
        parts.push(
          ENCODER.encode("*6\r\n"),
          head as Uint8Array<ArrayBuffer>,
          dump.raw as Uint8Array<ArrayBuffer>,
          options as Uint8Array<ArrayBuffer>,
        );
      }
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      if (next === "0") break;
      cursor = next;
    }
  }
}
