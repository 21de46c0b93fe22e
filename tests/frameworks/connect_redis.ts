/**
 * connect-redis: sessions, their end, and keyspace events about them as applications listen for.
 *
 * @module
 */

import { RedisStore } from "connect-redis";
import { createClient } from "redis";
import { host, port, report } from "./program.ts";

const url = `redis://${host}:${port}`;
const client = createClient({ url });
await client.connect();
const store = new RedisStore({ client, prefix: "sess:", ttl: 100 });
const heard: string[] = [];
const subscriber = createClient({ url });
await subscriber.connect();
const expired = Promise.withResolvers<void>();
await subscriber.pSubscribe("__keyevent@0__:expired", (key) => {
  heard.push(key);
  if (heard.length === 3) expired.resolve();
});
// deno-lint-ignore no-explicit-any
const call = (method: string, ...args: unknown[]): Promise<any> =>
  // deno-lint-ignore no-explicit-any
  (store as any)[method](...args);
for (let i = 0; i < 20; i++) await call("set", `s${i}`, { cookie: {}, user: `u${i}` });
const one = await call("get", "s7");
const count = await call("length");
const ids = (await call("ids")).length;
await call("touch", "s7", { cookie: {} });
await call("destroy", "s7");
const gone = await call("get", "s7") ?? null;
for (const i of [1, 2, 3]) await client.pExpire(`sess:s${i}`, 50);
await expired.promise;
await call("clear");
report({ one, count, ids, gone, heard: heard.sort(), left: await client.dbSize() });
