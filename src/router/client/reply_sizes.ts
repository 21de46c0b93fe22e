/**
 * How large replies were, so that it is known how many may be asked for at once.
 *
 *     request ─► its kind: command, key, length ─► seen with a large reply? ─ yes ─► that size
 *                         └─ command ─► what its replies have mostly
 *
 * Both tables have a fixed size. Small replies leave no trace but in the command's typical size, so that
 * millions of small keys do not push out what was learned of a few large ones.
 *
 * @module
 */

/** Replies from this size on are remembered by their request, and counted by a semaphore; bytes. */
export const LARGE_REPLY_BYTES = 32 * 1024;
/** Kinds of requests that are remembered; a power of two. */
const KINDS_MAX = 16_384;
/** Largest size that is distinguished, in bytes. */
const BYTES_MAX = 2 ** 30;

/**
 * The kind of a request: those of one kind are expected to have replies of one size. Never 0.
 *
 * @param keyHash Hash of its key, or the slot where no single key is known.
 * @param requestBytes Length of the request: `LRANGE k 0 -1` is another kind than `LRANGE k 0 9`.
 */
export function requestKind(commandId: number, keyHash: number, requestBytes: number): number {
  return (keyHash ^ Math.imul(commandId + 1, 0x85ebca6b) ^ Math.imul(requestBytes, 0x9e3779b1)) | 1;
}

/** What one router has learned of its replies; see the drawing above. */
export class ReplySizes {
  /** The kind whose reply's size is at the same place in {@linkcode #bytes}; 0 for none. */
  readonly #kinds = new Int32Array(KINDS_MAX);
  readonly #bytes = new Int32Array(KINDS_MAX);
  /** How many places are in use: mostly none, and then there is nothing to look up. */
  #used = 0;
  /** Typical size of each command's replies. */
  readonly #typical: Int32Array;

  /** @param commands How many commands there are. */
  constructor(commands: number) {
    this.#typical = new Int32Array(commands);
  }

  /** The size of a large reply to a request of this kind, in bytes; 0 when none was seen. */
  largeReply(kind: number): number {
    if (this.#used === 0) return 0;
    const at = placeOf(kind);
    return this.#kinds[at] === kind ? this.#bytes[at]! : 0;
  }

  /** What the command's replies have mostly, in bytes; large ones count as just not large. */
  typical(commandId: number): number {
    return this.#typical[commandId]!;
  }

  /** A reply has come as a whole. */
  learn(kind: number, commandId: number, bytes: number): void {
    const size = bytes < BYTES_MAX ? bytes : BYTES_MAX;
    const typical = this.#typical[commandId]!;
    const counted = size < LARGE_REPLY_BYTES ? size : LARGE_REPLY_BYTES - 1;
    this.#typical[commandId] = typical + ((counted - typical) >> 3);
    if (size >= LARGE_REPLY_BYTES) return this.remember(kind, size);
    if (this.#used === 0) return;
    const at = placeOf(kind);
    if (this.#kinds[at] !== kind) return;
    const less = (this.#bytes[at]! + size) >> 1;
    if (less >= LARGE_REPLY_BYTES) this.#bytes[at] = less;
    else {
      this.#kinds[at] = 0;
      this.#used--;
    }
  }

  /** A reply of this kind has at least so many bytes, {@linkcode LARGE_REPLY_BYTES} or more. */
  remember(kind: number, bytes: number): void {
    const size = bytes < BYTES_MAX ? bytes : BYTES_MAX;
    const at = placeOf(kind);
    const known = this.#kinds[at] === kind ? this.#bytes[at]! : 0;
    if (this.#kinds[at] === 0) this.#used++;
    this.#kinds[at] = kind;
    this.#bytes[at] = size > known ? size : known - ((known - size) >> 2);
  }
}

function placeOf(kind: number): number {
  // The lowest bit is the same for all.
  return (kind >>> 1) & (KINDS_MAX - 1);
}
