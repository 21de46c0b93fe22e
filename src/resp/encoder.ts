/**
 * Writes replies that the proxy makes itself, in the protocol of the session they go to.
 *
 * @module
 */

/** RESP version of a connection. */
export type Protocol = 2 | 3;

/** Longest quote of a client's bytes in an error text, in bytes. */
export const QUOTED_BYTES_MAX = 128;

const encoder = new TextEncoder();

/** Encodes text as UTF-8 into a fresh buffer that belongs to the caller. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Cached first lines of arrays, by length. */
const ARRAY_HEADERS: Uint8Array[] = [];
const ARRAY_HEADERS_MAX = 1024;

/** The first line of an array or request of `count` elements. Shared: do not change the bytes. */
export function arrayHeader(count: number): Uint8Array {
  if (count >= ARRAY_HEADERS_MAX) return utf8(`*${count}\r\n`);
  return ARRAY_HEADERS[count] ??= utf8(`*${count}\r\n`);
}

/**
 * Builds one reply. Methods append a value each and return the encoder; {@linkcode done} gives the
 * bytes. Aggregates take their length first and the values after it.
 *
 * @example
 * ```ts
 * new Encoder(3).map(1).bulk("proto").integer(3).done(); // %1 $5 proto :3
 * ```
 */
export class Encoder {
  readonly protocol: Protocol;
  #bytes = new Uint8Array(256);
  #length = 0;

  constructor(protocol: Protocol) {
    this.protocol = protocol;
  }

  /** A simple string; `text` must hold no CR or LF. */
  simple(text: string): this {
    return this.#line(`+${text}`);
  }

  /**
   * An error; CR and LF in `text` become spaces, as Redis does. A text without characters past U+00FF
   * stands for the bytes of the same numbers, see {@linkcode asSent}.
   */
  error(text: string): this {
    const line = `-${text.replace(/[\r\n]/g, " ")}`;
    const isBytes = /[\x80-\xff]/.test(line) && !/[\u0100-\uffff]/.test(line);
    return isBytes
      ? this.raw(Uint8Array.from(line, (char) => char.charCodeAt(0))).#end()
      : this.#line(line);
  }

  integer(value: number | bigint): this {
    return this.#line(`:${value}`);
  }

  /** A bulk string. Copies `value`. */
  bulk(value: string | Uint8Array): this {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    return this.#header(36, /* $ */ bytes.length).raw(bytes).#end();
  }

  /** A text for people: a verbatim string in RESP3, a bulk string in RESP2. */
  verbatim(text: string): this {
    if (this.protocol === 2) return this.bulk(text);
    const bytes = encoder.encode(text);
    this.#line(`=${bytes.length + 4}`);
    return this.raw(encoder.encode("txt:")).raw(bytes).#line("");
  }

  /** A number with a fraction: a double in RESP3, a bulk string in RESP2; 17 digits, as Redis writes it. */
  double(value: number): this {
    const text = value.toPrecision(17).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
    return this.protocol === 3 ? this.#line(`,${text}`) : this.bulk(text);
  }

  null(): this {
    return this.#line(this.protocol === 3 ? "_" : "$-1");
  }

  /** A missing array: null in RESP3, the null array in RESP2. */
  nullArray(): this {
    return this.#line(this.protocol === 3 ? "_" : "*-1");
  }

  array(length: number): this {
    return this.#header(42, /* * */ length);
  }

  /** A map of `entries` pairs; a flat array in RESP2. */
  map(entries: number): this {
    return this.#line(this.protocol === 3 ? `%${entries}` : `*${2 * entries}`);
  }

  /** A set; an array in RESP2. */
  set(length: number): this {
    return this.#line(`${this.protocol === 3 ? "~" : "*"}${length}`);
  }

  /** Bytes that are an encoded reply, or a part of one. Copies `bytes`. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** The reply; a view that belongs to the caller from now on. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #line(text: string): this {
    return this.raw(encoder.encode(text)).#end();
  }

  /** A type byte and a length, digit by digit: requests of a thousand words have a thousand of them. */
  #header(type: number, length: number): this {
    let digits = 1;
    for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    this.#reserve(digits + 3);
    this.#bytes[this.#length] = type;
    for (let at = this.#length + digits, rest = length; at > this.#length; at--) {
      this.#bytes[at] = 48 + rest % 10;
      rest = Math.floor(rest / 10);
    }
    this.#length += digits + 1;
    return this.#end();
  }

  #end(): this {
    this.#reserve(2);
    this.#bytes[this.#length++] = 13;
    this.#bytes[this.#length++] = 10;
    return this;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    let size = this.#bytes.length;
    while (size < this.#length + bytes) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** One error reply, `-text CR LF`. */
export function errorReply(text: string): Uint8Array<ArrayBuffer> {
  return new Encoder(2).error(text).done();
}

/** Encodes a request as multibulk. Copies the arguments. */
export function encodeRequest(args: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const out = new Encoder(2).array(args.length);
  for (const arg of args) out.bulk(arg);
  return out.done();
}

/** The request that any server answers. */
export const PING: Uint8Array<ArrayBuffer> = encodeRequest(["PING"]);

/**
 * A client's bytes for an error text as Redis quotes them: one character for each byte, up to a NUL, cut
 * at {@linkcode QUOTED_BYTES_MAX}. Only for texts that {@linkcode Encoder.error} encodes, which lets no
 * line end through.
 */
export function asSent(bytes: Uint8Array, start: number, end: number): string {
  const cut = Math.min(end, start + QUOTED_BYTES_MAX);
  let text = "";
  for (let i = start; i < cut && bytes[i] !== 0; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/**
 * Bytes for a message: cut at {@linkcode QUOTED_BYTES_MAX}, and everything but
 * printable ASCII escaped, so that it stays one line.
 */
export function quoted(bytes: Uint8Array, start: number, end: number): string {
  const cut = Math.min(end, start + QUOTED_BYTES_MAX);
  let text = "";
  for (let i = start; i < cut; i++) {
    const byte = bytes[i]!;
    text += byte >= 32 && byte < 127
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}
