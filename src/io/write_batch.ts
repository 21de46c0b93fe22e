/**
 * Outgoing bytes of one connection, collected during a turn and written once at its end.
 *
 *     append ──► open chunk ──full──► queued chunks ──► conn.write (one at a time) ──► wrote(n)
 *
 * Invariant: queuedBytes = bytes appended − bytes the kernel took; never two writes at once.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { borrowChunk, CHUNK_BYTES_MAX, releaseChunk } from "./chunk_pool.ts";
import { copyBytes, copyViewed, sourceViewOf, viewOf } from "./copy_bytes.ts";
import { readRounds } from "./read_rounds.ts";
import { atTurnEnd, type TurnWork } from "./turn.ts";

/** Bytes in a batch past which it is written at once instead of at the end of the turn. */
export const EARLY_FLUSH_BYTES = 256 * 1024;

/** What a batch writes to: the writing half of a connection. */
export interface ByteSink {
  /** Writes some of `bytes`, returns how many; Borrows `bytes` until the promise settles. */
  write(bytes: Uint8Array): Promise<number>;
  /**
   * Writes what the system takes at once, and returns how much; of 0 bytes the owner is told later. Borrows
   * `bytes` until then. Not every connection can.
   */
  writeNow?: ((bytes: Uint8Array, owner: WriteOwner) => number) | undefined;
}

/** Who is told of a write that took its time. */
export interface WriteOwner {
  /** @param error Why nothing more can be written; null when `bytes` bytes were. */
  writeEnded(error: unknown, bytes: number): void;
}

/** What is called when bytes of a batch were written, or cannot be. */
export interface BatchOwner {
  /** The kernel took `bytes` bytes. */
  wrote(bytes: number): void;
  /**
   * The connection can no longer be written to; nothing more will be sent. During the call the batch
   * still counts what was queued.
   */
  writeFailed(error: unknown): void;
  /**
   * Asked at the end of a turn, when all that there is is about to be written: whether nothing follows but the end.
   * It is told of that write at once.
   */
  endsHere?(): boolean;
}

/** The write side of one connection; see the drawing above. */
export class WriteBatch implements TurnWork, WriteOwner {
  isQueuedForTurnEnd = false;
  /** Whether what was appended may be written before the end of the turn: what comes until then would be a write more. */
  isEager = true;
  /** Bytes appended and not yet taken by the kernel. */
  queuedBytes = 0;
  /** Bytes that the kernel took. */
  writtenBytes = 0;
  /** Writes begun: what is appended after one goes with the next. */
  writes = 0;

  readonly #owner: BatchOwner;
  #sink: ByteSink | null = null;
  #open: Uint8Array | null = null;
  /** A view of it, once several spans were appended. */
  #openView: DataView | null = null;
  #openLength = 0;
  #full: Uint8Array[] = [];
  #writing: Uint8Array | null = null;
  /** What was being written when the batch was reset. */
  #abandoned: Uint8Array | null = null;
  #writingFrom = 0;
  #writingTo = 0;
  /** Bytes that the system took at once; the owner is told of them in the same turn. */
  #takenBytes = 0;
  /** About the most that one of the last turns sent: picks the size of the next chunk. */
  #typicalBytes = 0;
  #isFailed = false;
  readonly #onWritten: (bytes: number) => void;
  readonly #onFailed: (error: unknown) => void;

  constructor(owner: BatchOwner, sink: ByteSink | null) {
    this.#owner = owner;
    this.#sink = sink;
    this.#onWritten = (bytes) => {
      readRounds.count();
      this.#written(bytes);
    };
    this.#onFailed = (error) => this.#failed(error);
  }

  /** Bytes appended so far, unless it was reset. */
  get appendedBytes(): number {
    return this.writtenBytes + this.queuedBytes;
  }

  /** Starts sending: what was appended so far is written at the end of this turn. */
  attach(sink: ByteSink): void {
    this.#sink = sink;
    this.#isFailed = false;
    if (this.queuedBytes > 0) atTurnEnd(this);
  }

  /** Drops everything not yet written and shuts the tap. */
  reset(): void {
    this.#sink = null;
    if (this.#open !== null) releaseChunk(this.#open);
    this.#open = this.#openView = null;
    this.#openLength = 0;
    for (const chunk of this.#full) this.#release(chunk);
    this.#full = [];
    // A chunk under a write in flight is not ours to re-use before that has ended.
    if (this.#takenBytes > 0) this.#release(this.#writing!);
    else this.#abandoned = this.#writing ?? this.#abandoned;
    this.#writing = null;
    this.#takenBytes = 0;
    this.queuedBytes = 0;
    this.#isFailed = true;
  }

  /** Copies `bytes[start, end)` to the end of the batch. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.appendViewed(bytes, sourceViewOf(bytes), start, end);
  }

  /** As {@linkcode append}, with a view of `bytes`, or null. */
  appendViewed(bytes: Uint8Array, view: DataView | null, start: number, end: number): void {
    if (this.#isFailed) return;
    const length = end - start;
    this.queuedBytes += length;
    let open = this.#open;
    if (open === null) {
      open = this.#open = borrowChunk(Math.max(length, this.#typicalBytes));
      this.#openLength = 0;
      atTurnEnd(this);
    }
    const at = this.#openLength;
    if (length <= open.length - at) {
      // A view of what gets one reply is not worth it.
      if (view === null || at === 0) copyBytes(open, at, bytes, start, end);
      else copyViewed(open, this.#openView ??= viewOf(open), at, bytes, view, start, end);
      this.#openLength = at + length;
      return;
    }
    this.#appendAcross(bytes, start, end);
  }

  /** Copies a span that does not fit the open chunk: fills chunk after chunk. */
  #appendAcross(bytes: Uint8Array, start: number, end: number): void {
    let open = this.#open!;
    while (start < end) {
      if (this.#openLength === open.length) {
        this.#closeOpen();
        open = this.#open = borrowChunk(CHUNK_BYTES_MAX);
      }
      const length = Math.min(end - start, open.length - this.#openLength);
      open.set(bytes.subarray(start, start + length), this.#openLength);
      this.#openLength += length;
      start += length;
    }
    if (this.queuedBytes >= EARLY_FLUSH_BYTES) this.#begin();
  }

  /** Takes `bytes`: they are written as they are, without a copy, and must not change any more. */
  appendWhole(bytes: Uint8Array): void {
    if (this.#isFailed) return;
    this.queuedBytes += bytes.length;
    this.#closeOpen();
    this.#full.push(bytes);
    atTurnEnd(this);
    if (this.queuedBytes >= EARLY_FLUSH_BYTES) this.#begin();
  }

  /** A copy of what was appended after the first `offset` bytes; all of it must wait for a write to begin. */
  waitingFrom(offset: number): Uint8Array {
    this.#closeOpen();
    const waiting = concat(this.#full);
    return waiting.subarray(waiting.length - (this.appendedBytes - offset));
  }

  /** Moves the open chunk to the queue of full ones. */
  #closeOpen(): void {
    const open = this.#open;
    if (open === null) return;
    this.#open = this.#openView = null;
    if (this.#openLength === 0) return releaseChunk(open);
    // Only a chunk's used part is queued; the view keeps its whole buffer for the pool.
    this.#full.push(
      this.#openLength === open.length ? open : open.subarray(0, this.#openLength),
    );
    this.#openLength = 0;
  }

  runAtTurnEnd(): void {
    if (this.#takenBytes > 0) return this.#tellTaken();
    // Up at once, and down slowly: what needs a second chunk needs a second write.
    const typical = this.#typicalBytes - (this.#typicalBytes >> 6);
    this.#typicalBytes = Math.max(typical, Math.min(this.queuedBytes, CHUNK_BYTES_MAX));
    this.flush();
  }

  /** Starts writing unless a write is under way already (its end continues with what is queued). */
  flush(): void {
    const isLast = this.#isOneWrite && this.#owner.endsHere?.() === true;
    this.#begin();
    if (isLast && this.#takenBytes > 0) this.#tellTaken();
  }

  /** Whether all that there is goes with the write that would begin now. */
  get #isOneWrite(): boolean {
    return this.#writing === null && this.#full.length + (this.#open === null ? 0 : 1) === 1;
  }

  #begin(): void {
    if (this.#writing !== null || this.#sink === null) return;
    if (this.#full.length > 0) {
      const next = this.#full.shift()!;
      this.#writing = next;
      this.#writingTo = next.length;
    } else if (this.#open !== null) {
      this.#writing = this.#open;
      this.#writingTo = this.#openLength;
      this.#open = this.#openView = null;
      this.#openLength = 0;
    } else {
      return;
    }
    this.#writingFrom = 0;
    this.writes++;
    this.#write();
  }

  #write(): void {
    const sink = this.#sink!;
    const bytes = this.#writing!.subarray(this.#writingFrom, this.#writingTo);
    if (sink.writeNow === undefined) sink.write(bytes).then(this.#onWritten, this.#onFailed);
    else {
      this.#takenBytes = sink.writeNow(bytes, this);
      if (this.#takenBytes > 0) atTurnEnd(this);
    }
  }

  #tellTaken(): void {
    const taken = this.#takenBytes;
    this.#takenBytes = 0;
    this.#written(taken);
  }

  writeEnded(error: unknown, bytes: number): void {
    if (error === null) this.#written(bytes);
    else this.#failed(error);
  }

  #written(bytes: number): void {
    const chunk = this.#writing;
    if (chunk === null) return this.#freeAbandoned(); // reset while the write was under way
    this.queuedBytes -= bytes;
    this.writtenBytes += bytes;
    this.#writingFrom += bytes;
    if (this.#writingFrom < this.#writingTo) {
      // A short write: the rest goes first.
      this.#write();
    } else {
      this.#writing = null;
      this.#release(chunk);
      if (this.queuedBytes > 0) this.flush();
    }
    this.#owner.wrote(bytes);
  }

  #release(chunk: Uint8Array): void {
    const whole = chunk.byteLength === chunk.buffer.byteLength
      ? chunk
      : new Uint8Array(chunk.buffer as ArrayBuffer);
    releaseChunk(whole);
  }

  #failed(error: unknown): void {
    const chunk = this.#writing;
    if (chunk === null) return this.#freeAbandoned();
    this.#writing = null;
    this.#isFailed = true;
    this.#owner.writeFailed(error);
    this.reset();
    this.#release(chunk);
  }

  #freeAbandoned(): void {
    if (this.#abandoned !== null) this.#release(this.#abandoned);
    this.#abandoned = null;
  }
}
