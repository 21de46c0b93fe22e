/**
 * Keys of a source that are not simply in step: those that must be read again, and those that were, whose
 * value is newer than the changes that come.
 *
 *     change cannot be repeated ─► dirty ─► read again, at an offset ─► changes up to there are skipped
 *
 * @module
 */

import { latin1, latin1Bytes } from "../../resp/latin1.ts";
import type { SourceKey } from "../source/source_control.ts";

/**
 * Which keys of a source are its own, where several sources may have the same key: changes of others are not
 * made, and such a key is read where it is, by whoever knows that.
 */
export interface KeyShare {
  /** Whether the key `bytes[start, end)` is the source's own. Borrows it. */
  isMine(bytes: Uint8Array, start?: number, end?: number): boolean;
  /** Takes a key that is not: it must be read again. Copies it. */
  take(database: number, bytes: Uint8Array, start?: number, end?: number): void;
  /** Reads all keys that were taken, and stores them. */
  flush(): Promise<void>;
}

/** See the header. There may be millions of keys: each is kept as its id only, see {@linkcode idOf}. */
export class KeyMarks {
  readonly #share: KeyShare | undefined;
  readonly #dirty = new Set<string>();
  /** The last change that is in the value that was read again. */
  readonly #newer = new Map<string, number>();
  /** The newest change that is in the value of a key that was read again. */
  newestOffset = 0;

  /** @param share Undefined: all keys are the source's own. */
  constructor(share?: KeyShare) {
    this.#share = share;
  }

  /** Whether there is any mark: most of the time there is none, and nothing else needs to be asked. */
  get isEmpty(): boolean {
    return this.#dirty.size + this.#newer.size === 0;
  }

  /** How many keys must be read again. */
  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** The keys that must be read again now, so many at a time. */
  *dirty(most: number): Generator<SourceKey[]> {
    const ids = [...this.#dirty];
    for (let at = 0; at < ids.length; at += most) yield ids.slice(at, at + most).map(keyOf);
  }

  /** Every key that was read again, and is newer than the changes that come, must be read once more. */
  redoNewer(): void {
    for (const { database, key } of [...this.#newer.keys()].map(keyOf)) this.add(database, key);
  }

  /** Keys that are no longer the source's own are read again where they are. */
  handOver(): void {
    const share = this.#share;
    if (share === undefined) return;
    for (const id of this.#dirty) {
      const { database, key } = keyOf(id);
      if (share.isMine(key)) continue;
      this.#dirty.delete(id);
      share.take(database, key);
    }
  }

  /** Whether a key was read in vain: it is not the source's own any more, and is read again where it is. */
  isLost({ database, key }: SourceKey): boolean {
    const share = this.#share;
    if (share === undefined || share.isMine(key)) return false;
    this.#dirty.delete(idOf(database, key));
    share.take(database, key);
    return true;
  }

  /** A key must be read again. Copies it. */
  add(database: number, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const share = this.#share;
    if (share !== undefined && !share.isMine(bytes, start, end)) {
      return share.take(database, bytes, start, end);
    }
    this.#dirty.add(idOf(database, bytes, start, end));
  }

  /** A key was read again: it has all changes up to `offset`. */
  wasRead({ database, key }: SourceKey, offset: number): void {
    const id = idOf(database, key);
    this.#dirty.delete(id);
    this.#newer.set(id, offset);
    this.newestOffset = Math.max(this.newestOffset, offset);
  }

  /**
   * Whether the change that ends at `offset` must not be made to a key. Borrows it. One that is not the source's
   * own is taken.
   */
  has(
    offset: number,
    database: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const share = this.#share;
    if (share !== undefined && !share.isMine(bytes, start, end)) {
      share.take(database, bytes, start, end);
      return true;
    }
    if (this.isEmpty) return false;
    const id = idOf(database, bytes, start, end);
    return this.#dirty.has(id) || offset <= (this.#newer.get(id) ?? -1);
  }

  /** The changes up to `offset` were handled: forgets what is not newer. */
  passed(offset: number): void {
    if (this.#newer.size > 0 && offset >= this.newestOffset) this.#newer.clear();
  }

  /** All keys are gone, or read anew. */
  clear(): void {
    this.#dirty.clear();
    this.#newer.clear();
    this.newestOffset = 0;
  }
}

/** Tells keys of all databases apart; `bytes[start, end)` is the name. */
export function idOf(
  database: number,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): string {
  return `${database}:${latin1(bytes, start, end)}`;
}

function keyOf(id: string): SourceKey {
  const colon = id.indexOf(":");
  return { database: Number(id.slice(0, colon)), key: latin1Bytes(id.slice(colon + 1)) };
}
