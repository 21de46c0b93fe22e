/**
 * socket.io's adapter: three servers are one; rooms, acknowledgements, and who is there.
 *
 * @module
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import { connection, host, port, report } from "./program.ts";

const url = `redis://${host}:${port}`;

async function adapterOf(kind: string) {
  if (kind === "ioredis") {
    const pub = new Redis(connection);
    return createAdapter(pub, pub.duplicate(), { key: kind });
  }
  const pub = createClient({ url });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);
  return kind === "sharded"
    ? createShardedAdapter(pub, sub, { channelPrefix: kind })
    : createAdapter(pub, sub, { key: kind });
}

async function serve(kind: string): Promise<Record<string, unknown>> {
  const servers: Server[] = [];
  const clients: Socket[] = [];
  for (let i = 0; i < 3; i++) {
    const http = createServer();
    const server = new Server(http, { adapter: await adapterOf(kind) });
    server.on("connection", (socket) => {
      socket.join(`room${i % 2}`);
      socket.on("ask", (answer) => answer(`server ${i}`));
    });
    server.on("hello", (answer) => answer(i));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
      transports: ["websocket"],
    });
    await new Promise((resolve) => client.on("connect", () => resolve(null)));
    client.on("question", (answer) => answer(`client ${i}`));
    servers.push(server);
    clients.push(client);
  }
  const of = (server: Server) => server.of("/").adapter;
  // Servers learn of each other by subscribing: all have when each counts three.
  while ((await Promise.all(servers.map((s) => of(s).serverCount()))).some((n) => n !== 3)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const heard = (event: string) =>
    clients.map((client) => new Promise((resolve) => client.once(event, resolve)));
  const all = heard("news");
  servers[0]!.emit("news", 1);
  const toAll = await Promise.all(all);
  const [zero, , two] = heard("even");
  servers[1]!.to("room0").emit("even", 2);
  const toRoom = await Promise.all([zero, two]);
  const sockets = (await servers[2]!.fetchSockets()).length;
  const inRoom = (await servers[2]!.in("room0").fetchSockets()).length;
  const count = await of(servers[1]!).serverCount();
  const answers = await new Promise((resolve) =>
    servers[0]!.serverSideEmit("hello", (_: unknown, r: unknown) => resolve(r))
  );
  const asked: string[] = await servers[0]!.timeout(3_000).emitWithAck("question");
  return {
    toAll,
    toRoom,
    sockets,
    inRoom,
    count,
    answers: (answers as number[]).sort(),
    asked: asked.sort(),
  };
}

report({
  ioredis: await serve("ioredis"),
  redis: await serve("redis"),
  sharded: await serve("sharded"),
});
