/**
 * Makes a row of the command table of what Redis says about a command and of what is done with it.
 *
 * @module
 */

import type { Command, KeyPlaces, KeyRule, KeySpec, Origin } from "./command.ts";
import { CAUTIONS, type HandlingRow } from "./handling.ts";

/** A row as `table.json` holds it: the fields of Redis's COMMAND reply, word lists joined. */
export type TableRow = readonly [
  name: string,
  arity: number,
  flags: string,
  firstKey: number,
  lastKey: number,
  keyStep: number,
  categories: string,
  tips: string,
  keySpecs: readonly KeySpec[],
];

/** What a row is made of, besides what is done with the command. */
export interface RowSource {
  readonly id: number;
  readonly origin: Origin;
  readonly row: TableRow;
  /** The ids of its subcommands. */
  readonly subcommands: readonly number[];
}

/**
 * Builds a row.
 *
 * @param own What is done with it; by default, a command with keys is forwarded, another one refused.
 */
export function buildCommand(source: RowSource, own: HandlingRow | undefined): Command {
  const { id, origin, row, subcommands } = source;
  const [name, arity, flagText, firstKey, lastKey, keyStep, categories, tips, keySpecs] = row;
  const flags = words(flagText);
  const keyPlaces = keyPlacesOf(flags, firstKey, keySpecs);
  const byDefault = keyPlaces === "none" ? "refuse" : "forward";
  const handling = own?.handling ?? byDefault;
  const singleKey = keyPlaces === "static" && firstKey === lastKey ? firstKey : 0;
  const caution = origin === "learned" ? "" : CAUTIONS[name] ?? "";
  return {
    id,
    name,
    origin,
    arity: own?.arity ?? arity,
    flags,
    categories: words(categories),
    tips: words(tips),
    keySpecs,
    keyRules: keyPlaces === "movable" && !isIncomplete(keySpecs) ? keySpecs.map(keyRuleOf) : [],
    // COMMAND is a container that also answers by itself; the others only lead to their subcommands.
    isContainer: subcommands.length > 0,
    subcommands,
    isWrite: flags.includes("write"),
    isReadOnly: flags.includes("readonly"),
    isAllowedBeforeAuth: flags.includes("no_auth"),
    keyPlaces,
    singleKey,
    firstKey: keyPlaces === "static" ? firstKey : 0,
    lastKey: keyPlaces === "static" ? lastKey : 0,
    keyStep: keyPlaces === "static" ? keyStep : 0,
    channelIndex: name === "publish" || name === "spublish" ? 1 : 0,
    reportedArity: arity,
    reportedKeys: [firstKey, lastKey, keyStep],
    caution,
    handling,
    isPlain: handling === "forward" && singleKey > 0 && caution === "" &&
      own?.isBlocking !== true && own?.merge !== "key_scan" && subcommands.length === 0,
    merge: own?.merge ?? "",
    isDestructive: own?.isDestructive ?? false,
    isServerCommand: own?.isServerCommand ?? false,
    isClusterCommand: own?.isClusterCommand ?? false,
    closesSession: own?.closesSession ?? false,
    isBlocking: own?.isBlocking ?? false,
    blockingOption: own?.blockingOption ?? "",
    refusal: refusalOf(name, own?.reason ?? "", byDefault === "refuse" && own === undefined),
  };
}

function words(text: string): readonly string[] {
  return text === "" ? [] : text.split(" ");
}

function keyPlacesOf(
  flags: readonly string[],
  firstKey: number,
  keySpecs: readonly KeySpec[],
): KeyPlaces {
  // SPUBLISH and its like name a channel where others name a key.
  const hasKeys = keySpecs.some((spec) => !spec.flags.includes("not_key"));
  if (!hasKeys) return "none";
  return flags.includes("movablekeys") || firstKey === 0 ? "movable" : "static";
}

function refusalOf(name: string, reason: string, isUnlisted: boolean): string {
  if (reason === "" && !isUnlisted) return "";
  const because = reason === "" ? "a subcommand is needed" : reason;
  // Codis 3.2's form, with the reason after it.
  const shown = name.toUpperCase().replace("|", " ");
  return `ERR handle request, command '${shown}' is not allowed: ${because}`;
}

/** Whether a specification does not say where all keys are. */
export function isIncomplete(keySpecs: readonly KeySpec[]): boolean {
  return keySpecs.some((spec) =>
    spec.begin_search.type === "unknown" || spec.find_keys.type === "unknown" ||
    spec.flags.includes("incomplete") ||
    // Searched from the end, which only MIGRATE's is.
    (spec.begin_search.type === "keyword" && spec.begin_search.spec.startfrom < 1)
  );
}

function keyRuleOf({ begin_search: begin, find_keys: find }: KeySpec): KeyRule {
  if (begin.type === "unknown" || find.type === "unknown") throw new Error("unknown key places");
  const isKeyword = begin.type === "keyword";
  const isCounted = find.type === "keynum";
  return {
    keyword: new TextEncoder().encode(isKeyword ? begin.spec.keyword.toLowerCase() : ""),
    index: isKeyword ? begin.spec.startfrom : begin.spec.index,
    isCounted,
    countOffset: isCounted ? find.spec.keynumidx : 0,
    firstOffset: isCounted ? find.spec.firstkey : 0,
    lastOffset: isCounted ? 0 : find.spec.lastkey,
    step: find.spec.keystep,
    limit: isCounted ? 0 : find.spec.limit,
  };
}
