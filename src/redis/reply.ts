/**
 * Replies of a Redis server as the control plane reads them: RESP2, decoded whole.
 *
 * @module
 */

/** An error reply; the message is Redis's own text, without the leading `-`. */
export class RedisError extends Error {
  override readonly name = "RedisError";

  /** The first word, which is the kind of the error: `NOAUTH`, `BUSYKEY`, … */
  get code(): string {
    return this.message.split(" ", 1)[0]!;
  }
}

/**
 * A decoded reply: simple strings are text, bulks are bytes, both kinds of null are null; an error
 * inside an array is a value, as it is in Redis.
 */
export type RedisValue = string | number | Uint8Array | null | RedisError | RedisValue[];

const decoder = new TextDecoder();

/** A value and the offset after it. */
interface Decoded {
  readonly value: RedisValue;
  readonly end: number;
}

/**
 * Decodes one complete reply. Borrows `bytes` until it returns; bulks are copied.
 *
 * @throws {SyntaxError} When the bytes are not RESP2.
 */
export function decodeReply(bytes: Uint8Array): RedisValue {
  return decodeAt(bytes, 0).value;
}

function decodeAt(bytes: Uint8Array, start: number): Decoded {
  const lineEnd = bytes.indexOf(10, start);
  const end = lineEnd + 1;
  switch (bytes[start]) {
    case 43: // +
      return { value: textAt(bytes, start + 1, lineEnd - 1), end };
    case 45: // -
      return { value: new RedisError(textAt(bytes, start + 1, lineEnd - 1)), end };
    case 58: // :
      return { value: integerAt(bytes, start + 1, lineEnd - 1), end };
    case 36: { // $
      const length = integerAt(bytes, start + 1, lineEnd - 1);
      if (length < 0) return { value: null, end };
      return { value: bytes.slice(end, end + length), end: end + length + 2 };
    }
    case 42: { // *
      const length = integerAt(bytes, start + 1, lineEnd - 1);
      if (length < 0) return { value: null, end };
      const items: RedisValue[] = [];
      let at = end;
      for (let i = 0; i < length; i++) {
        const item = decodeAt(bytes, at);
        items.push(item.value);
        at = item.end;
      }
      return { value: items, end: at };
    }
  }
  throw new SyntaxError(`no RESP2 reply begins with byte ${bytes[start]}`);
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** Reads digits by hand: a thousand small replies come at once, and most of them are numbers. */
function integerAt(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === 45;
  let value = 0;
  for (let i = isNegative || bytes[start] === 43 ? start + 1 : start; i < end; i++) {
    value = value * 10 + bytes[i]! - 48;
  }
  return isNegative ? -value : value;
}

/** The text of a simple string, bulk or integer; `""` for everything else. */
export function replyText(value: RedisValue): string {
  if (value instanceof Uint8Array) return decoder.decode(value);
  return typeof value === "string" || typeof value === "number" ? `${value}` : "";
}
