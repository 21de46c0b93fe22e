/**
 * How the replies of many servers become one: Redis's response policies.
 *
 * @module
 */

import type { MergeRule } from "../../command/command.ts";
import { copyBytes, copyViewed, sourceViewOf, viewOf } from "../../io/copy_bytes.ts";
import { arrayHeader, Encoder, errorReply, type Protocol } from "../../resp/encoder.ts";
import { ReplyFramer } from "../../resp/reply_framer.ts";
import { elementsOf } from "../../resp/elements.ts";
import { latin1 } from "../../resp/latin1.ts";
import { isProbeKey, withoutProbeKeys } from "../../resp/probe_key.ts";
import { WHOLE_BYTES_MIN } from "../request.ts";
import { PartReply, type ReplyMerge } from "./gather.ts";

const STAR = 42;
const COLON = 58;
const LF = 10;
const decoder = new TextDecoder();
/** What FUNCTION DELETE is answered where there is no such library. */
const NO_LIBRARY = "-ERR Library not found";

/** Merges by name; those that need more than the replies are made where that is known. */
export const MERGES: Readonly<Partial<Record<MergeRule, ReplyMerge>>> = {
  all_succeeded: mergeAllSucceeded,
  one_succeeded: mergeOneSucceeded,
  agg_sum: (replies) =>
    firstError(replies) ?? integers(replies, (values) => values.reduce((sum, v) => sum + v, 0n)),
  agg_max: (replies) => firstError(replies) ?? integers(replies, largest),
  union: mergeUnion,
  pairs_max: mergePairs,
  agg_min: (replies) =>
    firstError(replies) ?? integers(replies, (values) => values.reduce((a, b) => b < a ? b : a)),
  agg_logical_and: (replies, protocol) =>
    mergeLogical(replies, protocol, (bits) => bits.every((bit) => bit)),
  agg_logical_or: (replies, protocol) =>
    mergeLogical(replies, protocol, (bits) => bits.some((bit) => bit)),
  concat: mergeConcat,
  random_key: mergeRandomKey,
};

/** The first error among the replies, the servers' own before the proxy's; undefined for none. */
export function firstError(replies: readonly PartReply[]): Uint8Array | undefined {
  const error = replies.find((r) => r.isError && !r.isFailure) ?? replies.find((r) => r.isError);
  return error === undefined ? undefined : copy(error.bytes);
}

/**
 * A server that has no library of the name that FUNCTION DELETE gives has nothing to do: what the others say counts,
 * which have deleted theirs, or could not be asked.
 */
function mergeAllSucceeded(replies: readonly PartReply[]): Uint8Array {
  const error = firstError(replies);
  if (error === undefined) return copy(replies[0]!.bytes);
  const others = replies.filter(({ bytes, isError }) =>
    !isError || decoder.decode(bytes.subarray(0, NO_LIBRARY.length)) !== NO_LIBRARY
  );
  if (others.length === 0 || others.length === replies.length) return error;
  return firstError(others) ?? copy(others[0]!.bytes);
}

/** A server that has nothing to do says least; one that could not be asked may be the one it is about. */
function mergeOneSucceeded(replies: readonly PartReply[]): Uint8Array {
  const succeeded = replies.find((reply) => !reply.isError);
  if (succeeded !== undefined) return copy(succeeded.bytes);
  const isIdle = ({ bytes }: PartReply) => decoder.decode(bytes.subarray(1, 8)) === "NOTBUSY";
  return firstError(replies.filter((reply) => !isIdle(reply))) ?? copy(replies[0]!.bytes);
}

/** The error for a reply of a shape nobody expects. */
export function badReply(reply: PartReply): Uint8Array {
  const start = decoder.decode(reply.bytes.subarray(0, 32)).replace(/[^ -~]/g, ".");
  return errorReply(`ERR handle response, unexpected reply from a server: ${start}`);
}

function copy(bytes: Uint8Array): Uint8Array {
  return bytes.slice();
}

function integers(replies: readonly PartReply[], fold: (values: bigint[]) => bigint): Uint8Array {
  const values: bigint[] = [];
  for (const reply of replies) {
    if (reply.bytes[0] !== COLON) return badReply(reply);
    values.push(BigInt(decoder.decode(reply.bytes.subarray(1)).trim()));
  }
  return new Encoder(2).integer(fold(values)).done();
}

/** Subscribers are connected to every master: a channel that several of them name is one. */
function mergeUnion(replies: readonly PartReply[]): Uint8Array {
  const error = firstError(replies);
  if (error !== undefined) return error;
  const names = new Map<string, Uint8Array>();
  for (const reply of replies) {
    const elements = elementsOf(reply.bytes);
    if (elements === null) return badReply(reply);
    for (const element of elements) names.set(latin1(element), element);
  }
  const all = [...names.values()];
  return join(all.length, all, all.reduce((size, name) => size + name.length, 0));
}

/** The servers answer the same names in the same order. */
function mergePairs(replies: readonly PartReply[]): Uint8Array {
  const error = firstError(replies);
  if (error !== undefined) return error;
  const all: Uint8Array[][] = [];
  for (const reply of replies) {
    const elements = elementsOf(reply.bytes);
    if (elements === null) return badReply(reply);
    all.push(elements);
  }
  const out = new Encoder(2).array(all[0]!.length);
  for (let i = 0; i + 1 < all[0]!.length; i += 2) {
    const counts = all.map((elements) =>
      BigInt(decoder.decode(elements[i + 1]!.subarray(1)).trim())
    );
    out.raw(all[0]![i]!).integer(largest(counts));
  }
  return out.done();
}

function largest(values: readonly bigint[]): bigint {
  return values.reduce((most, value) => value > most ? value : most, 0n);
}

function mergeConcat(replies: readonly PartReply[]): Uint8Array {
  const error = firstError(replies);
  if (error !== undefined) return error;
  let count = 0;
  let size = 0;
  const bodies: Uint8Array[] = [];
  for (const reply of replies) {
    const bytes = withoutProbeKeys(reply.bytes);
    const headerEnd = bytes.indexOf(10) + 1;
    const length = Number(decoder.decode(bytes.subarray(1, headerEnd)).trim());
    if (bytes[0] !== STAR || !(length >= 0)) {
      return badReply(new PartReply(bytes, false, false));
    }
    count += length;
    bodies.push(bytes.subarray(headerEnd));
    size += bytes.length - headerEnd;
  }
  return join(count, bodies, size);
}

/** Where small replies are joined: they are copied on at once. */
let joined = new Uint8Array(4 * 1024);
let joinedView = viewOf(joined);
/** Where the next element of each reply begins. */
const next: number[] = [];

/**
 * Joins arrays so that element i of the whole, of `count`, is the next one of array `owners[i]`: each key is
 * answered by the server that it was sent to.
 *
 * @returns As {@linkcode ReplyMerge}.
 */
export function mergeInOrder(
  replies: readonly PartReply[],
  owners: Uint16Array,
  count: number,
): Uint8Array {
  const error = firstError(replies);
  if (error !== undefined) return error;
  const header = arrayHeader(count);
  let size = header.length;
  for (let i = 0; i < replies.length; i++) {
    const { held, start, end } = replies[i]!;
    if (held[start] !== STAR) return badReply(replies[i]!);
    next[i] = held.indexOf(LF, start) + 1;
    size += end - next[i]!;
  }
  const out = memoryFor(size);
  copyBytes(out, 0, header, 0, header.length);
  let at = header.length;
  for (let i = 0; i < count;) {
    const owner = owners[i]!;
    const { held, end: replyEnd } = replies[owner]!;
    const from = next[owner]!;
    let end = from;
    // Neighbours go in one piece.
    do {
      end = elementEnd(held, end, replyEnd);
      if (end < 0) return badReply(replies[owner]!);
      i++;
    } while (i < count && owners[i] === owner);
    if (out !== joined) copyBytes(out, at, held, from, end);
    else copyViewed(out, joinedView, at, held, sourceViewOf(held), from, end);
    at += end - from;
    next[owner] = end;
  }
  return out.subarray(0, at);
}

/** Memory for a joined reply: its own where it is kept as it is; for each small one that would cost most of all. */
function memoryFor(size: number): Uint8Array {
  if (size >= WHOLE_BYTES_MIN) return new Uint8Array(size);
  if (size > joined.length) {
    joined = new Uint8Array(WHOLE_BYTES_MIN);
    joinedView = viewOf(joined);
  }
  return joined;
}

const framer = new ReplyFramer();

/** One past the element that begins at `at`; -1 when it does not end before `bytesEnd`. */
function elementEnd(bytes: Uint8Array, at: number, bytesEnd: number): number {
  framer.reset();
  const end = framer.feed(bytes, at, bytesEnd);
  return framer.isDone ? end : -1;
}

/** An array of elements that are encoded already. */
function join(count: number, parts: readonly Uint8Array[], size: number): Uint8Array {
  const header = arrayHeader(count);
  const out = new Uint8Array(header.length + size);
  out.set(header);
  let at = header.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** One integer of each, or arrays of them. */
function mergeLogical(
  replies: readonly PartReply[],
  protocol: Protocol,
  combine: (bits: boolean[]) => boolean,
): Uint8Array {
  const error = firstError(replies);
  if (error !== undefined) return error;
  if (replies.every(({ bytes }) => bytes[0] === COLON)) {
    return integers(replies, (values) => combine(values.map((value) => value === 1n)) ? 1n : 0n);
  }
  const columns = replies.map((reply) => elementsOf(reply.bytes));
  const out = new Encoder(protocol).array(columns[0]?.length ?? 0);
  for (let i = 0; i < (columns[0]?.length ?? 0); i++) {
    out.integer(combine(columns.map((column) => column?.[i]?.[1] === 49 /* 1 */)) ? 1 : 0);
  }
  return out.done();
}

function mergeRandomKey(replies: readonly PartReply[], protocol: Protocol): Uint8Array {
  const keys = replies.filter((r) => !r.isError && !isNull(r.bytes) && !isProbeKey(r.bytes));
  if (keys.length > 0) return copy(keys[Math.floor(Math.random() * keys.length)]!.bytes);
  return firstError(replies) ?? new Encoder(protocol).null().done();
}

/** Whether a reply is RESP3's null or RESP2's null bulk. */
export function isNull(bytes: Uint8Array): boolean {
  return bytes[0] === 95 /* _ */ || (bytes[0] === 36 && bytes[1] === 45);
}
