/**
 * The lines of a journal: `<crc32 of the JSON> <JSON>`.
 *
 * @module
 */

import { crc32 } from "../../hash/crc32.ts";

/** A line begins with its checksum, in this many hexadecimal digits. */
const CHECKSUM_BYTES = 8;

/** Ends a line. */
export const NEWLINE = 0x0a;

const encoder = new TextEncoder();

/** A line, padded with spaces before its newline to `lineBytes` if that is given. */
export function encodeLine(value: unknown, lineBytes = 0): Uint8Array {
  const json = JSON.stringify(value).padEnd(lineBytes - CHECKSUM_BYTES - 2, " ");
  const bytes = encoder.encode(`${"0".repeat(CHECKSUM_BYTES)} ${json}\n`);
  encoder.encodeInto(checksumOf(bytes), bytes);
  return bytes;
}

/** The checksum of what stands between it and the newline of a line. */
function checksumOf(line: Uint8Array): string {
  const checksum = crc32(line, CHECKSUM_BYTES + 1, line.length - 1);
  return checksum.toString(16).padStart(CHECKSUM_BYTES, "0");
}

/**
 * The whole lines at the beginning of `bytes`, where each ends, and where the first that is not whole begins.
 *
 * @param max Most lines that are parsed.
 */
export function parseLines<T>(
  bytes: Uint8Array,
  max = Infinity,
): { lines: { value: T; end: number }[]; offset: number } {
  const lines: { value: T; end: number }[] = [];
  const decoder = new TextDecoder();
  let offset = 0;
  while (offset < bytes.length && lines.length < max) {
    const newline = bytes.indexOf(NEWLINE, offset);
    if (newline < 0) break;
    const line = bytes.subarray(offset, newline);
    const checksum = decoder.decode(line.subarray(0, CHECKSUM_BYTES));
    if (checksum !== checksumOf(bytes.subarray(offset, newline + 1))) break;
    offset = newline + 1;
    lines.push({
      value: JSON.parse(decoder.decode(line.subarray(CHECKSUM_BYTES + 1))),
      end: offset,
    });
  }
  return { lines, offset };
}
