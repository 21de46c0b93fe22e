/**
 * When keys of a source expire, and so at the target, too: a key that ends soon may be gone there before a change of
 * it comes that was made while it lived.
 *
 * There may be millions of keys, so of their names only a checksum of 64 bits is kept:
 *
 *     places: checksum (2 × 32 bits), seconds │ checksum, seconds │ …     found from the checksum on, by linear probing
 *
 * @module
 */

/** Places of an empty table. */
const FIRST_PLACES = 1024;
/** Words of a place, 32 bits each. */
const WORDS = 3;
/** A table is made anew when so many of 100 places are used. */
const USED_PERCENT_MAX = 70;
/** Times that are past for so long are forgotten then, in milliseconds. */
const KEPT_MS = 3_600_000;
const SECONDS_MAX = 2 ** 32 - 1;
/** What MurmurHash3 mixes the bits of a checksum with. */
const [MIX_A, MIX_B] = [0x85ebca6b, 0xc2b2ae35];

/** See the header. */
export class ExpiryTimes {
  /** Both words of a checksum are 0: nothing is there. Seconds of Unix time, rounded down; 0: it does not expire. */
  #table = new Uint32Array(WORDS * FIRST_PLACES);
  #used = 0;
  /** The checksum of the key that was looked for last. */
  #a = 0;
  #b = 0;

  /** Whether no key expires. */
  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /** When the key `bytes[start, end)` expires, in Unix milliseconds, at most a second early; 0: never. Borrows it. */
  of(database: number, bytes: Uint8Array, start: number, end: number): number {
    if (this.#used === 0) return 0;
    this.#sum(database, bytes, start, end);
    return 1000 * this.#table[this.#find() + 2]!;
  }

  /**
   * Notes when the key `bytes[start, end)` expires. Borrows it.
   *
   * @param expiryMs Unix milliseconds; 0: never.
   */
  set(database: number, bytes: Uint8Array, start: number, end: number, expiryMs: number): void {
    if (expiryMs === 0 && this.#used === 0) return;
    this.#sum(database, bytes, start, end);
    this.#put(expiryMs === 0 ? 0 : Math.min(SECONDS_MAX, Math.max(1, Math.floor(expiryMs / 1000))));
    if (100 * WORDS * this.#used > USED_PERCENT_MAX * this.#table.length) this.#renew();
  }

  /** Forgets all. */
  clear(): void {
    this.#table = new Uint32Array(WORDS * FIRST_PLACES);
    this.#used = 0;
  }

  #sum(database: number, bytes: Uint8Array, start: number, end: number): void {
    let [a, b] = [database, ~database];
    for (let i = start; i < end; i++) {
      a = Math.imul(a ^ bytes[i]!, 0x01000193);
      b = Math.imul(b << 13 | b >>> 19, 5) + bytes[i]! | 0;
    }
    this.#a = mixed(a);
    this.#b = mixed(b) || 1;
  }

  /** The place of the checksum, or the free one where it belongs. */
  #find(): number {
    const [table, a, b] = [this.#table, this.#a, this.#b];
    const places = table.length / WORDS;
    for (let place = a & places - 1;; place = place + 1 & places - 1) {
      const at = WORDS * place;
      if (table[at] === a && table[at + 1] === b || table[at + 1] === 0) return at;
    }
  }

  #put(seconds: number): void {
    const [table, at] = [this.#table, this.#find()];
    if (table[at + 1] === 0) {
      if (seconds === 0) return;
      [table[at], table[at + 1]] = [this.#a, this.#b];
      this.#used++;
    }
    table[at + 2] = seconds;
  }

  /** Makes the table anew without what has no time any more: half full at most. */
  #renew(): void {
    const old = this.#table;
    const since = Math.floor((Date.now() - KEPT_MS) / 1000);
    let count = 0;
    for (let at = 2; at < old.length; at += WORDS) if (old[at]! > since) count++;
    const places = Math.max(FIRST_PLACES, 2 ** Math.ceil(Math.log2(2 * count + 1)));
    this.#table = new Uint32Array(WORDS * places);
    this.#used = 0;
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at + 2]! <= since) continue;
      [this.#a, this.#b] = [old[at]!, old[at + 1]!];
      this.#put(old[at + 2]!);
    }
  }
}

/** Every bit of a sum in all bits, as MurmurHash3 does it. */
function mixed(sum: number): number {
  sum = Math.imul(sum ^ sum >>> 16, MIX_A);
  sum = Math.imul(sum ^ sum >>> 13, MIX_B);
  return (sum ^ sum >>> 16) >>> 0;
}
