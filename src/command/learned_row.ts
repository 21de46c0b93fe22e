/**
 * What is done with a command that only the servers know: decided by what they say of it, or by what an
 * operator has allowed.
 *
 *      answered by the proxy itself ──► WAITAOF
 *      state of a connection ─────────► refused
 *      allowed by an operator ────────► as the operator says
 *      administration, no scripts ────► refused, an operator may allow it
 *      keys ──────────────────────────► forwarded by them, or split; over a link when it blocks
 *      request_policy ────────────────► every master
 *      neither ───────────────────────► refused, an operator may allow it
 *
 * @module
 */

import type { HandlingRow } from "./handling.ts";
import type { KeySpec, MergeRule } from "./command.ts";
import { isIncomplete, type TableRow } from "./command_row.ts";

/**
 * How an operator lets a command through: by the key at an argument, which may block or not, to any server,
 * or to every master.
 */
export type AllowedWay = { readonly key: number; readonly blocks: boolean } | "any" | "all";

/** Reads `key=N`, `block=N`, `any` or `all`; null for anything else. */
export function readAllowedWay(text: string): AllowedWay | null {
  if (text === "any" || text === "all") return text;
  const [, kind, index] = /^(key|block)=([1-9]\d{0,3})$/.exec(text) ?? [];
  return index === undefined ? null : { key: Number(index), blocks: kind === "block" };
}

/** Writes what {@linkcode readAllowedWay} reads. */
export function printAllowedWay(way: AllowedWay): string {
  if (typeof way === "string") return way;
  return `${way.blocks ? "block" : "key"}=${way.key}`;
}

/** Replies of several servers that can be made one, by Redis's response policies. */
const MERGED: readonly string[] = [
  "one_succeeded",
  "all_succeeded",
  "agg_sum",
  "agg_min",
  "agg_max",
  "agg_logical_and",
  "agg_logical_or",
] satisfies MergeRule[];

/** One key, or a list that ends at `last`. */
function keysAt(index: number, last: number, step: number): KeySpec {
  return {
    flags: [],
    begin_search: { type: "index", spec: { index } },
    find_keys: { type: "range", spec: { lastkey: last, keystep: step, limit: 0 } },
  };
}

/** A number of keys, and then these. */
function countedKeysAt(index: number): KeySpec {
  return {
    flags: [],
    begin_search: { type: "index", spec: { index } },
    find_keys: { type: "keynum", spec: { keynumidx: 0, firstkey: 1, keystep: 1 } },
  };
}

/** Commands of well-known modules that say less than all of where their keys are. */
const KEYS_OF: Readonly<Record<string, readonly KeySpec[]>> = {
  "json.mget": [keysAt(1, -2, 1)],
  "json.mset": [keysAt(1, -3, 3)],
  "cms.merge": [keysAt(1, 0, 1), countedKeysAt(2)],
  "tdigest.merge": [keysAt(1, 0, 1), countedKeysAt(2)],
};

/** Commands that are sent like this unless an operator says otherwise. */
const WAYS: Readonly<Record<string, AllowedWay>> = {
  "script|show": "any", // every server has every script
};

/** Commands that the proxy answers itself, wherever all servers know them. */
const OWN: ReadonlySet<string> = new Set(["waitaof"]);

/** Containers whose subcommands are never forwarded, and why. */
const CONTAINERS: Readonly<Record<string, string>> = {
  client: "it changes the state of a connection that all clients share",
  cluster: "Redis Cluster is not what this proxy speaks, its 1024 slots are those of Codis",
};

/** What is done with a learned command, and its row, which an operator's word may change. */
export interface LearnedHandling {
  readonly row: TableRow;
  readonly own: HandlingRow;
}

/**
 * Decides what is done with a command.
 *
 * @param row What the servers say of it.
 * @param way What an operator has allowed; undefined for nothing.
 */
export function handleLearned(row: TableRow, way: AllowedWay | undefined): LearnedHandling {
  const specs = KEYS_OF[row[0]];
  const decided = decide(specs === undefined ? row : withKeys(row, specs), way ?? WAYS[row[0]]);
  return { ...decided, row: withItsKey(decided.row) };
}

function withKeys(row: TableRow, specs: readonly KeySpec[]): TableRow {
  const [name, arity, flags, , , , categories, tips] = row;
  const plain = flags.split(" ").filter((flag) => flag !== "movablekeys").join(" ");
  // Found by the specifications alone.
  return [name, arity, `${plain} movablekeys`, 0, 0, 0, categories, tips, specs];
}

/** Modules often say that a command takes any number of arguments; its first key must be there. */
function withItsKey(row: TableRow): TableRow {
  const [name, arity, flags, firstKey, ...rest] = row;
  const isMissing = Math.abs(arity) <= firstKey;
  return isMissing ? [name, -(firstKey + 1), flags, firstKey, ...rest] : row;
}

function decide(row: TableRow, way: AllowedWay | undefined): LearnedHandling {
  const [name, , flagText, , , , categories, tipText] = row;
  if (OWN.has(name)) return { row, own: handling("local", "") };
  const flags = flagText.split(" ");
  const never = neverReason(name, flags, categories.split(" "));
  if (never !== "") return { row, own: refused(never) };
  const response = policyOf(tipText, "response_policy");
  if (flags.includes("blocking") && typeof way === "string") {
    return { row, own: refused("it would hold up the connection that all clients share") };
  }
  if (way !== undefined) return allowedWay(row, way, response);
  const reason = unlessAllowedReason(name, flags, categories.split(" "));
  if (reason !== "") return { row, own: refused(`${reason}; ${howToAllow(name)}`) };
  const request = policyOf(tipText, "request_policy");
  if (flags.includes("blocking") && !hasKeys(row)) {
    return { row, own: refused("it would hold up the connection that all clients share") };
  }
  if (hasKeys(row)) return { row, own: keyed(row, request, response) };
  if (request !== "all_shards" && request !== "all_nodes") {
    return {
      row,
      own: refused(`it names no keys, nor which servers it is for; ${howToAllow(name)}`),
    };
  }
  const merge = response === "" ? "concat" : mergeOf(response);
  return {
    row,
    own: merge === ""
      ? refused(`the replies of several servers cannot be made one; ${howToAllow(name)}`)
      : handling("fanout", merge),
  };
}

/** Why a command is refused whatever an operator says; empty when it is not. */
function neverReason(
  name: string,
  flags: readonly string[],
  categories: readonly string[],
): string {
  const container = CONTAINERS[name.split("|")[0]!];
  if (container !== undefined) return container;
  if (categories.includes("@connection") || categories.includes("@transaction")) {
    return CONTAINERS.client!;
  }
  if (flags.includes("pubsub") || categories.includes("@pubsub")) {
    return "messages need a server connection of their own";
  }
  return "";
}

/** Why a command is refused as long as no operator allows it; empty when it is not. */
function unlessAllowedReason(
  name: string,
  flags: readonly string[],
  categories: readonly string[],
): string {
  const isAdmin = flags.includes("admin") || categories.includes("@admin") ||
    categories.includes("@dangerous");
  if (isAdmin) return "it concerns one server, or may do harm";
  if (flags.includes("noscript")) return "it may change the state of a connection";
  if (name.startsWith("ft.") || categories.includes("@search")) {
    return "an index knows only the keys of its own server";
  }
  return "";
}

/** What is said of a command that an operator may allow. */
function howToAllow(name: string): string {
  const shown = name.toUpperCase().replace("|", " ");
  return `'config command allow "${shown}" key=N | block=N | any | all' says how to send it`;
}

function policyOf(tips: string, policy: string): string {
  const tip = tips.split(" ").find((word) => word.startsWith(`${policy}:`));
  return tip === undefined ? "" : tip.slice(policy.length + 1);
}

function mergeOf(policy: string): MergeRule {
  return MERGED.includes(policy) ? policy as MergeRule : "";
}

function hasKeys([, , flags, , , , , , keySpecs]: TableRow): boolean {
  return flags.includes("movablekeys") ||
    keySpecs.some((spec) => !spec.flags.includes("not_key"));
}

/** A module that finds its keys itself says where the first ones are, and perhaps not all. */
function isFoundByModule([, , flags, , , , , , keySpecs]: TableRow): boolean {
  const isPlain = keySpecs.every((spec) =>
    spec.begin_search.type === "index" && spec.find_keys.type === "range"
  );
  return isPlain && flags.split(" ").includes("movablekeys");
}

/** Some modules count a subcommand's arguments from its own name: then the name is where a key should be. */
function takesWordForKey([name, , , , , , , , keySpecs]: TableRow): boolean {
  return name.includes("|") &&
    keySpecs.some(({ begin_search: begin }) => begin.type === "index" && begin.spec.index < 2);
}

function keyed(row: TableRow, request: string, response: string): HandlingRow {
  const [name, , flags, firstKey, lastKey, , , , keySpecs] = row;
  const isKnown = name in KEYS_OF;
  if (!isKnown && (isIncomplete(keySpecs) || isFoundByModule(row) || takesWordForKey(row))) {
    return refused(`its servers do not say where all its keys are; ${howToAllow(name)}`);
  }
  if (flags.split(" ").includes("blocking")) return blocking();
  const isWholeList = firstKey === 1 && lastKey === -1 && !flags.includes("movablekeys");
  const merge = response === "" ? "concat" : mergeOf(response);
  if (request === "multi_shard" && isWholeList && merge !== "") return handling("split", merge);
  return handling("forward", "");
}

function allowedWay(row: TableRow, way: AllowedWay, response: string): LearnedHandling {
  const [name, arity, flags, , , , categories, tips] = row;
  const plain = flags.split(" ").filter((flag) => flag !== "movablekeys").join(" ");
  if (way === "all") {
    return {
      row: [name, arity, plain, 0, 0, 0, categories, tips, []],
      own: handling("fanout", mergeOf(response) || "all_succeeded"),
    };
  }
  if (way === "any") {
    return {
      row: [name, arity, plain, 0, 0, 0, categories, tips, []],
      own: handling("forward", ""),
    };
  }
  return {
    row: [name, arity, plain, way.key, way.key, 1, categories, tips, [keysAt(way.key, 0, 1)]],
    own: way.blocks || plain.split(" ").includes("blocking") ? blocking() : handling("forward", ""),
  };
}

/** Over a connection of its client's own. */
function blocking(): HandlingRow {
  return { ...handling("forward", ""), isBlocking: true };
}

function handling(kind: "forward" | "split" | "fanout" | "local", merge: MergeRule): HandlingRow {
  return {
    handling: kind,
    merge,
    isDestructive: false,
    isServerCommand: false,
    isClusterCommand: false,
    closesSession: false,
    isBlocking: false,
    blockingOption: "",
    reason: "",
  };
}

/** A command that is refused for this reason. */
export function refused(reason: string): HandlingRow {
  return {
    handling: "refuse",
    merge: "",
    isDestructive: false,
    isServerCommand: false,
    isClusterCommand: false,
    closesSession: false,
    isBlocking: false,
    blockingOption: "",
    reason,
  };
}
