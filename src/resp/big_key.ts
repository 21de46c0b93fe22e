/**
 * Big keys, by the number of their elements: Codis 3.2's server moves them in chunks, and goes on meanwhile.
 * Proxies and dashboard must mean the same by it.
 *
 * @module
 */

/** Elements from which on a key is big. Fewer may be large; the server goes by their number, too. */
export const BIG_ELEMENTS = 64;

/**
 * What a server is asked for a move in chunks: its timeout in milliseconds, elements and bytes of a chunk.
 *
 * The target's part lives for three times the timeout after each chunk. When the source stands still for
 * longer in between, the rest makes a new key, which the source then takes for the whole: so that is long.
 */
export const CHUNKS = ["60000", "100", "131072"] as const;

/** How the number of a key's elements is asked for, by its type; a string moves whole in any case. */
export const SIZE_COMMANDS: Readonly<Record<string, string>> = {
  list: "LLEN",
  hash: "HLEN",
  set: "SCARD",
  zset: "ZCARD",
};
