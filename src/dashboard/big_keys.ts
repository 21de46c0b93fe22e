/**
 * Keys so big that moving one stops both servers for a while: told of in advance, moved alone, and last.
 *
 * @module
 */

import type { MoveContext } from "./key_mover.ts";
import { type SlotKey, textOfKey } from "./server_keys.ts";

/** A big key. */
export interface BigKey extends SlotKey {
  readonly database: number;
  /** Memory it takes at the source, in bytes. */
  readonly size: number;
}

/** Big keys remembered in one look; the next look finds the others. */
const BIG_KEYS_MAX = 10_000;
/** Big keys of one look that get an event of their own. */
const TOLD_MAX = 10;
/**
 * Bytes that are moved in one millisecond, by which the stop is foretold: strings of megabytes are five
 * times as fast, hashes of small fields a third slower.
 */
const BYTES_PER_MS = 60_000;

/** The big keys of one look. */
export class BigKeys {
  readonly #context: MoveContext;
  readonly #keys: BigKey[] = [];
  readonly #slots = new Map<number, { count: number; biggest: BigKey }>();

  constructor(context: MoveContext) {
    this.#context = context;
  }

  /** Puts a key off until the end of the look. */
  add(key: BigKey): void {
    if (this.#keys.length >= BIG_KEYS_MAX) return;
    this.#keys.push(key);
    const slot = this.#slots.get(key.slotId) ?? { count: 0, biggest: key };
    const biggest = key.size > slot.biggest.size ? key : slot.biggest;
    this.#slots.set(key.slotId, { count: slot.count + 1, biggest });
    const text = bigText(slot.count + 1, biggest);
    this.#context.note(key.slotId, text);
    if (this.#keys.length <= TOLD_MAX) {
      this.#context.control.tell(
        "warning",
        `slot ${key.slotId} has a big key at ${this.#context.pair.source}: ${sizeText(key)}; ` +
          `it is moved last, which stops both servers for about ${stopText(key)}`,
      );
    }
  }

  /** Moves them one after the other, the smallest first. */
  async moveAll(move: (key: BigKey) => Promise<void>, signal: AbortSignal): Promise<void> {
    for (const key of this.#keys.sort((a, b) => a.size - b.size)) {
      signal.throwIfAborted();
      await move(key);
      const slot = this.#slots.get(key.slotId)!;
      this.#slots.set(key.slotId, { ...slot, count: slot.count - 1 });
      this.#context.note(key.slotId, slot.count > 1 ? bigText(slot.count - 1, slot.biggest) : "");
    }
  }
}

function bigText(count: number, biggest: BigKey): string {
  const what = count === 1 ? "a big key" : `${count} big keys`;
  return `${what} to be moved last: ${sizeText(biggest)} stops its servers for about ${
    stopText(biggest)
  }`;
}

function sizeText({ bytes, size }: BigKey): string {
  return `"${textOfKey(bytes)}" with ${(size / 1024 ** 2).toFixed(1)} MB`;
}

function stopText({ size }: BigKey): string {
  const ms = Math.max(1, Math.round(size / BYTES_PER_MS));
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
