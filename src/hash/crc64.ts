/**
 * CRC-64 over a span of bytes, eight bytes at a time.
 *
 *   Name               CRC-64/REDIS (Jones)
 *   Polynomial         0xAD93D23594C935A9 (reflected: 0x95AC9329AC4BC9B5)
 *   Initialization     0
 *   Reflect input      yes
 *   Reflect output     yes
 *   Xor with output    0
 *   Check value        0xE9C6D914C4B8D9CA for the bytes of "123456789"
 *
 * Redis ends RDB files and the payloads of DUMP with this variant, lowest byte first.
 *
 * @module
 */

const POLYNOMIAL_LOW = 0xac4bc9b5;
const POLYNOMIAL_HIGH = 0x95ac9329;
/** Tables: one for each of eight bytes in a row. */
const TABLES = 8;

/** The remainder of each byte value followed by 0 to 7 zero bytes, in two halves of 32 bits. */
const LOW = new Int32Array(256 * TABLES);
const HIGH = new Int32Array(256 * TABLES);

fillTables();

function fillTables(): void {
  for (let byte = 0; byte < 256; byte++) {
    let [low, high] = [byte, 0];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) !== 0;
      low = (low >>> 1) | (high << 31);
      high = high >>> 1;
      if (isOdd) [low, high] = [low ^ POLYNOMIAL_LOW, high ^ POLYNOMIAL_HIGH];
    }
    [LOW[byte], HIGH[byte]] = [low, high];
  }
  for (let i = 256; i < LOW.length; i++) {
    const [low, high] = [LOW[i - 256]!, HIGH[i - 256]!];
    LOW[i] = LOW[low & 255]! ^ ((low >>> 8) | (high << 24));
    HIGH[i] = HIGH[low & 255]! ^ (high >>> 8);
  }
}

/**
 * A checksum that grows with the bytes that are added.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const crc = new Crc64();
 * crc.add(new TextEncoder().encode("123456789"), 0, 9);
 * assertEquals(crc.value, 0xe9c6d914c4b8d9can);
 * ```
 */
export class Crc64 {
  #low = 0;
  #high = 0;

  /** The checksum of all bytes so far. */
  get value(): bigint {
    return BigInt(this.#high >>> 0) << 32n | BigInt(this.#low >>> 0);
  }

  /** Begins anew. */
  reset(): void {
    this.#low = this.#high = 0;
  }

  /** Adds `bytes[start, end)`. Borrows them until it returns; allocates nothing. */
  add(bytes: Uint8Array, start: number, end: number): void {
    let [low, high, at] = [this.#low, this.#high, start];
    for (; at + 8 <= end; at += 8) {
      low ^= bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
      high ^= bytes[at + 4]! | bytes[at + 5]! << 8 | bytes[at + 6]! << 16 | bytes[at + 7]! << 24;
      const a = 1792 + (low & 255), b = 1536 + (low >>> 8 & 255);
      const c = 1280 + (low >>> 16 & 255), d = 1024 + (low >>> 24);
      const e = 768 + (high & 255), f = 512 + (high >>> 8 & 255);
      const g = 256 + (high >>> 16 & 255), h = high >>> 24;
      low = LOW[a]! ^ LOW[b]! ^ LOW[c]! ^ LOW[d]! ^ LOW[e]! ^ LOW[f]! ^ LOW[g]! ^ LOW[h]!;
      high = HIGH[a]! ^ HIGH[b]! ^ HIGH[c]! ^ HIGH[d]! ^ HIGH[e]! ^ HIGH[f]! ^ HIGH[g]! ^ HIGH[h]!;
    }
    for (; at < end; at++) {
      const byte = (low ^ bytes[at]!) & 255;
      low = LOW[byte]! ^ ((low >>> 8) | (high << 24));
      high = HIGH[byte]! ^ (high >>> 8);
    }
    this.#low = low;
    this.#high = high;
  }

  /** Writes the checksum to `bytes[at, at + 8)`, lowest byte first. */
  write(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i++) {
      bytes[at + i] = this.#low >>> 8 * i;
      bytes[at + 4 + i] = this.#high >>> 8 * i;
    }
  }
}
