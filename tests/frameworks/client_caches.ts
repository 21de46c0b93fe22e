/**
 * Client-side caches of node-redis and ioredis' tracking by hand: a change by another client is heard.
 *
 * @module
 */

import { Redis } from "ioredis";
import { createClient } from "redis";
import { connection, host, port, report } from "./program.ts";

const other = new Redis(connection);
const cached = createClient({
  url: `redis://${host}:${port}`,
  RESP: 3,
  clientSideCache: { ttl: 0, maxEntries: 1000 },
});
await cached.connect();
const keys = Array.from({ length: 20 }, (_, i) => `cache:${i}`);
for (const key of keys) await other.set(key, "old");
for (const key of keys) await cached.get(key);
for (const key of keys) await cached.get(key);
const before = await Promise.all(keys.map((key) => cached.get(key)));
for (const key of keys) await other.set(key, "new");
let after: unknown[] = [];
for (let i = 0; i < 100; i++) {
  after = await Promise.all(keys.map((key) => cached.get(key)));
  if (after.every((value) => value === "new")) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
// By hand, RESP2: one connection is told what the other has read.
const listener = new Redis({ ...connection, protocol: 2 } as never);
const reader = new Redis({ ...connection, protocol: 2 } as never);
const id = await listener.client("ID");
await listener.subscribe("__redis__:invalidate");
const invalid: unknown[] = [];
listener.on("message", (_channel: string, message: unknown) => invalid.push(message));
await reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", String(id));
for (const key of keys) await reader.get(key);
for (const key of keys) await other.set(key, "newest");
for (let i = 0; i < 100 && invalid.length < keys.length; i++) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
report({ before, after, invalid: invalid.flat().sort() });
