/**
 * Incoming bytes of one connection: a buffer that is read into and parsed in place.
 *
 *     0 ≤ start ≤ end ≤ bytes.length
 *     [0, start) consumed   [start, end) received, not yet consumed   [end, …) room for the next read
 *
 * Two implementations behind one class: `byob` reads through a ReadableStream BYOB reader, `direct`
 * is told of bytes by a call, where the connection can do that, and calls `conn.read` where it cannot, and so does
 * `byob` after a read that did not fill the buffer: of thousands of reads that wait, promises and streams keep
 * objects that outlive many collections. The stream is built over `conn.read`, not `conn.readable`, because the
 * latter closes the socket at end-of-file and a client that half-closes would lose its replies.
 *
 * @module
 */

import { resize } from "./chunk_pool.ts";

/** How a connection is read; the value of config key `read_mode`. */
export type ReadMode = "byob" | "direct";

/** Bytes a read buffer starts with. */
export const READ_BYTES_MIN = 512;
/** How much a buffer grows when a read has filled it. */
const GROWTH = 4;
/** Reads in a row that leave three quarters of the buffer empty before it shrinks. */
const SMALL_READS_BEFORE_SHRINK = 64;

/** The reading half of a connection. */
export interface ByteReader {
  /** Reads into `bytes`; null at end-of-file. Borrows `bytes` until the promise settles. */
  read(bytes: Uint8Array): Promise<number | null>;
  /**
   * Reads into `bytes`, and tells of it by a call instead of a promise; of what has come meanwhile, in the same
   * turn. Borrows `bytes` until then. Not every connection can.
   */
  readPiece?: ((bytes: Uint8Array, owner: PieceOwner) => void) | undefined;
  /** Makes {@linkcode ByteReader.readPiece} possible, if it can, and is not. */
  addHandle?(): void;
}

/** Who is told of a piece, once for each call of {@linkcode ByteReader.readPiece}. */
export interface PieceOwner {
  /** So many bytes have come. */
  pieceArrived(count: number): void;
  pieceEnded(): void;
  pieceFailed(error: unknown): void;
}

/** What is called after a read. */
export interface SourceOwner {
  /** `start..end` of the source holds new bytes; views made before the read are dead. */
  bytesArrived(): void;
  /** The peer sent its last byte. */
  sourceEnded(): void;
  /** The connection broke. */
  sourceFailed(error: unknown): void;
}

/** The read buffer of one connection and the one read that may be outstanding on it. */
export abstract class ByteSource {
  /** The whole buffer; replaced by every read in `byob` mode. */
  bytes: Uint8Array<ArrayBuffer>;
  /** First byte not yet consumed; moved by the parser. */
  start = 0;
  /** One past the last byte received. */
  end = 0;
  /** True between {@linkcode read} and the call of the owner. */
  isReading = false;
  /** Bytes received since the connection opened. */
  totalBytes = 0;

  protected readonly owner: SourceOwner;
  protected isStopped = false;
  readonly #bytesMax: number;
  #smallReads = 0;

  constructor(owner: SourceOwner, bytesMax: number) {
    this.owner = owner;
    this.#bytesMax = Math.max(READ_BYTES_MIN, bytesMax);
    this.bytes = new Uint8Array(READ_BYTES_MIN);
  }

  /**
   * Starts one read; the owner hears of its end. Slides unconsumed bytes to the front first, and
   * grows a full buffer by doubling, so memory follows what was received, never what was announced.
   */
  read(): void {
    if (this.isReading) return;
    this.#makeRoom();
    this.isReading = true;
    this.startRead();
  }

  /** Whether what comes next is told by a call: then the system's order of turns is fair. */
  get isInPieces(): boolean {
    return false;
  }

  /** Reads into {@linkcode room}. */
  protected abstract startRead(): void;

  /** Where the next read puts its bytes. */
  protected get room(): Uint8Array<ArrayBuffer> {
    return this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
  }

  /**
   * Starts one read, unless one is outstanding, during which what was received before stays readable, as
   * it does not while {@linkcode read} is under way.
   */
  readAhead(): void {
    this.read();
  }

  /** Puts bytes that were read elsewhere after those that are here. Copies them; `landed` counts them. */
  protected put(more: Uint8Array): void {
    const left = this.end - this.start;
    if (this.bytes.length - this.end < more.length) {
      this.bytes.copyWithin(0, this.start, this.end);
      const size = Math.max(this.bytes.length, 2 * (left + more.length));
      if (size !== this.bytes.length) this.bytes = resize(this.bytes, left, size);
      this.start = 0;
      this.end = left;
    }
    this.bytes.set(more, this.end);
  }

  /** Stops reading for good; an outstanding read may still end, unheard. */
  stop(): void {
    this.isStopped = true;
  }

  protected landed(count: number): void {
    this.isReading = false;
    const room = this.bytes.length - this.end;
    this.end += count;
    this.totalBytes += count;
    if (count === room) {
      this.#smallReads = 0;
      this.#isFull = true;
    } else if (this.bytes.length > READ_BYTES_MIN && this.end * 4 < this.bytes.length) {
      this.#smallReads++;
    } else {
      this.#smallReads = 0;
    }
    this.owner.bytesArrived();
  }

  #isFull = false;

  #makeRoom(): void {
    const left = this.end - this.start;
    const size = this.#nextSize(left);
    this.#isFull = false;
    if (left > 0 && this.start > 0) this.bytes.copyWithin(0, this.start, this.end);
    if (size !== this.bytes.length) this.bytes = resize(this.bytes, left, size);
    this.start = 0;
    this.end = left;
  }

  /** How large the buffer should be for the next read, with `left` bytes unconsumed. */
  #nextSize(left: number): number {
    const size = this.bytes.length;
    const max = this.#bytesMax;
    // More waits where this came from.
    if (this.#isFull && size < max) return Math.min(size * GROWTH, max);
    // More than half is one unfinished request.
    if (left * 2 > size) return size * 2;
    // A large request is through; what follows it is ordinary again.
    if (size > max && left * 4 <= max) return max;
    if (this.#smallReads >= SMALL_READS_BEFORE_SHRINK && left * 4 <= size) {
      this.#smallReads = 0;
      return Math.max(READ_BYTES_MIN, size >> 1);
    }
    return size;
  }
}

/** Reads pieces as they come, or by `conn.read`: one promise per read. */
class DirectSource extends ByteSource implements PieceOwner {
  readonly #reader: ByteReader;
  /** Whether the last read has left nothing. Who sends without end is read from once a turn. */
  protected isDrained = true;
  readonly #onRead: (count: number | null) => void;
  protected readonly onError: (error: unknown) => void;

  constructor(reader: ByteReader, owner: SourceOwner, bytesMax: number) {
    super(owner, bytesMax);
    this.#reader = reader;
    this.#onRead = (count) => {
      if (this.isStopped) return;
      if (count === null) this.owner.sourceEnded();
      else this.landed(count);
    };
    this.onError = (error) => {
      if (!this.isStopped) this.owner.sourceFailed(error);
    };
  }

  override get isInPieces(): boolean {
    return this.#reader.readPiece !== undefined && this.isDrained;
  }

  protected override startRead(): void {
    if (this.isInPieces) this.#reader.readPiece!(this.room, this);
    else this.#reader.read(this.room).then(this.#onRead, this.onError);
  }

  protected override landed(count: number): void {
    this.isDrained = count < this.bytes.length - this.end;
    super.landed(count);
  }

  pieceArrived(count: number): void {
    if (!this.isStopped) this.landed(count);
  }

  pieceEnded(): void {
    if (!this.isStopped) this.owner.sourceEnded();
  }

  pieceFailed(error: unknown): void {
    this.onError(error);
  }
}

/**
 * Reads by a BYOB reader; every read transfers the buffer and gives it back as a new one. Reading ahead
 * takes a buffer of its own.
 */
class ByobSource extends DirectSource {
  #isAhead = false;
  /** Whether a read has left room in the buffer. */
  #hasFit = false;
  readonly #conn: ByteReader;
  /** Open while it is read from. */
  #opened: ReadableStreamBYOBReader | null = null;
  readonly #onRead: (result: ReadableStreamReadResult<Uint8Array<ArrayBuffer>>) => void;

  constructor(reader: ByteReader, owner: SourceOwner, bytesMax: number) {
    super(reader, owner, bytesMax);
    this.#conn = reader;
    this.#onRead = (result) => {
      if (this.isStopped) return;
      if (this.#isAhead) this.put(result.value ?? new Uint8Array(0));
      else if (result.value !== undefined) this.bytes = new Uint8Array(result.value.buffer);
      this.#isAhead = false;
      if (result.done) this.owner.sourceEnded();
      else this.landed(result.value.byteLength);
    };
  }

  protected override startRead(): void {
    if (this.#isByPieces) {
      // There may have been no room for a handle before.
      if (this.#conn.readPiece === undefined) this.#conn.addHandle?.();
      super.startRead();
    } else this.#reader.read(this.room).then(this.#onRead, this.onError);
  }

  /** Whether the next read is without a stream. */
  get #isByPieces(): boolean {
    return this.#hasFit && this.isDrained;
  }

  override get isInPieces(): boolean {
    return this.#isByPieces && super.isInPieces;
  }

  protected override landed(count: number): void {
    if (!this.#hasFit && count < this.bytes.length - this.end) {
      this.#hasFit = true;
      this.#opened = null; // it pulls only what is read: nothing is lost with it
    }
    super.landed(count);
  }

  get #reader(): ReadableStreamBYOBReader {
    return this.#opened ??= byteStream(this.#conn).getReader({ mode: "byob" });
  }

  override readAhead(): void {
    if (this.isReading) return;
    this.isReading = this.#isAhead = true;
    this.#reader.read(new Uint8Array(READ_BYTES_MIN)).then(this.#onRead, this.onError);
  }
}

/** A byte stream over `reader` that pulls only into the buffers its BYOB reader hands in. */
function byteStream(reader: ByteReader): ReadableStream<Uint8Array<ArrayBuffer>> {
  let controller: ReadableByteStreamController;
  // One read at a time, so one function for all of them.
  const respond = (count: number | null) => {
    const request = controller.byobRequest!;
    if (count === null) controller.close();
    request.respond(count ?? 0);
  };
  return new ReadableStream({
    type: "bytes",
    start(made) {
      controller = made;
    },
    pull: () => reader.read(controller.byobRequest!.view as Uint8Array).then(respond),
  });
}

/**
 * Opens the source of a connection.
 *
 * @param mode How to read; whoever tells of pieces from the start is read so.
 * @param reader The connection's reading half.
 * @param owner Who is called when a read ends.
 * @param bytesMax How far the buffer grows for throughput alone, in bytes; an unfinished request
 * grows it further, as far as its owner goes on reading.
 */
export function openSource(
  mode: ReadMode,
  reader: ByteReader,
  owner: SourceOwner,
  bytesMax: number,
): ByteSource {
  return mode === "byob" && reader.readPiece === undefined
    ? new ByobSource(reader, owner, bytesMax)
    : new DirectSource(reader, owner, bytesMax);
}
