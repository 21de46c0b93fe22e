/**
 * What the masters measure, as one: LATENCY, SLOWLOG, MEMORY, and their like.
 *
 * @module
 */

import { type Encoder, errorReply, utf8 } from "../../resp/encoder.ts";
import { fieldOf, type ReplyValue } from "../../resp/reply_value.ts";
import { wrongSubcommandForm } from "../errors.ts";
import { argumentText, integerOf, type LocalAnswer, type LocalCall } from "./local_call.ts";
import { answerOfAll, encodeValue, itemsOf, orderToAll, pairsOf, textOfAll } from "./masters.ts";

/** Entries of SLOWLOG GET without a number. */
const SLOW_SHOWN = 10;
/** Added to the ids of the second master's entries, twice to the third's: ids stay unique. */
const SLOW_ID_STEP = 1e12;
/** Samples of an event that Redis keeps. */
const HISTORY_MAX = 160;

/** Answers by name. */
export const STATISTICS_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "lastsave": (call) =>
    answerOfAll(call, (values, out) => out.integer(Math.min(...values.map(Number)))),
  "latency|latest": (call) => answerOfAll(call, latest),
  "latency|history": (call) => answerOfAll(call, history),
  "latency|histogram": (call) => answerOfAll(call, histograms),
  "latency|doctor": textOfAll,
  "latency|graph": textOfAll,
  "memory|doctor": textOfAll,
  "memory|malloc-stats": textOfAll,
  "memory|stats": (call) => answerOfAll(call, memoryStats),
  "slowlog|get": slowLog,
  "slowlog|len": (call) =>
    answerOfAll(call, (values, out) => out.integer(sumOf(values.map(Number)))),
  "slowlog|reset": orderToAll,
};

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** `[event, time of the latest, its ms, all-time maximum]` for each event. */
function latest(values: readonly ReplyValue[], out: Encoder): Encoder {
  const events = new Map<string, number[]>();
  for (const each of values.flatMap(itemsOf)) {
    const [event, ...numbers] = itemsOf(each);
    const [seconds = 0, ms = 0, most = 0] = numbers.map(Number);
    const known = events.get(`${event}`);
    const isLater = known === undefined || seconds > known[0]!;
    const own = isLater ? [seconds, ms] : [known[0]!, known[1]!];
    events.set(`${event}`, [...own, Math.max(most, known?.[2] ?? 0)]);
  }
  return encodeValue(out, [...events].map(([event, numbers]) => [event, ...numbers]));
}

/** `[time, ms]` for each sample of an event, in order of time. */
function history(values: readonly ReplyValue[], out: Encoder): Encoder {
  const samples = values.flatMap(itemsOf)
    .sort((a, b) => Number(itemsOf(a)[0]) - Number(itemsOf(b)[0]));
  return encodeValue(out, samples.slice(-HISTORY_MAX));
}

/** For each command how often it ran, and how often in at most so many microseconds. */
function histograms(values: readonly ReplyValue[], out: Encoder): Encoder {
  const commands = new Map<string, ReplyValue[]>();
  for (const [name, histogram] of values.flatMap(pairsOf)) {
    commands.set(name, [...commands.get(name) ?? [], histogram]);
  }
  out.map(commands.size);
  for (const [name, parts] of commands) {
    const curves = parts.map((part) =>
      pairsOf(fieldOf(part, "histogram_usec")).map((
        [limit, count],
      ) => [Number(limit), Number(count)])
    );
    const limits = [...new Set(curves.flat().map(([limit]) => limit!))].sort((a, b) => a - b);
    out.bulk(name).map(2);
    out.bulk("calls").integer(sumOf(parts.map((part) => Number(fieldOf(part, "calls")))));
    out.bulk("histogram_usec").map(limits.length);
    for (const limit of limits) {
      // Counts are of all calls up to the limit.
      const counts = curves.map((curve) => curve.findLast(([own]) => own! <= limit)?.[1] ?? 0);
      out.integer(limit).integer(sumOf(counts));
    }
  }
  return out;
}

/** `SLOWLOG GET [count]`: the latest of all masters. */
function slowLog(call: LocalCall): Uint8Array | null {
  const { args } = call;
  if (args.count > 3) return errorReply(wrongSubcommandForm("slowlog", args));
  let count = SLOW_SHOWN;
  if (args.count === 3) {
    const value = integerOf(argumentText(args, 2));
    if (value === null || value < -1n) {
      return errorReply("ERR count should be greater than or equal to -1");
    }
    count = value === -1n ? Infinity : Number(value);
  }
  return answerOfAll(call, (values, out) => {
    const entries = values.flatMap((value, i) =>
      itemsOf(value).map((entry) => {
        const [id, ...rest] = itemsOf(entry);
        return [Number(id) + i * SLOW_ID_STEP, ...rest];
      })
    );
    entries.sort((a, b) => Number(b[1]) - Number(a[1]));
    return encodeValue(out, entries.slice(0, count));
  });
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
