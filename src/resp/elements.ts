/**
 * The elements of an array, without decoding them.
 *
 * @module
 */

import { ReplyFramer } from "./reply_framer.ts";

const STAR = 42;
const decoder = new TextDecoder();

/**
 * The elements of an array reply as views into it; null when it is none. Borrows `bytes` as long as
 * the views are used.
 */
export function elementsOf(bytes: Uint8Array): Uint8Array[] | null {
  if (bytes[0] !== STAR) return null;
  const headerEnd = bytes.indexOf(10) + 1;
  const count = Number(decoder.decode(bytes.subarray(1, headerEnd - 2)));
  if (!(count >= 0)) return null;
  const elements: Uint8Array[] = [];
  const framer = new ReplyFramer();
  let at = headerEnd;
  for (let i = 0; i < count; i++) {
    const from = at;
    at = framer.feed(bytes, at, bytes.length);
    if (!framer.isDone) return null;
    framer.reset();
    elements.push(bytes.subarray(from, at));
  }
  return elements;
}
