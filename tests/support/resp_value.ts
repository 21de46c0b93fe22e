/**
 * Replies as a test wants to compare them: decoded, and as the bytes they came in.
 *
 * @module
 */

/** An error reply, a value like the others; the text is without `-` and line end. */
export class ReplyError {
  constructor(readonly message: string) {}
}

/** A push message, which is no reply. */
export class PushMessage {
  constructor(readonly items: readonly RespValue[]) {}
}

/** A decoded reply. Strings of any kind are text; integers are numbers where exact, else bigint. */
export type RespValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | ReplyError
  | PushMessage
  | RespValue[]
  | Set<RespValue>
  | Map<RespValue, RespValue>;

/** A value and the offset after it. */
export interface Decoded {
  readonly value: RespValue;
  readonly end: number;
}

const decoder = new TextDecoder();

/**
 * Decodes the reply at `start`, RESP2 or RESP3. Borrows `bytes` until it returns.
 *
 * @returns `undefined` when the reply is not complete yet.
 */
export function decodeReply(bytes: Uint8Array, start: number): Decoded | undefined {
  const lineEnd = bytes.indexOf(0x0a, start);
  if (lineEnd < 0) return undefined;
  const type = String.fromCharCode(bytes[start]!);
  const line = decoder.decode(bytes.subarray(start + 1, lineEnd - 1));
  const end = lineEnd + 1;
  switch (type) {
    case "+":
      return { value: line, end };
    case "-":
      return { value: new ReplyError(line), end };
    case ":":
    case "(": {
      const exact = Number(line);
      return { value: Number.isSafeInteger(exact) ? exact : BigInt(line), end };
    }
    case ",":
      return { value: line === "inf" ? Infinity : line === "-inf" ? -Infinity : Number(line), end };
    case "#":
      return { value: line === "t", end };
    case "_":
      return { value: null, end };
    case "$":
    case "=":
    case "!":
      return decodeBulk(type, bytes, Number(line), end);
    case "*":
    case "~":
    case ">":
    case "%":
    case "|":
      return decodeAggregate(type, bytes, Number(line), end);
  }
  throw new Error(`no reply begins with ${JSON.stringify(type + line)}`);
}

function decodeBulk(
  type: string,
  bytes: Uint8Array,
  length: number,
  start: number,
): Decoded | undefined {
  if (length < 0) return { value: null, end: start };
  const end = start + length + 2;
  if (bytes.length < end) return undefined;
  const text = decoder.decode(bytes.subarray(start, start + length));
  if (type === "!") return { value: new ReplyError(text), end };
  return { value: type === "=" ? text.slice(4) : text, end };
}

function decodeAggregate(
  type: string,
  bytes: Uint8Array,
  length: number,
  start: number,
): Decoded | undefined {
  if (length < 0) return { value: null, end: start };
  const isMap = type === "%" || type === "|";
  const items: RespValue[] = [];
  let at = start;
  for (let i = 0; i < (isMap ? length * 2 : length); i++) {
    const item = decodeReply(bytes, at);
    if (item === undefined) return undefined;
    items.push(item.value);
    at = item.end;
  }
  if (type === "*") return { value: items, end: at };
  if (type === "~") return { value: new Set(items), end: at };
  if (type === ">") return { value: new PushMessage(items), end: at };
  const map = new Map<RespValue, RespValue>();
  for (let i = 0; i < items.length; i += 2) map.set(items[i]!, items[i + 1]!);
  return { value: map, end: at };
}
