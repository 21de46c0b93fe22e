/**
 * Memory for write batches and large replies: chunks of a few sizes, each with a bounded free list,
 * and large buffers that are freed by hand.
 *
 * @module
 */

/** Chunk sizes in bytes; a batch asks for the smallest that fits what it sent last. */
export const CHUNK_BYTES = [4 * 1024, 16 * 1024, 64 * 1024] as const;
/** The largest pooled chunk, in bytes. */
export const CHUNK_BYTES_MAX = 64 * 1024;
/** Bytes that the free list of one size may keep. */
const FREE_BYTES_MAX = 4 * 1024 * 1024;

const free: Uint8Array[][] = CHUNK_BYTES.map(() => []);

/** Borrows a chunk of at least `bytes` bytes, or of the largest size; contents are arbitrary. */
export function borrowChunk(bytes: number): Uint8Array {
  let size = 0;
  while (size < CHUNK_BYTES.length - 1 && CHUNK_BYTES[size]! < bytes) size++;
  return free[size]!.pop() ?? new Uint8Array(CHUNK_BYTES[size]!);
}

/** Takes a chunk back; one of no pooled size is given up. */
export function releaseChunk(chunk: Uint8Array): void {
  if (chunk.length > CHUNK_BYTES_MAX) return freeNow(chunk);
  for (let size = 0; size < CHUNK_BYTES.length; size++) {
    if (chunk.length !== CHUNK_BYTES[size]) continue;
    if (chunk.byteLength !== chunk.buffer.byteLength) return; // a view into somebody's buffer
    const list = free[size]!;
    if ((list.length + 1) * chunk.length <= FREE_BYTES_MAX) list.push(chunk);
    return;
  }
}

/** Buffers of at least this size are freed and grown by hand, in bytes. */
const BY_HAND_BYTES_MIN = 256 * 1024;

/**
 * Gives a large buffer's memory back now, not when the collector comes by: megabytes of garbage are
 * megabytes of memory. Takes `bytes`, which must be all of its buffer's views; small ones are left to
 * the collector.
 */
export function freeNow(bytes: Uint8Array): void {
  if (bytes.buffer.byteLength >= BY_HAND_BYTES_MIN) (bytes.buffer as ArrayBuffer).transfer(0);
}

/** A larger buffer with the same bytes at its start. Takes `bytes`, all of whose buffer it must be. */
export function grow(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= BY_HAND_BYTES_MIN && bytes.length === bytes.buffer.byteLength) {
    return new Uint8Array((bytes.buffer as ArrayBuffer).transfer(size));
  }
  const grown = new Uint8Array(size);
  grown.set(bytes);
  return grown;
}
