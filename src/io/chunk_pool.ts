/**
 * Memory for write batches and large replies: chunks of a few sizes, each with a bounded free list,
 * and large buffers that are freed by hand.
 *
 * @module
 */

/**
 * Chunk sizes in bytes; a batch asks for the smallest that fits what it sent last. A value of 4 or 16 KB fits with
 * what RESP puts around it, and they begin at other lines of the processor's cache.
 */
export const CHUNK_BYTES = [4 * 1024 + 512, 16 * 1024 + 512, 64 * 1024] as const;
/** The largest pooled chunk, in bytes. */
export const CHUNK_BYTES_MAX = 64 * 1024;
/** Bytes that the free list of one size may keep until they are trimmed: new memory costs page faults. */
const FREE_BYTES_MAX = 16 * 1024 * 1024;

const free: Uint8Array[][] = CHUNK_BYTES.map(() => []);
/** How many of each size have been free all the time since the last trim. */
const unused = CHUNK_BYTES.map(() => 0);

/** Borrows a chunk of at least `bytes` bytes, or of the largest size; contents are arbitrary. */
export function borrowChunk(bytes: number): Uint8Array {
  let size = 0;
  while (size < CHUNK_BYTES.length - 1 && CHUNK_BYTES[size]! < bytes) size++;
  const list = free[size]!;
  const chunk = list.pop();
  if (list.length < unused[size]!) unused[size] = list.length;
  return chunk ?? new Uint8Array(CHUNK_BYTES[size]!);
}

/** Takes a chunk back; one that the pool has no place for is freed. */
export function releaseChunk(chunk: Uint8Array): void {
  for (let size = 0; size < CHUNK_BYTES.length; size++) {
    if (chunk.length !== CHUNK_BYTES[size]) continue;
    if (chunk.byteLength !== chunk.buffer.byteLength) return; // a view into another buffer
    if (keep(free[size]!, chunk, FREE_BYTES_MAX)) return;
    break;
  }
  freeNow(chunk);
}

/** Puts a buffer on the free list of its size; false where that has its most bytes. */
function keep<Bytes extends Uint8Array>(list: Bytes[], bytes: Bytes, bytesMax: number): boolean {
  if ((list.length + 1) * bytes.length > bytesMax) return false;
  list.push(bytes);
  return true;
}

/** Buffers of at least this size are freed by hand, in bytes. */
const BY_HAND_BYTES_MIN = 4 * 1024;

/**
 * Gives a large buffer's memory back now, not when the collector comes by: megabytes of garbage are
 * megabytes of memory. Takes `bytes` and with it the whole buffer; small ones are left to the
 * collector.
 */
export function freeNow(bytes: Uint8Array): void {
  if (bytes.buffer.byteLength >= BY_HAND_BYTES_MIN) (bytes.buffer as ArrayBuffer).transfer(0);
}

/**
 * Sizes of large buffers that are kept for the next who grows, in bytes: a request of 256 KB grows its
 * buffer twice, and memory that is new has to be fetched from the system page by page.
 */
const LARGE_BYTES = [128 * 1024, 256 * 1024, 512 * 1024, 1024 * 1024];
/** Bytes of each of these sizes that are kept at most. */
const LARGE_FREE_BYTES_MAX = 2 * 1024 * 1024;

const freeLarge = new Map(LARGE_BYTES.map((size) => [size, [] as Uint8Array<ArrayBuffer>[]]));

/** Frees what was not needed since the last call. */
export function trimPools(): void {
  for (let size = 0; size < free.length; size++) {
    const list = free[size]!;
    for (const chunk of list.splice(0, unused[size]!)) freeNow(chunk);
    unused[size] = list.length;
  }
  for (const list of freeLarge.values()) for (const bytes of list.splice(1)) freeNow(bytes);
}

/**
 * A buffer of another size with the first `used` bytes of this one; what follows them is arbitrary. Takes
 * `bytes`, as above.
 */
export function resize(bytes: Uint8Array, used: number, size: number): Uint8Array<ArrayBuffer> {
  // Not by transfer(size): that writes zeros into room which otherwise costs nothing until it is used.
  const resized = freeLarge.get(size)?.pop() ?? new Uint8Array(size);
  resized.set(bytes.subarray(0, used));
  releaseLarge(bytes.buffer as ArrayBuffer);
  return resized;
}

/**
 * A buffer with room for at least `size` bytes and the first `used` bytes of this one; the rest is
 * arbitrary. Takes `bytes`. Give it back by {@linkcode releaseChunk}.
 */
export function enlarge(bytes: Uint8Array, used: number, size: number): Uint8Array {
  if (size > CHUNK_BYTES_MAX) return resize(bytes, used, size);
  const enlarged = borrowChunk(size);
  enlarged.set(bytes.subarray(0, used));
  releaseChunk(bytes);
  return enlarged;
}

function releaseLarge(buffer: ArrayBuffer): void {
  const list = freeLarge.get(buffer.byteLength);
  const bytes = new Uint8Array(buffer);
  if (list === undefined || !keep(list, bytes, LARGE_FREE_BYTES_MAX)) freeNow(bytes);
}
