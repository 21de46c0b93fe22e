/**
 * One row of the command table: what Redis says about a command and what the proxy does with it.
 *
 * @module
 */

/**
 * What the proxy does with a command.
 *
 * - `forward`: sends it to the server of its keys, which must share a slot; without keys, to any
 *   server.
 * - `split`: groups its keys by server, sends a part to each, merges the replies.
 * - `local`: answers it itself.
 * - `fanout`: sends it to every master, merges the replies.
 * - `transaction`: opens, ends or guards a transaction of the client.
 * - `refuse`: answers with the row's `refusal`.
 */
export type Handling = "forward" | "split" | "local" | "fanout" | "transaction" | "refuse";

/**
 * How the replies of a `split` or `fanout` command become one; Redis's own response_policy words
 * where it has one. Empty for the other handlings.
 *
 * - `all_succeeded`: the first reply when none is an error, else that error.
 * - `one_succeeded`: the first reply that is not an error, else the most useful error. Each server gets the
 *   command over a separate connection, so that it does not wait behind other requests.
 * - `agg_sum`: integers, added.
 * - `agg_min`, `agg_max`: the least integer, the greatest.
 * - `agg_logical_and`, `agg_logical_or`: 0 and 1, combined; in arrays, place by place.
 * - `concat`: arrays, joined (split: in the order of the keys).
 * - `union`: arrays, joined, each element once.
 * - `pairs_max`: arrays of names and integers, the largest for each name.
 * - `scan`: one server at a time; the cursor says which.
 * - `one_master`: of the only master that is asked, which the request names.
 * - `random_key`: the first reply that is not null, servers tried in random order.
 * - `key_scan`: of the key's server alone; the cursor says which it was.
 */
export type MergeRule =
  | ""
  | "all_succeeded"
  | "one_succeeded"
  | "agg_sum"
  | "agg_min"
  | "agg_max"
  | "agg_logical_and"
  | "agg_logical_or"
  | "concat"
  | "pairs_max"
  | "union"
  | "scan"
  | "one_master"
  | "random_key"
  | "key_scan";

/**
 * What a command may do that its keys do not show.
 *
 * - `script`, `function`: it runs code; without keys, only code that touches none.
 * - `sort`: its patterns name more keys.
 */
export type Caution = "" | "script" | "function" | "sort";

/**
 * Where a row comes from: Redis 7.0.15, a later Redis, codis-server, this proxy, an HTTP request line, or the
 * servers themselves, which were asked for what they know.
 */
export type Origin = "redis" | "redis_later" | "codis" | "proxy" | "http" | "learned";

/**
 * Where a command's keys are.
 *
 * - `none`: it has no keys.
 * - `static`: at fixed argument indexes (`firstKey`, `lastKey`, `keyStep`).
 * - `movable`: the arguments decide; `keySpecs` say how.
 */
export type KeyPlaces = "none" | "static" | "movable";

/** A key specification in the words and shape of Redis's COMMAND reply. */
export interface KeySpec {
  readonly notes?: string;
  readonly flags: readonly string[];
  readonly begin_search:
    | { readonly type: "index"; readonly spec: { readonly index: number } }
    | {
      readonly type: "keyword";
      readonly spec: { readonly keyword: string; readonly startfrom: number };
    }
    | { readonly type: "unknown"; readonly spec: Readonly<Record<string, never>> };
  readonly find_keys:
    | {
      readonly type: "range";
      readonly spec: {
        readonly lastkey: number;
        readonly keystep: number;
        readonly limit: number;
      };
    }
    | {
      readonly type: "keynum";
      readonly spec: {
        readonly keynumidx: number;
        readonly firstkey: number;
        readonly keystep: number;
      };
    }
    | { readonly type: "unknown"; readonly spec: Readonly<Record<string, never>> };
}

/** A prepared key specification: numbers, and the bytes of the keyword. */
export interface KeyRule {
  /** The word the keys follow, in lower case; empty when they begin at a fixed index. */
  readonly keyword: Uint8Array;
  /** Where the keys begin, or where the search for the keyword does. */
  readonly index: number;
  /** Whether an argument holds the number of keys. */
  readonly isCounted: boolean;
  /** Where the count is, from `index`; only when counted. */
  readonly countOffset: number;
  /** Where the first key is, from `index`. */
  readonly firstOffset: number;
  /** The last key from the first one; negative: from the end of the arguments. */
  readonly lastOffset: number;
  readonly step: number;
  /** With a last key from the end: only the first 1/limit of the arguments are keys; 0: all. */
  readonly limit: number;
}

/** One command or subcommand. Every row has every field, so that all rows have one shape. */
export interface Command {
  /** An index for counters: the row's place in `COMMANDS`, or a number after those for a learned row. */
  readonly id: number;
  /** Lower-case name; a subcommand's is `container|word`. */
  readonly name: string;
  readonly origin: Origin;
  /** The exact argument count, name included; negative: at least that many. */
  readonly arity: number;
  readonly flags: readonly string[];
  /** ACL categories, with their `@`. */
  readonly categories: readonly string[];
  readonly tips: readonly string[];
  readonly keySpecs: readonly KeySpec[];
  /** The specifications of movable keys, prepared; empty where one of them does not say enough. */
  readonly keyRules: readonly KeyRule[];
  /** Whether the command needs a subcommand; its row is found only when the subcommand is wrong. */
  readonly isContainer: boolean;
  /** The ids of a container's subcommands. */
  readonly subcommands: readonly number[];

  /** Whether it may change data. */
  readonly isWrite: boolean;
  /** Whether it only reads data. */
  readonly isReadOnly: boolean;
  /** Whether it is allowed before AUTH. */
  readonly isAllowedBeforeAuth: boolean;

  readonly keyPlaces: KeyPlaces;
  /** The argument index of the only key when it is static and single (GET: 1), else 0. */
  readonly singleKey: number;
  /** Argument index of the first static key, 0 when there is none. */
  readonly firstKey: number;
  /** Argument index of the last static key; negative counts from the end, -1 is the last. */
  readonly lastKey: number;
  /** Arguments from one static key to the next; 0 when there is none. */
  readonly keyStep: number;

  /** The argument index of the channel whose slot says where to publish, else 0. */
  readonly channelIndex: number;

  /** The arity as COMMAND INFO reports it, also for a command that takes more arguments here. */
  readonly reportedArity: number;

  /** First key, last key and step as COMMAND INFO reports them, also for movable keys. */
  readonly reportedKeys: readonly [firstKey: number, lastKey: number, keyStep: number];

  /** What its arguments are looked at for before it is let through; mostly nothing. */
  readonly caution: Caution;
  readonly handling: Handling;
  /** Whether it just goes to the server of its single key: the number of arguments is all that can be wrong. */
  readonly isPlain: boolean;
  readonly merge: MergeRule;
  /** Whether `destructive_commands = off` refuses it. */
  readonly isDestructive: boolean;
  /** Whether it needs `server_commands = on`: it changes every server, not keys. */
  readonly isServerCommand: boolean;
  /** Whether it needs `cluster_mode = on`: else it is refused in the words of a redis-server in no cluster. */
  readonly isClusterCommand: boolean;
  /** Whether the session is closed after the refusal. */
  readonly closesSession: boolean;
  /** Whether it may wait at a server, for which it needs a connection of the client's own. */
  readonly isBlocking: boolean;
  /** The option, in upper case, without which it does not block; empty when it always does. */
  readonly blockingOption: string;
  /** The error text of a `refuse` row, without `-` and line end; else empty. */
  readonly refusal: string;
}

/**
 * Whether a command accepts this number of arguments.
 *
 * @param count The number of arguments, the name included.
 */
export function arityMatches(command: Command, count: number): boolean {
  const arity = command.arity;
  return arity >= 0 ? count === arity : count >= -arity;
}
