/**
 * Big keys, by the number of their elements: Codis 3.2's server moves them in chunks and keeps serving.
 * Proxies and dashboard must use the same limit.
 *
 * @module
 */

/** Number of elements from which a key is big. The server counts elements, not bytes, too. */
export const BIG_ELEMENTS = 64;

/**
 * The parameters of a move in chunks: timeout in milliseconds, elements and bytes of a chunk.
 *
 * The target keeps its part for three times the timeout after each chunk. If the source pauses longer, the
 * rest becomes a new key, which the source takes for the whole key. Therefore the timeout is long.
 */
export const CHUNKS = ["60000", "100", "131072"] as const;

/** The command for the number of elements of a key, by its type; a string always moves as a whole. */
export const SIZE_COMMANDS: Readonly<Record<string, string>> = {
  list: "LLEN",
  hash: "HLEN",
  set: "SCARD",
  zset: "ZCARD",
};
