/**
 * The two halves of a connection under a test's thumb: it says what a read brings and when, and how
 * much of a write the kernel takes.
 *
 * @module
 */

import type { ByteReader } from "../../src/io/byte_source.ts";
import type { ByteSink } from "../../src/io/write_batch.ts";

/** A reading half whose reads wait until the test delivers. */
export class ScriptedReader implements ByteReader {
  /** Room that each read so far offered, in bytes. */
  readonly rooms: number[] = [];
  #into: Uint8Array | null = null;
  #settle: { resolve(count: number | null): void; reject(error: unknown): void } | null = null;

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#settle !== null) throw new Error("two reads at once");
    this.rooms.push(bytes.length);
    this.#into = bytes;
    return new Promise((resolve, reject) => this.#settle = { resolve, reject });
  }

  get isReading(): boolean {
    return this.#settle !== null;
  }

  /** Lets the waiting read bring as much of `bytes` as it has room for; returns how much. */
  deliver(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#into!.length);
    this.#into!.set(bytes.subarray(0, count));
    this.#take().resolve(count);
    return count;
  }

  /** Lets the waiting read find the end of input. */
  end(): void {
    this.#take().resolve(null);
  }

  /** Lets the waiting read fail. */
  fail(error: unknown): void {
    this.#take().reject(error);
  }

  #take() {
    const settle = this.#settle;
    if (settle === null) throw new Error("nobody reads");
    this.#settle = null;
    return settle;
  }
}

/** A writing half whose writes wait until the test takes their bytes. */
export class ScriptedSink implements ByteSink {
  /** The writes begun so far, each as it was handed over. */
  readonly writes: Uint8Array[] = [];
  /** Bytes taken so far. */
  takenBytes = 0;
  readonly #taken: Uint8Array[] = [];
  #settle: { resolve(count: number): void; reject(error: unknown): void } | null = null;

  write(bytes: Uint8Array): Promise<number> {
    if (this.#settle !== null) throw new Error("two writes at once");
    this.writes.push(bytes);
    return new Promise((resolve, reject) => this.#settle = { resolve, reject });
  }

  get isWriting(): boolean {
    return this.#settle !== null;
  }

  /** All bytes taken so far. */
  taken(): Uint8Array {
    const all = new Uint8Array(this.takenBytes);
    let at = 0;
    for (const bytes of this.#taken) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }

  /** Takes `count` bytes, or all, of the waiting write. */
  async take(count = Infinity): Promise<void> {
    const bytes = this.writes.at(-1)!;
    const taken = Math.min(count, bytes.length);
    this.#taken.push(bytes.slice(0, taken));
    this.takenBytes += taken;
    this.#take().resolve(taken);
    await turn();
  }

  /** Takes everything until nothing is being written. */
  async takeAll(): Promise<void> {
    while (this.isWriting) await this.take();
  }

  /** Lets the waiting write fail. */
  async fail(error: unknown): Promise<void> {
    this.#take().reject(error);
    await turn();
  }

  #take() {
    const settle = this.#settle;
    if (settle === null) throw new Error("nobody writes");
    this.#settle = null;
    return settle;
  }
}

/** Microtasks that reads and writes take at most to be heard of. */
const TURN_MICROTASKS = 40;

/** Lets the microtasks of this turn run. */
export async function turn(): Promise<void> {
  for (let i = 0; i < TURN_MICROTASKS; i++) await null;
}
