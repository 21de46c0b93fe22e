/**
 * What LATENCY tells: for each event the longest wait of each second in which there was one.
 *
 *     slow request ─► its longest stage ─► event `server`, `write`, …
 *     event loop held up ────────────────► event `loop`
 *
 * @module
 */

/** Samples that are kept of an event, as Redis. */
const SAMPLES_MAX = 160;

/** The longest wait of one second: the second in Unix time, and milliseconds. */
export type LatencySample = readonly [seconds: number, ms: number];

/** One event, in plain values: what workers tell each other. */
export interface LatencyEvent {
  readonly name: string;
  /** The longest wait since it was last forgotten, in milliseconds. */
  readonly maxMs: number;
  /** Oldest first. */
  readonly samples: readonly LatencySample[];
}

/** The events of one router. */
export class LatencyEvents {
  readonly #events = new Map<string, { maxMs: number; samples: LatencySample[] }>();

  /** There was a wait of so long. */
  add(name: string, ms: number, nowMs = Date.now()): void {
    let event = this.#events.get(name);
    if (event === undefined) this.#events.set(name, event = { maxMs: 0, samples: [] });
    event.maxMs = Math.max(event.maxMs, ms);
    merge(event.samples, [Math.floor(nowMs / 1000), ms]);
  }

  /** All events. */
  read(): LatencyEvent[] {
    return [...this.#events].map(([name, { maxMs, samples }]) => ({
      name,
      maxMs,
      samples: [...samples],
    }));
  }

  /** Forgets these events, or all of them. */
  reset(names: readonly string[] | null): void {
    if (names === null) this.#events.clear();
    else for (const name of names) this.#events.delete(name);
  }
}

/** Adds a sample to those of an event, one for each second. */
function merge(samples: LatencySample[], sample: LatencySample): void {
  const last = samples.at(-1);
  if (last?.[0] === sample[0]) {
    samples[samples.length - 1] = [sample[0], Math.max(last[1], sample[1])];
  } else samples.push(sample);
  if (samples.length > SAMPLES_MAX) samples.shift();
}

/** The events of several routers as those of one. */
export function sumEvents(all: readonly (readonly LatencyEvent[])[]): LatencyEvent[] {
  const byName = Map.groupBy(all.flat(), ({ name }) => name);
  return [...byName].map(([name, events]) => {
    const samples: LatencySample[] = [];
    const inOrder = events.flatMap((event) => event.samples).sort((a, b) => a[0] - b[0]);
    for (const sample of inOrder) merge(samples, sample);
    return { name, maxMs: Math.max(...events.map(({ maxMs }) => maxMs)), samples };
  });
}
