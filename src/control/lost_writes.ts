/**
 * What only a former master has: the end of its stream of changes, from where another server was promoted.
 *
 *     the stream:  ──────────── offset of the promoted server ├── only the former master has this ──►
 *                                                              └ PSYNC <history> <offset + 1>
 *
 * A server keeps the newest part of its stream in its replication backlog, as long as it is not restarted.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { RedisConnection } from "../redis/connection.ts";
import type { RedisInfo } from "../redis/info.ts";
import { decodeReply, replyText } from "../redis/reply.ts";
import { ReplyFramer } from "../resp/reply_framer.ts";

/** Longest time that a server may take to send what it has, in milliseconds. */
const READ_MS = 5_000;
/** More than this is not read, in bytes: it passes through memory. */
const BYTES_MAX = 256 * 1024 * 1024;

/** In the stream, and no write of a client. */
const NO_WRITES: ReadonlySet<string> = new Set(["PING", "SELECT", "REPLCONF", "MULTI", "EXEC"]);

/**
 * Reads a stretch of a master's stream of changes, as Redis commands. The connection is of no use afterwards.
 *
 * @param info The master's own.
 * @param offset How much of the stream is known, in bytes.
 * @param bytes How much more is wanted.
 * @throws {Error} When the master does not have it any more; the message says why.
 */
export async function readStream(
  redis: RedisConnection,
  info: RedisInfo,
  history: string,
  offset: number,
  bytes: number,
): Promise<Uint8Array> {
  const first = Number(info["repl_backlog_first_byte_offset"]);
  // Otherwise it would make a copy of all its data for us.
  if (info["repl_backlog_active"] !== "1" || !(first <= offset + 1)) {
    throw new Error("its replication backlog does not reach back so far");
  }
  if (bytes > BYTES_MAX) throw new Error(`more than ${BYTES_MAX} bytes are not read`);
  const pieces: Uint8Array[] = [];
  let line = "";
  let read = 0;
  const done = Promise.withResolvers<void>();
  const timer = setTimeout(() => done.reject(new Error(`not sent within ${READ_MS} ms`)), READ_MS);
  redis.stream(["PSYNC", history, offset + 1], (piece) => {
    if (piece === null) return done.reject(new Error("the connection was lost"));
    let at = 0;
    while (at < piece.length && !line.endsWith("\n")) line += String.fromCharCode(piece[at++]!);
    if (!line.endsWith("\n")) return;
    if (!line.startsWith("+CONTINUE")) return done.reject(new Error(`it answers ${line.trim()}`));
    pieces.push(piece.slice(at));
    read += piece.length - at;
    if (read >= bytes) done.resolve();
  });
  try {
    await done.promise;
  } finally {
    clearTimeout(timer);
    redis.close();
  }
  return concat(pieces).subarray(0, bytes);
}

/**
 * How many writes of clients there are in a stretch of a stream.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const stream = "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n";
 * assertEquals(writesIn(new TextEncoder().encode(stream)), 1);
 * ```
 */
export function writesIn(stream: Uint8Array): number {
  let count = 0;
  const framer = new ReplyFramer();
  for (let at = 0; at < stream.length;) {
    const end = framer.feed(stream, at, stream.length);
    if (framer.error !== "" || !framer.isDone) break;
    framer.reset();
    const words = decodeReply(stream.subarray(at, end));
    const name = Array.isArray(words) ? replyText(words[0] ?? null).toUpperCase() : "";
    if (!NO_WRITES.has(name)) count++;
    at = end;
  }
  return count;
}
