/**
 * Connections by Deno's TCP handle, accepted by it or with one beside: no byte is lost or out of order however reads
 * alternate, and nothing that is under way is forgotten.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type ByteReader,
  type ByteSource,
  openSource,
  type SourceOwner,
} from "../../../src/io/byte_source.ts";
import { hangUp } from "../../../src/io/dial.ts";
import type { Listener } from "../../../src/io/acceptor.ts";
import { clientHandles, HandledConn } from "../../../src/io/handled_conn.ts";
import { listenByHandle } from "../../../src/io/handle_listener.ts";
import { type ClientConnection, listenForClients } from "../../../src/io/listen.ts";
import type { HandleConnection } from "../../../src/io/tcp_handle.ts";
import { type BatchOwner, WriteBatch } from "../../../src/io/write_batch.ts";
import { until } from "../../support/deadline.ts";

const LISTEN = { hostname: "127.0.0.1", port: 0, tcpBacklog: 128 };

/** How a connection has its handle. */
const KINDS = ["accepted by a handle", "with a handle beside"] as const;

/** A connected pair. @param isOpen Whether a handle beside is there before pieces have come. */
async function connect(kind: typeof KINDS[number], isOpen = true) {
  const isAccepted = kind === "accepted by a handle";
  const listener: Listener<ClientConnection> = isAccepted
    ? listenByHandle(LISTEN)!
    : listenForClients("byob", LISTEN);
  const accepting = listener.accept();
  const { port } = listener.addr as Deno.NetAddr;
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  const server = await accepting;
  if (server instanceof HandledConn && isOpen) server.addHandle();
  assertEquals(server.readPiece !== undefined, isAccepted || isOpen);
  return {
    client,
    server,
    [Symbol.dispose]() {
      hangUp(server);
      listener.close();
      hangUp(client);
    },
  };
}

function withRoom(handles: number): Disposable {
  const { max } = clientHandles;
  clientHandles.max = handles;
  return { [Symbol.dispose]: () => void (clientHandles.max = max) };
}

/** How many descriptors this process has of each of its sockets. */
async function socketDescriptors(): Promise<Map<string, number>> {
  const args = ["-c", `ls -l /proc/${Deno.pid}/fd`];
  const { stdout } = await new Deno.Command("sh", { args }).output();
  const counts = new Map<string, number>();
  for (const [socket] of new TextDecoder().decode(stdout).matchAll(/socket:\[\d+\]/g)) {
    counts.set(socket, (counts.get(socket) ?? 0) + 1);
  }
  return counts;
}

/** The sockets that have more descriptors than before; what tests before leave to close counts nowhere. */
async function doubledSince(before: ReadonlyMap<string, number>): Promise<string[]> {
  const now = await socketDescriptors();
  return [...before].filter(([socket, count]) => (now.get(socket) ?? 0) > count)
    .map(([socket]) => socket);
}

function testBoth(promise: string, run: (kind: typeof KINDS[number]) => Promise<void>): void {
  for (const kind of KINDS) {
    Deno.test(`a connection ${kind}: ${promise}`, async () => {
      using _room = withRoom(10);
      await run(kind);
      assertEquals(clientHandles.open, 0);
    });
  }
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
  testBoth(`small and large pieces are read in order, with read_mode = ${mode}`, async (kind) => {
    using pair = await connect(kind, false);
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

testBoth(
  "a batch tells a slow reader's progress in parts, and writes all in order",
  async (kind) => {
    using pair = await connect(kind);
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
  },
);

testBoth("a batch fails once when its peer is gone", async (kind) => {
  using pair = await connect(kind);
  const owner = new Owner();
  const batch = new WriteBatch(owner, pair.server);
  pair.client.close();
  await until(() => {
    batch.append(counted(100_000), 0, 100_000);
    return owner.failures.length > 0;
  });
  assertEquals(owner.failures.length, 1);
});

testBoth("closing fails the read and the write that are under way", async (kind) => {
  using pair = await connect(kind);
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

/** Counts what it was told, and reads on. */
class CountingOwner implements SourceOwner {
  source!: ByteSource;
  ends = 0;
  readonly failures: unknown[] = [];
  bytesArrived(): void {
    this.source.start = this.source.end;
    this.source.read();
  }
  sourceEnded(): void {
    this.ends++;
  }
  sourceFailed(error: unknown): void {
    this.failures.push(error);
  }
}

/** Who sends 20 small pieces, one after the other, and is read with `read_mode = byob`. */
async function sendSmall({ client, server }: { client: Deno.Conn; server: ByteReader }) {
  const owner = new CountingOwner();
  const source = owner.source = openSource("byob", server, owner, 64 * 1024);
  source.read();
  for (let sent = 1; sent <= 20; sent++) {
    await client.write(counted(1));
    await until(() => source.totalBytes === sent);
  }
  return { owner, source };
}

async function accept() {
  const listener = listenForClients("byob", LISTEN);
  const accepting = listener.accept();
  const { port } = listener.addr as Deno.NetAddr;
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  return { listener, client, server: await accepting };
}

Deno.test("a client has a second descriptor only while it is connected, and has sent some pieces", async () => {
  using _room = withRoom(10);
  const { listener, client, server } = await accept();
  const before = await socketDescriptors();
  const { owner } = await sendSmall({ client, server });
  const doubled = await doubledSince(before);
  assertEquals([doubled.length, clientHandles.open], [1, 1]);
  client.close();
  await until(() => owner.ends === 1);
  server.close();
  assertThrows(() => server.close());
  await until(async () => !(await socketDescriptors()).has(doubled[0]!));
  assertEquals(clientHandles.open, 0);
  listener.close();
});

Deno.test("as long as there is no room for a second descriptor, a client is served without", async () => {
  using _room = withRoom(0);
  const { listener, client, server } = await accept();
  const before = await socketDescriptors();
  const { source } = await sendSmall({ client, server });
  assertEquals([(await doubledSince(before)).length, clientHandles.open], [0, 0]);
  using _more = withRoom(10);
  await client.write(counted(1));
  await until(() => source.totalBytes === 21);
  assertEquals(clientHandles.open, 1, "there is room now");
  source.stop();
  for (const each of [client, server, listener]) each.close();
});

Deno.test("a client with a second descriptor that is cut off is noticed once", async () => {
  using _room = withRoom(10);
  const { listener, client, server } = await accept();
  const { owner } = await sendSmall({ client, server });
  // What it has not read is why the system resets the connection.
  await server.write(counted(10));
  client.close();
  await until(() => owner.failures.length + owner.ends > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(owner.failures.length + owner.ends, 1);
  server.close();
  listener.close();
});
