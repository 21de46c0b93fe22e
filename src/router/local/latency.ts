/**
 * LATENCY, from the proxy's own figures: how long requests of its clients took, and which stage of slow ones
 * took longest (`src/router/slow_log/stages.ts`).
 *
 * @module
 */

import { countUpTo, totalCount } from "../../base/histogram.ts";
import { Encoder, errorReply } from "../../resp/encoder.ts";
import type { LatencyEvent, LatencySample } from "../slow_log/latency_events.ts";
import { sumEvents } from "../slow_log/latency_events.ts";
import { type Stage, STAGE_NAMES, STAGES } from "../slow_log/stages.ts";
import type { StatsSnapshot } from "../stats_snapshot.ts";
import { takeSnapshot } from "../take_snapshot.ts";
import {
  answerWhen,
  argumentText,
  argumentWord,
  type LocalAnswer,
  type LocalCall,
} from "./local_call.ts";
import { answerFromLogs } from "./slow_log.ts";

/** Answers by name. */
export const LATENCY_COMMANDS: Readonly<Record<string, LocalAnswer>> = {
  "latency|histogram": histogram,
  "latency|latest": (call) => answerFromEvents(call, latest),
  "latency|history": (call) => {
    const name = argumentText(call.args, 2);
    return answerFromEvents(call, (events, out) => {
      const samples = events.find((event) => event.name === name)?.samples ?? [];
      out.array(samples.length);
      for (const [seconds, ms] of samples) out.array(2).integer(seconds).integer(Math.round(ms));
      return out;
    });
  },
  "latency|graph": graph,
  "latency|doctor": (call) => answerFromEvents(call, (events, out) => out.verbatim(report(events))),
  "latency|reset": reset,
};

function answerFromEvents(
  call: LocalCall,
  write: (events: readonly LatencyEvent[], out: Encoder) => Encoder,
): Uint8Array | null {
  const { protocol } = call.client;
  return answerFromLogs(call, {}, (readings) => {
    const events = sumEvents(readings.map((reading) => reading.events));
    return write(events, new Encoder(protocol)).done();
  });
}

/** `[event, time of the latest, its ms, the maximum]` for each event. */
function latest(events: readonly LatencyEvent[], out: Encoder): Encoder {
  out.array(events.length);
  for (const { name, maxMs, samples } of events) {
    const [seconds, ms] = samples.at(-1)!;
    out.array(4).bulk(name).integer(seconds).integer(Math.round(ms)).integer(Math.round(maxMs));
  }
  return out;
}

/** `LATENCY RESET [event …]`: how many there were of them. */
function reset(call: LocalCall): Uint8Array | null {
  const { args } = call;
  const names = Array.from({ length: args.count - 2 }, (_, i) => argumentText(args, i + 2));
  const resetEvents = names.length === 0 ? null : names;
  return answerFromLogs(call, { resetEvents }, (readings) => {
    const events = sumEvents(readings.map((reading) => reading.events));
    const count = events.filter(({ name }) => resetEvents?.includes(name) ?? true).length;
    return new Encoder(2).integer(count).done();
  });
}

// -- LATENCY HISTOGRAM --------------------------------------------------------------------------

/** Powers of two up to which the times of a command are counted, as exponents: a microsecond to two minutes. */
const EXPONENTS = Array.from({ length: 28 }, (_, k) => k);

/** `LATENCY HISTOGRAM [command …]`; a command stands for its subcommands, too. */
function histogram(call: LocalCall): Uint8Array | null {
  const { args, client } = call;
  const { shared, protocol } = client;
  const names = Array.from({ length: args.count - 2 }, (_, i) => argumentWord(args, i + 2));
  const reply = ({ commands }: StatsSnapshot) => {
    const isMeant = (name: string) =>
      names.length === 0 || names.some((each) => name === each || name.startsWith(`${each}|`));
    const called = commands.filter(({ name, calls }) => calls > 0 && isMeant(name));
    const out = new Encoder(protocol).map(called.length);
    for (const { name, times } of called) {
      const total = totalCount(times);
      const steps: [number, number][] = [];
      for (const k of EXPONENTS) {
        const count = k === EXPONENTS.length - 1 ? total : countUpTo(times, 2 ** k);
        if (count > (steps.at(-1)?.[1] ?? 0)) steps.push([2 ** k, count]);
      }
      out.bulk(name).map(2).bulk("calls").integer(total).bulk("histogram_usec").map(steps.length);
      for (const [usecs, count] of steps) out.integer(usecs).integer(count);
    }
    return out.done();
  };
  const { peers } = shared.worker;
  if (peers === null) return reply(takeSnapshot(shared));
  return answerWhen(call, (answer) => {
    peers.stats().then(
      (stats) => answer(reply(stats)),
      () => answer(reply(takeSnapshot(shared))),
    );
  });
}

// -- LATENCY DOCTOR -----------------------------------------------------------------------------

/** What was slow, and what to do. */
function report(events: readonly LatencyEvent[]): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const known = STAGE_NAMES.flatMap((stage) => {
    const event = events.find(({ name }) => name === stage);
    return event === undefined ? [] : [{ stage, event }];
  });
  if (known.length === 0) {
    return "No slow request has been seen by this proxy. What counts as slow: slowlog_slower_than.\n";
  }
  known.sort((a, b) => spent(b.event) - spent(a.event));
  const parts = known.map(({ stage, event }, i) => `${i + 1}. ${line(stage, event, nowSeconds)}`);
  return `Where the time of slow requests went at this proxy, the worst first:\n\n${
    parts.join("\n")
  }` +
    "\nSLOWLOG GET shows the requests; the page and GET /slowlog show their stages, too.\n";
}

/** The seconds' longest waits together. */
function spent({ samples }: LatencyEvent): number {
  return samples.reduce((sum, [, ms]) => sum + ms, 0);
}

function line(stage: Stage, event: LatencyEvent, nowSeconds: number): string {
  const { samples, maxMs } = event;
  const average = Math.round(spent(event) / samples.length);
  const ago = nowSeconds - samples.at(-1)![0];
  const { what, advice } = STAGES[stage];
  return `${stage}: ${what}.\n   In ${samples.length} different seconds, ${average} ms on average, ` +
    `${Math.round(maxMs)} ms at most, the last one ${ago} s ago.\n   ${advice}\n`;
}

// -- LATENCY GRAPH, as Redis's sparkline.c --------------------------------------------------------

const COLUMNS = 80;
const ROWS = 4;
const FILL = "_o#";

function graph(call: LocalCall): Uint8Array | null {
  const name = argumentText(call.args, 2);
  const { protocol } = call.client;
  return answerFromLogs(call, {}, (readings) => {
    const event = sumEvents(readings.map((reading) => reading.events))
      .find((each) => each.name === name);
    if (event === undefined) return errorReply(`ERR No samples available for event '${name}'`);
    const ms = event.samples.map(([, value]) => Math.round(value));
    const title = `${name} - high ${Math.max(...ms)} ms, low ${Math.min(...ms)} ms ` +
      `(all time high ${Math.round(event.maxMs)} ms)\n${"-".repeat(COLUMNS)}\n`;
    const blocks: string[] = [];
    for (let from = 0; from < ms.length; from += COLUMNS) {
      blocks.push(sparkline(event.samples.slice(from, from + COLUMNS), ms));
    }
    return new Encoder(protocol).verbatim(title + blocks.join("\n")).done();
  });
}

/** A bar for each sample, and below it how long ago it was, from top to bottom. */
function sparkline(samples: readonly LatencySample[], all: readonly number[]): string {
  const low = Math.min(...all);
  const range = Math.max(...all) - low || 1;
  const steps = FILL.length * ROWS;
  const heights = samples.map(([, ms]) =>
    Math.min(steps - 1, Math.floor((Math.round(ms) - low) * steps / range))
  );
  const rows = Array.from({ length: ROWS }, (_, row) =>
    heights.map((height) => {
      const at = height - (ROWS - row - 1) * FILL.length;
      return at < 0 ? " " : FILL[at] ?? "|";
    }).join(""));
  const nowSeconds = Math.floor(Date.now() / 1000);
  const labels = samples.map(([seconds]) => ageText(Math.max(0, nowSeconds - seconds)));
  const longest = Math.max(...labels.map(({ length }) => length));
  const below = Array.from(
    { length: longest },
    (_, i) => labels.map((label) => label[i] ?? " ").join(""),
  );
  return [...rows, " ".repeat(samples.length), ...below].map((row) => `${row}\n`).join("");
}

function ageText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
