/**
 * What Deno itself can do as a proxy: passes on what a client sends to one server, over a connection of its own, and
 * what comes back. It looks at nothing.
 *
 *     deno run --allow-net tests/bench/load/forwarder.ts conn|handle PORT SERVER_PORT
 *
 * Through `Deno.Conn`, or through the TCP handle of `node:net`, of which a read that waits keeps no promise. What
 * chooses between servers is {@link ./least_router.ts}.
 *
 * @module
 */

import { SOCKET, tcpBinding, type TcpHandle } from "../../../src/io/tcp_handle.ts";

const BYTES = 64 * 1024;
const BACKLOG = 4_096;
/** Kind of a handle that is a listener. */
const LISTENER = 1;
/** Places in the binding's state: bytes that were read, and whether the last write goes on. */
const READ_BYTES = 0;
const IS_WRITING = 3;

async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const bytes = new Uint8Array(BYTES);
  for (let n = await from.read(bytes); n !== null; n = await from.read(bytes)) {
    for (let at = 0; at < n;) at += await to.write(bytes.subarray(at, n));
  }
}

async function forwardByConn(port: number, serverPort: number): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port, tcpBacklog: BACKLOG });
  console.log("ready");
  for await (const client of listener) {
    const server = await Deno.connect({ hostname: "127.0.0.1", port: serverPort });
    client.setNoDelay(true);
    server.setNoDelay(true);
    for (const passing of [pass(client, server), pass(server, client)]) {
      passing.catch(() => {}).finally(() => [client, server].forEach(closeConn));
    }
  }
}

function closeConn(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch { /* the other direction has closed it */ }
}

function passByHandle(from: TcpHandle, to: TcpHandle, state: Int32Array): void {
  let bytes = new Uint8Array(BYTES);
  const request = { oncomplete() {} };
  from.useUserBuffer(bytes);
  from.onread = () => {
    if (state[READ_BYTES]! <= 0) return [from, to].forEach((handle) => handle.close(() => {}));
    to.writeBuffer(request, bytes.subarray(0, state[READ_BYTES]!));
    if (state[IS_WRITING]! !== 0) from.useUserBuffer(bytes = new Uint8Array(BYTES));
  };
  from.readStart();
}

function forwardByHandle(port: number, serverPort: number): void {
  const { Tcp, state } = tcpBinding!;
  const listener = new Tcp(LISTENER);
  listener.bindWithFlags("127.0.0.1", port, 0);
  listener.onconnection = () => {
    const client = new Tcp(SOCKET);
    const server = new Tcp(SOCKET);
    listener.accept(client);
    const oncomplete = () => {
      client.setNoDelay(true);
      server.setNoDelay(true);
      passByHandle(client, server, state);
      passByHandle(server, client, state);
    };
    server.connect({ oncomplete }, "127.0.0.1", serverPort);
  };
  listener.listen(BACKLOG);
  console.log("ready");
}

const [how, port, serverPort] = Deno.args;
const forward = how === "conn" ? forwardByConn : forwardByHandle;
await forward(Number(port), Number(serverPort));
