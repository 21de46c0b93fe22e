/**
 * The types of values in an RDB, and of what each consists: enough to find where a value ends.
 *
 * @module
 */

/**
 * A part of a value: a string, a length, a double as text, the parts that a module wrote, or so many bytes.
 * A list of parts stands for a length and then that many times these parts.
 */
export type Part = "string" | "length" | "double" | "module" | number | readonly Part[];

/** A type of values. */
export interface ValueType {
  /** As `TYPE` says it, and the encoding. */
  readonly name: string;
  /** The version of the RDB in which servers began to write it: older servers do not read it. */
  readonly since: number;
  readonly parts: readonly Part[];
}

/** The newest RDB version that is understood: Redis 7.4 and 8. */
export const RDB_VERSION_MAX = 12;
/** Bytes of the end of a dump: the RDB version, and the checksum. */
export const DUMP_END_BYTES = 10;

/** Nodes of a stream; then its length, last id, and what `added` has. */
const STREAM_NODES: readonly Part[] = [["string", "string"], "length", "length", "length"];
/** Since Redis 7: the first id, the largest deleted one, and how many entries were ever added. */
const STREAM_ADDED: readonly Part[] = ["length", "length", "length", "length", "length"];
/** Entries that a group has delivered: id, time, count. */
const PENDING: Part = [16, 8, "length"];
const PENDING_IDS: Part = [16];

/** Types by their number in the RDB. */
export const VALUE_TYPES: ReadonlyMap<number, ValueType> = new Map(
  [
    [0, { name: "string", since: 1, parts: ["string"] }],
    [1, { name: "list", since: 1, parts: [["string"]] }],
    [2, { name: "set", since: 1, parts: [["string"]] }],
    [3, { name: "zset", since: 1, parts: [["string", "double"]] }],
    [4, { name: "hash", since: 1, parts: [["string", "string"]] }],
    [5, { name: "zset", since: 8, parts: [["string", 8]] }],
    [7, { name: "module value", since: 8, parts: ["length", "module"] }],
    [9, { name: "hash (zipmap)", since: 1, parts: ["string"] }],
    [10, { name: "list (ziplist)", since: 2, parts: ["string"] }],
    [11, { name: "set (intset)", since: 2, parts: ["string"] }],
    [12, { name: "zset (ziplist)", since: 2, parts: ["string"] }],
    [13, { name: "hash (ziplist)", since: 4, parts: ["string"] }],
    [14, { name: "list (quicklist)", since: 7, parts: [["string"]] }],
    [15, {
      name: "stream",
      since: 9,
      parts: [
        ...STREAM_NODES,
        ["string", "length", "length", PENDING, ["string", 8, PENDING_IDS]],
      ],
    }],
    [16, { name: "hash (listpack)", since: 10, parts: ["string"] }],
    [17, { name: "zset (listpack)", since: 10, parts: ["string"] }],
    [18, { name: "list (quicklist of listpacks)", since: 10, parts: [["length", "string"]] }],
    [19, {
      name: "stream of Redis 7",
      since: 10,
      parts: [
        ...STREAM_NODES,
        ...STREAM_ADDED,
        ["string", "length", "length", "length", PENDING, ["string", 8, PENDING_IDS]],
      ],
    }],
    [20, { name: "set (listpack)", since: 11, parts: ["string"] }],
    [21, {
      name: "stream of Redis 7.2",
      since: 11,
      parts: [
        ...STREAM_NODES,
        ...STREAM_ADDED,
        ["string", "length", "length", "length", PENDING, ["string", 16, PENDING_IDS]],
      ],
    }],
    [22, {
      name: "hash with fields that expire",
      since: 12,
      parts: [["length", "string", "string"]],
    }],
    [23, { name: "hash (listpack) with fields that expire", since: 12, parts: ["string"] }],
    [24, {
      name: "hash with fields that expire",
      since: 12,
      parts: [8, ["length", "string", "string"]],
    }],
    [25, { name: "hash (listpack) with fields that expire", since: 12, parts: [8, "string"] }],
  ] as const satisfies readonly (readonly [number, ValueType])[],
);
