/**
 * Re-used memory for write batches: a few chunk sizes, each with a bounded free list.
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

/** Takes a chunk back; one of no pooled size is left to the garbage collector. */
export function releaseChunk(chunk: Uint8Array): void {
  for (let size = 0; size < CHUNK_BYTES.length; size++) {
    if (chunk.length !== CHUNK_BYTES[size]) continue;
    if (chunk.byteLength !== chunk.buffer.byteLength) return; // a view into somebody's buffer
    const list = free[size]!;
    if ((list.length + 1) * chunk.length <= FREE_BYTES_MAX) list.push(chunk);
    return;
  }
}
