/**
 * What the masters measure, as one: MEMORY, LASTSAVE.
 *
 * @module
 */

import { type Encoder, utf8 } from "../../resp/encoder.ts";
import type { ReplyValue } from "../../resp/reply_value.ts";
import type { LocalAnswer } from "./local_call.ts";
import { answerOfAll, pairsOf, textOfAll } from "./masters.ts";

/** Answers by name. */
export const STATISTICS_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "lastsave": (call) =>
    answerOfAll(call, (values, out) => out.integer(Math.min(...values.map(Number)))),
  "memory|doctor": textOfAll,
  "memory|malloc-stats": textOfAll,
  "memory|stats": (call) => answerOfAll(call, memoryStats),
};

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

// -- MEMORY STATS -----------------------------------------------------------------------------

/** Numbers that are not added up: made from the sums. */
const MADE: Readonly<Record<string, (sum: (name: string) => number) => number>> = {
  "keys.bytes-per-key": (sum) =>
    Math.floor(ratio(sum("total.allocated") - sum("startup.allocated"), sum("keys.count"))),
  "dataset.percentage": (sum) =>
    100 * ratio(sum("dataset.bytes"), sum("total.allocated") - sum("startup.allocated")),
  "peak.percentage": (sum) => 100 * ratio(sum("total.allocated"), sum("peak.allocated")),
  "allocator-fragmentation.ratio": (sum) =>
    ratio(sum("allocator.active"), sum("allocator.allocated")),
  "allocator-rss.ratio": (sum) => ratio(sum("allocator.resident"), sum("allocator.active")),
  "rss-overhead.ratio": (sum) =>
    ratio(sum("allocator.resident") + sum("rss-overhead.bytes"), sum("allocator.resident")),
  "fragmentation": (sum) =>
    ratio(sum("total.allocated") + sum("fragmentation.bytes"), sum("total.allocated")),
};
/** The one of them that is an integer. */
const MADE_INTEGER = "keys.bytes-per-key";

function ratio(of: number, by: number): number {
  return by === 0 ? 0 : of / by;
}

function memoryStats(values: readonly ReplyValue[], out: Encoder): Encoder {
  const stats = values.map((value) => new Map(pairsOf(value)));
  const names = [...new Set(stats.flatMap((each) => [...each.keys()]))];
  const sum = (name: string) => sumOf(stats.map((each) => Number(each.get(name) ?? 0)));
  out.map(names.length);
  for (const name of names) {
    const made = MADE[name];
    const nested = stats.flatMap((each) => Array.isArray(each.get(name)) ? [each.get(name)!] : []);
    out.bulk(name);
    if (nested.length > 0) sumOfMaps(nested, out);
    else if (made === undefined) out.integer(sum(name));
    else if (name === MADE_INTEGER) out.integer(made(sum));
    else if (out.protocol === 3) out.raw(utf8(`,${made(sum)}\r\n`));
    else out.bulk(`${made(sum)}`);
  }
  return out;
}

function sumOfMaps(maps: readonly ReplyValue[], out: Encoder): void {
  const sums = new Map<string, number>();
  for (const [name, value] of maps.flatMap(pairsOf)) {
    sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  out.map(sums.size);
  for (const [name, value] of sums) out.bulk(name).integer(value);
}
