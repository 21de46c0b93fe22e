/**
 * What the read buffer guarantees, in both read modes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type ByteSource,
  openSource,
  READ_BYTES_MIN,
  type ReadMode,
  type SourceOwner,
} from "../../../src/io/byte_source.ts";
import { chance } from "../../support/fuzz.ts";
import { latin1, textOf } from "../../support/pieces.ts";
import { ScriptedReader, turn } from "../../support/scripted_io.ts";

const MODES: readonly ReadMode[] = ["byob", "direct"];
const BYTES_MAX = 64 * READ_BYTES_MIN;

/** An owner that keeps what it is told. */
class Owner implements SourceOwner {
  arrivals = 0;
  ends = 0;
  failures: unknown[] = [];

  bytesArrived(): void {
    this.arrivals++;
  }

  sourceEnded(): void {
    this.ends++;
  }

  sourceFailed(error: unknown): void {
    this.failures.push(error);
  }
}

/** Reads a single byte, after which `byob` reads without a stream, and forgets it. */
async function readSmall(source: ByteSource, reader: ScriptedReader, owner: Owner): Promise<void> {
  await receive(source, reader, "x");
  source.start = source.end;
  source.totalBytes = owner.arrivals = reader.rooms.length = 0;
}

/** A promise of both modes, of `byob` also when it has read a small piece. */
function testBoth(
  promise: string,
  run: (
    parts: { reader: ScriptedReader; owner: Owner; source: ByteSource },
  ) => Promise<void>,
): void {
  for (const mode of MODES) {
    Deno.test(`ByteSource (${mode}) ${promise}`, async () => {
      const reader = new ScriptedReader();
      const owner = new Owner();
      await run({ reader, owner, source: openSource(mode, reader, owner, BYTES_MAX) });
    });
  }
  Deno.test(`ByteSource (byob, after a small read) ${promise}`, async () => {
    const reader = new ScriptedReader();
    const owner = new Owner();
    const source = openSource("byob", reader, owner, BYTES_MAX);
    await readSmall(source, reader, owner);
    await run({ reader, owner, source });
  });
}

/** Reads once and lets `text` arrive. */
async function receive(source: ByteSource, reader: ScriptedReader, text: string): Promise<void> {
  source.read();
  await turn();
  assertEquals(reader.deliver(latin1(text)), text.length);
  await turn();
}

const received = (source: ByteSource) => textOf(source.bytes.subarray(source.start, source.end));

testBoth("hands over what arrives and keeps what is not consumed", async (parts) => {
  const { reader, owner, source } = parts;
  await receive(source, reader, "hello ");
  assertEquals([owner.arrivals, source.isReading], [1, false]);
  source.start += 2;
  await receive(source, reader, "world");
  assertEquals(received(source), "llo world");
  assertEquals(source.totalBytes, 11);
});

testBoth("has one read under way at most", async ({ reader, source }) => {
  source.read();
  source.read();
  await turn();
  source.read();
  assertEquals(reader.rooms.length, 1);
  reader.deliver(latin1("x"));
  await turn();
  assertEquals(received(source), "x");
});

testBoth("starts small, grows with full reads up to its bound, and not further", async (parts) => {
  const { reader, source } = parts;
  assertEquals(source.bytes.length, READ_BYTES_MIN);
  for (let i = 0; i < 20; i++) {
    source.read();
    await turn();
    reader.deliver(new Uint8Array(BYTES_MAX));
    await turn();
    source.start = source.end;
  }
  assertEquals(source.bytes.length, BYTES_MAX);
  assertEquals(Math.max(...reader.rooms), BYTES_MAX);
});

testBoth("grows for an unfinished request as far as its owner reads on", async (parts) => {
  const { reader, source } = parts;
  const total = 4 * BYTES_MAX;
  while (source.end < total) {
    source.read();
    await turn();
    reader.deliver(new Uint8Array(total).fill(7));
    await turn();
  }
  assertEquals(source.start, 0);
  assert(source.bytes.length <= 4 * total, `${source.bytes.length} bytes for ${source.end}`);
  assert(source.bytes.subarray(0, source.end).every((byte) => byte === 7));
});

testBoth("shrinks to its bound when the large request is through", async ({ reader, source }) => {
  while (source.end < 4 * BYTES_MAX) {
    source.read();
    await turn();
    reader.deliver(new Uint8Array(4 * BYTES_MAX));
    await turn();
  }
  source.start = source.end - 5; // the beginning of the next request
  await receive(source, reader, "x");
  assertEquals(source.bytes.length, BYTES_MAX);
  assertEquals(received(source).length, 6);
});

testBoth("shrinks step by step to its start size under small reads", async (parts) => {
  const { reader, source } = parts;
  while (source.bytes.length < BYTES_MAX) {
    source.read();
    await turn();
    reader.deliver(new Uint8Array(BYTES_MAX));
    await turn();
    source.start = source.end;
  }
  for (let i = 0; i < 700 && source.bytes.length > READ_BYTES_MIN; i++) {
    await receive(source, reader, "PING\r\n");
    source.start = source.end;
  }
  assertEquals(source.bytes.length, READ_BYTES_MIN);
});

testBoth("loses and doubles nothing, whatever arrives and is consumed when", async (parts) => {
  const { reader, source } = parts;
  const random = chance(11);
  let sent = 0;
  let seen = 0;
  for (let round = 0; round < 200; round++) {
    source.read();
    await turn();
    const bytes = new Uint8Array(1 + Math.floor(random() ** 3 * 3 * BYTES_MAX));
    for (let i = 0; i < bytes.length; i++) bytes[i] = (sent + i) % 251;
    sent += reader.deliver(bytes);
    await turn();
    assertEquals(source.totalBytes, sent);
    const left = source.end - source.start;
    const consumed = random() < 0.3 ? left : Math.floor(random() * left);
    for (let i = 0; i < consumed; i++) {
      if (source.bytes[source.start++] !== seen++ % 251) throw new Error(`byte ${seen - 1}`);
    }
  }
  assertEquals(seen + source.end - source.start, sent);
});

testBoth("tells of the end of input, and keeps what came before it", async (parts) => {
  const { reader, owner, source } = parts;
  await receive(source, reader, "last words");
  source.read();
  await turn();
  reader.end();
  await turn();
  assertEquals([owner.arrivals, owner.ends, owner.failures], [1, 1, []]);
  assertEquals(received(source), "last words");
});

testBoth("tells of an input that ends before its first byte", async ({ reader, owner, source }) => {
  source.read();
  await turn();
  reader.end();
  await turn();
  assertEquals([owner.arrivals, owner.ends], [0, 1]);
});

testBoth("tells of a broken connection with the reason", async ({ reader, owner, source }) => {
  source.read();
  await turn();
  const error = new Deno.errors.ConnectionReset("reset");
  reader.fail(error);
  await turn();
  assertEquals([owner.failures, owner.ends], [[error], 0]);
});

for (const outcome of ["bytes", "end", "error"] as const) {
  testBoth(
    `says nothing after it was stopped, when the read ends with ${outcome}`,
    async (parts) => {
      const { reader, owner, source } = parts;
      source.read();
      await turn();
      source.stop();
      if (outcome === "bytes") reader.deliver(latin1("x"));
      else if (outcome === "end") reader.end();
      else reader.fail(new Error("closed"));
      await turn();
      assertEquals([owner.arrivals, owner.ends, owner.failures], [0, 0, []]);
    },
  );
}

Deno.test("ByteSource (byob) lends its buffer to a stream, but not to a peer whose pieces fit into it", async () => {
  const reader = new ScriptedReader();
  const owner = new Owner();
  const source = openSource("byob", reader, owner, BYTES_MAX);
  const isLent = async (text: string) => {
    const { bytes } = source;
    await receive(source, reader, text);
    source.start = source.end;
    return bytes.buffer.detached;
  };
  assert(await isLent("x"), "it may be the first of many");
  assertEquals(await isLent("x"), false);
  const full = "x".repeat(source.bytes.length);
  assertEquals(await isLent(full), false, "it was known only when it had come");
  source.read(); // into a larger buffer
  const { bytes } = source;
  await turn();
  assert(bytes.buffer.detached, "more may wait where a full buffer came from");
  reader.deliver(latin1("x"));
  await turn();
  source.start = source.end;
  assertEquals(await isLent("x".repeat(source.bytes.length - 1)), false);
});
