/**
 * Connections by Deno's TCP handle: no byte is lost or out of order however reads alternate, and nothing that
 * is under way is forgotten.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { openSource } from "../../../src/io/byte_source.ts";
import { hangUp } from "../../../src/io/dial.ts";
import { listenByHandle } from "../../../src/io/handle_listener.ts";
import type { HandleConnection } from "../../../src/io/tcp_handle.ts";
import { type BatchOwner, WriteBatch } from "../../../src/io/write_batch.ts";
import { until } from "../../support/deadline.ts";

const LISTEN = { hostname: "127.0.0.1", port: 0, tcpBacklog: 128 };

/** A connected pair. */
async function connect() {
  const listener = listenByHandle(LISTEN)!;
  assert(listener !== undefined, "this Deno has no handle as it is known");
  const accepting = listener.accept();
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const server = await accepting;
  return {
    client,
    server,
    [Symbol.dispose]() {
      server.close();
      listener.close();
      hangUp(client);
    },
  };
}

/** Bytes that tell their place. */
function counted(length: number, from = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => (from + at) * 7 & 255);
}

async function readAll(client: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const count = await client.read(bytes.subarray(at));
    assert(count !== null, `the end came after ${at} bytes`);
    at += count;
  }
}

for (const mode of ["byob", "direct"] as const) {
  Deno.test(`small and large pieces are read in order, with read_mode = ${mode}`, async () => {
    using pair = await connect();
    const received: number[] = [];
    let hasEnded = false;
    const source = openSource(mode, pair.server, {
      bytesArrived() {
        // Every other time some bytes are left for the next read.
        const left = received.length % 2 === 0 ? Math.min(3, source.end - source.start) : 0;
        while (source.start < source.end - left) received.push(source.bytes[source.start++]!);
        source.read();
      },
      sourceEnded() {
        for (; source.start < source.end; source.start++) {
          received.push(source.bytes[source.start]!);
        }
        hasEnded = true;
      },
      sourceFailed(error) {
        throw error;
      },
    }, 64 * 1024);
    source.read();
    const sizes = [1, 20, 300, ...Array(20).fill(30), 200_000, 5, 5, 4096, 4097, 70_000, 1];
    let sent = 0;
    for (const size of sizes) {
      const piece = counted(size, sent);
      for (let at = 0; at < size;) at += await pair.client.write(piece.subarray(at));
      sent += size;
      if (size < 5_000) await until(() => source.totalBytes === sent);
    }
    await pair.client.closeWrite();
    await until(() => hasEnded);
    assertEquals(received.length, sent);
    assert(received.every((byte, at) => byte === (at * 7 & 255)));
    // Who has ended its sending still hears.
    await pair.server.write(counted(10));
    const reply = new Uint8Array(10);
    await readAll(pair.client, reply);
    assertEquals(reply, counted(10));
  });
}

class Owner implements BatchOwner {
  written = 0;
  readonly failures: unknown[] = [];
  wrote(bytes: number): void {
    this.written += bytes;
  }
  writeFailed(error: unknown): void {
    this.failures.push(error);
  }
}

Deno.test("a batch tells a slow reader's progress in parts, and writes all in order", async () => {
  using pair = await connect();
  const owner = new Owner();
  const batch = new WriteBatch(owner, pair.server);
  const all = counted(16 * 1024 * 1024);
  batch.append(all, 0, 100_000);
  batch.appendWhole(all.slice(100_000)); // a copy: the batch takes it
  await until(() => owner.written > 0);
  assert(owner.written < all.length, "the system takes less than that at once");
  const received = new Uint8Array(all.length);
  await readAll(pair.client, received.subarray(0, 8 * 1024 * 1024));
  await until(() => owner.written >= 8 * 1024 * 1024);
  await readAll(pair.client, received.subarray(8 * 1024 * 1024));
  await until(() => owner.written === all.length);
  assertEquals(batch.queuedBytes, 0);
  assert(received.every((byte, at) => byte === all[at]));
});

Deno.test("a batch fails once when its peer is gone", async () => {
  using pair = await connect();
  const owner = new Owner();
  const batch = new WriteBatch(owner, pair.server);
  pair.client.close();
  await until(() => {
    batch.append(counted(100_000), 0, 100_000);
    return owner.failures.length > 0;
  });
  assertEquals(owner.failures.length, 1);
});

Deno.test("closing fails the read and the write that are under way", async () => {
  using pair = await connect();
  const reading = pair.server.read(new Uint8Array(10));
  const write = async () => {
    for (;;) await pair.server.write(new Uint8Array(60_000));
  };
  const failed = Promise.all([
    assertRejects(() => reading, Deno.errors.Interrupted),
    assertRejects(write, Deno.errors.Interrupted),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  pair.server.close();
  await failed;
});

Deno.test("a listener gives all who come at once, and none after it was closed", async () => {
  const listener = listenByHandle({ ...LISTEN, tcpBacklog: 1_024 })!;
  const { port } = listener.addr;
  const clients = await Promise.all(
    Array.from({ length: 300 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  const accepted: HandleConnection[] = [];
  while (accepted.length < clients.length) accepted.push(await listener.accept());
  const ports = (addresses: Deno.Addr[]) =>
    addresses.map((address) => (address as Deno.NetAddr).port).sort();
  assertEquals(
    ports(accepted.map(({ remoteAddr }) => remoteAddr)),
    ports(clients.map(({ localAddr }) => localAddr)),
  );
  for (const connection of [...accepted, ...clients]) connection.close();
  const accepting = listener.accept();
  listener.close();
  await assertRejects(() => accepting, Deno.errors.BadResource);
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
});
