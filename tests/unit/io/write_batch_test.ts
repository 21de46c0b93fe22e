/**
 * What the write batch guarantees.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  borrowChunk,
  CHUNK_BYTES,
  CHUNK_BYTES_MAX,
  releaseChunk,
  resize,
  trimPools,
} from "../../../src/io/chunk_pool.ts";
import { EARLY_FLUSH_BYTES, WriteBatch } from "../../../src/io/write_batch.ts";
import { chance } from "../../support/fuzz.ts";
import { latin1, textOf } from "../../support/pieces.ts";
import { ScriptedSink, turn } from "../../support/scripted_io.ts";

/** An owner that keeps what it is told. */
class Owner {
  wroteBytes = 0;
  failures: unknown[] = [];

  wrote(bytes: number): void {
    this.wroteBytes += bytes;
  }

  writeFailed(error: unknown): void {
    this.failures.push(error);
  }
}

function setUp() {
  const owner = new Owner();
  const sink = new ScriptedSink();
  return { owner, sink, batch: new WriteBatch(owner, sink) };
}

function append(batch: WriteBatch, text: string): void {
  const bytes = latin1(`<<${text}>>`);
  batch.append(bytes, 2, bytes.length - 2);
}

Deno.test("WriteBatch writes all of a turn at once, at its end", async () => {
  const { owner, sink, batch } = setUp();
  for (let i = 0; i < 100; i++) append(batch, `+${i}\r\n`);
  assertEquals(sink.writes.length, 0);
  const expected = Array.from({ length: 100 }, (_, i) => `+${i}\r\n`).join("");
  assertEquals(batch.queuedBytes, expected.length);
  await turn();
  assertEquals(sink.writes.map(textOf), [expected]);
  await sink.take();
  assertEquals([batch.queuedBytes, owner.wroteBytes], [0, expected.length]);
  assert(!sink.isWriting);
});

Deno.test("WriteBatch soon sends all of a turn in one write, where turns with little come between", async () => {
  const { sink, batch } = setUp();
  const writes: number[] = [];
  for (const size of [4_900, 30, 30, 5_000, 30, 20_000, 30, 5_000, 30, 20_100]) {
    const before = sink.writes.length;
    for (let at = 0; at < size; at += 10) append(batch, "0123456789");
    await turn();
    await sink.takeAll();
    writes.push(sink.writes.length - before);
  }
  // The first of each size finds a chunk that is too small.
  assertEquals(writes, [2, 1, 1, 1, 1, 2, 1, 1, 1, 1]);
});

Deno.test("WriteBatch goes on after a short write with the bytes that were not taken", async () => {
  const { owner, sink, batch } = setUp();
  append(batch, "abcdefgh");
  await turn();
  await sink.take(3);
  assertEquals(textOf(sink.writes.at(-1)!), "defgh");
  append(batch, "ijk"); // must not overtake the rest
  await turn();
  await sink.take(1);
  await sink.take(0); // the kernel may take nothing
  assertEquals(batch.queuedBytes, 7);
  await sink.takeAll();
  assertEquals(textOf(sink.taken()), "abcdefghijk");
  assertEquals(owner.wroteBytes, 11);
});

Deno.test("WriteBatch never writes twice at once: later bytes wait for the write under way", async () => {
  const { sink, batch } = setUp();
  append(batch, "one");
  await turn();
  append(batch, "two");
  await turn();
  append(batch, "three");
  await turn();
  assertEquals(sink.writes.map(textOf), ["one"]);
  await sink.take();
  assertEquals(sink.writes.map(textOf), ["one", "twothree"]);
  await sink.take();
  assertEquals(batch.queuedBytes, 0);
});

Deno.test("WriteBatch starts to write before the turn ends once much is queued", async () => {
  const { sink, batch } = setUp();
  const piece = "x".repeat(10_000);
  while (batch.queuedBytes + piece.length < EARLY_FLUSH_BYTES) append(batch, piece);
  assertEquals(sink.writes.length, 0);
  for (let i = 0; i < 10; i++) append(batch, piece);
  assertEquals(sink.writes.length, 1);
  const total = batch.queuedBytes;
  await turn();
  await sink.takeAll();
  assertEquals(sink.takenBytes, total);
});

Deno.test("WriteBatch keeps the order of spans of any size, however little each write takes", async () => {
  const random = chance(7);
  for (let round = 0; round < 20; round++) {
    const { owner, sink, batch } = setUp();
    let appended = 0;
    for (let i = 0; i < 40; i++) {
      const size = Math.floor(random() ** 4 * 3 * CHUNK_BYTES_MAX);
      const bytes = new Uint8Array(size + 2);
      for (let at = 1; at <= size; at++) bytes[at] = appended++ % 251;
      batch.append(bytes, 1, size + 1);
      bytes.fill(255); // it was copied
      if (random() < 0.3) await turn();
      if (sink.isWriting && random() < 0.5) await sink.take(1 + Math.floor(random() * 50_000));
      assertEquals(batch.queuedBytes, appended - sink.takenBytes);
    }
    await turn();
    await sink.takeAll();
    assert(sink.taken().every((byte, at) => byte === at % 251), `round ${round}`);
    assertEquals([sink.takenBytes, owner.wroteBytes], [appended, appended]);
  }
});

Deno.test("WriteBatch writes large spans that it is given without a copy, in their place", async () => {
  const { owner, sink, batch } = setUp();
  const large = new Uint8Array(100_000).fill(120);
  append(batch, "before ");
  batch.appendWhole(large);
  append(batch, " after");
  batch.appendWhole(latin1("!"));
  assertEquals(batch.queuedBytes, 100_000 + 14);
  await turn();
  await sink.take();
  assert(sink.writes[1]!.buffer === large.buffer, "the very bytes are written");
  await sink.take(99_999);
  await sink.takeAll();
  assertEquals(textOf(sink.taken()), `before ${"x".repeat(100_000)} after!`);
  assertEquals(owner.wroteBytes, 100_014);
});

Deno.test("WriteBatch without a sink keeps what is appended until one is attached", async () => {
  const owner = new Owner();
  const batch = new WriteBatch(owner, null);
  append(batch, "early ");
  await turn();
  const sink = new ScriptedSink();
  batch.attach(sink);
  append(batch, "late");
  await turn();
  assertEquals(sink.writes.map(textOf), ["early late"]);
  await sink.take();
  assertEquals(owner.wroteBytes, 10);
});

Deno.test("WriteBatch reports a failed write to its owner once, and takes nothing more", async () => {
  const { owner, sink, batch } = setUp();
  append(batch, "lost");
  await turn();
  append(batch, "lost as well");
  const error = new Error("broken pipe");
  await sink.fail(error);
  assertEquals(owner.failures, [error]);
  append(batch, "nobody hears this");
  await turn();
  assertEquals([batch.queuedBytes, sink.writes.length, owner.wroteBytes], [0, 1, 0]);
});

Deno.test("WriteBatch still counts what was queued while it reports a failed write to its owner", async () => {
  const sink = new ScriptedSink();
  const counted: number[] = [];
  const batch: WriteBatch = new WriteBatch({
    wrote() {},
    writeFailed: () => counted.push(batch.queuedBytes),
  }, sink);
  append(batch, "abcdef");
  await turn();
  await sink.take(2);
  append(batch, "ghi");
  await sink.fail(new Error("broken pipe"));
  assertEquals([counted, batch.queuedBytes], [[7], 0]);
});

Deno.test("WriteBatch that was reset says nothing more about the write that was under way", async () => {
  for (const outcome of ["taken", "failed"]) {
    const { owner, sink, batch } = setUp();
    append(batch, "abc");
    await turn();
    batch.reset();
    assertEquals(batch.queuedBytes, 0);
    if (outcome === "taken") await sink.take(2);
    else await sink.fail(new Error("closed"));
    assertEquals([owner.wroteBytes, owner.failures.length, sink.writes.length], [0, 0, 1]);
  }
});

Deno.test("WriteBatch does not give the bytes of an unfinished write to anybody else", async () => {
  const { sink, batch } = setUp();
  append(batch, "in flight");
  await turn();
  batch.reset();
  for (const size of CHUNK_BYTES) borrowChunk(size).fill(0);
  assertEquals(textOf(sink.writes[0]!), "in flight");
});

Deno.test("chunks are used again after they were written", async () => {
  const { sink, batch } = setUp();
  append(batch, "first");
  await turn();
  const chunk = sink.writes[0]!.buffer;
  await sink.take();
  const borrowed = [borrowChunk(1), borrowChunk(1)];
  assert(borrowed.some((bytes) => bytes.buffer === chunk));
  borrowed.forEach(releaseChunk);
});

Deno.test("chunks come in the smallest size that fits, at most the largest there is", () => {
  for (const size of CHUNK_BYTES) {
    assertEquals(borrowChunk(size).length, size);
    assertEquals(borrowChunk(size - 1).length, size);
  }
  assertEquals(borrowChunk(10 * CHUNK_BYTES_MAX).length, CHUNK_BYTES_MAX);
});

Deno.test("a buffer keeps its bytes when its size changes, and a large one's memory is given back", () => {
  for (const size of [10, 1_000_000]) {
    const bytes = new Uint8Array(size).fill(7);
    const grown = resize(bytes, size, 2 * size + 1);
    assertEquals(grown.length, 2 * size + 1);
    assert(grown.subarray(0, size).every((byte) => byte === 7));
    assert(grown.subarray(size).every((byte) => byte === 0));
    assertEquals(bytes.length, size === 10 ? 10 : 0);
    const shrunk = resize(grown, 3, 5);
    assertEquals([...shrunk.subarray(0, 3)], [7, 7, 7]);
    assertEquals(resize(shrunk, 0, 7), new Uint8Array(7));
  }
});

Deno.test("a large buffer that became too small is used again, and few are kept", () => {
  const size = 256 * 1024;
  const outgrown = Array.from({ length: 100 }, () => new Uint8Array(size));
  const known = new Set<ArrayBufferLike>(outgrown.map((bytes) => bytes.buffer));
  for (const bytes of outgrown) resize(bytes, 0, 1);
  // Those that were not kept have given their memory back.
  const kept = outgrown.filter((bytes) => bytes.length === size).length;
  assert(kept > 0 && kept <= 16, `${kept} buffers were kept`);
  const small = new Uint8Array([1, 2, 3]);
  for (let i = 0; i < kept; i++) {
    const grown = resize(small, 3, size);
    assert(known.delete(grown.buffer), "a buffer is nobody's twice");
    assertEquals([...grown.subarray(0, 3)], [1, 2, 3]);
  }
  assert(!known.has(resize(small, 3, size).buffer));
});

Deno.test("the pool of chunks is bounded, and takes no part of another buffer", () => {
  const strangers = new Uint8Array(3 * CHUNK_BYTES_MAX);
  releaseChunk(strangers.subarray(0, CHUNK_BYTES_MAX));
  releaseChunk(strangers);
  const many = Array.from({ length: 1000 }, () => new Uint8Array(CHUNK_BYTES_MAX));
  many.forEach(releaseChunk);
  const known = new Set<ArrayBufferLike>(many.map((bytes) => bytes.buffer));
  let kept = 0;
  while (known.has(borrowChunk(CHUNK_BYTES_MAX).buffer)) kept++;
  assert(kept > 0 && kept <= 256, `${kept} chunks were kept`);
  assert(borrowChunk(CHUNK_BYTES_MAX).buffer !== strangers.buffer);
});

Deno.test("WriteBatch frees what was queued when it is reset, and what is being written after that", async () => {
  const { sink, batch } = setUp();
  const [first, second] = [new Uint8Array(1 << 20), new Uint8Array(1 << 20)];
  batch.appendWhole(first);
  batch.appendWhole(second);
  await turn();
  assert(sink.isWriting);
  batch.reset();
  assertEquals([first.buffer.byteLength, second.buffer.byteLength], [1 << 20, 0]);
  await sink.take();
  assertEquals(first.buffer.byteLength, 0);
});

Deno.test("trimPools() frees the chunks that were not borrowed since the last time", () => {
  const chunks = Array.from({ length: 50 }, () => new Uint8Array(CHUNK_BYTES_MAX));
  trimPools();
  trimPools();
  chunks.forEach(releaseChunk);
  trimPools();
  const freed = () => chunks.filter(({ buffer }) => buffer.byteLength === 0).length;
  assertEquals(freed(), 0);
  const borrowed = [1, 2, 3].map(() => borrowChunk(CHUNK_BYTES_MAX));
  borrowed.forEach(releaseChunk);
  trimPools();
  assertEquals(freed(), 47);
  trimPools();
  assertEquals(freed(), 50);
});
