/**
 * How much chance tests take, and how to take the same chance again.
 *
 * A failing property prints its seed; `FUZZ_SEED=n` runs with that seed again. `FUZZ_SCALE=n` runs n
 * times as many cases as the suite does, `FUZZ_CASES=n` just so many in each fuzzer.
 *
 * @module
 */

import type fc from "fast-check";

function numberFrom(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`${name} must be a number, not "${text}"`);
  return value;
}

/** How many times more than the suite does a test is to do. */
export const FUZZ_SCALE = numberFrom("FUZZ_SCALE") ?? 1;

/** The seed of this run; given by FUZZ_SEED or new. */
export const FUZZ_SEED = numberFrom("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31);

/** How many cases a fuzzer tries: FUZZ_CASES, or so many times what the suite does. */
export function fuzzCases(cases: number): number {
  return numberFrom("FUZZ_CASES") ?? Math.ceil(cases * FUZZ_SCALE);
}

/** What `fc.assert` is told: `runs` cases in the suite, this run's seed, an end in time. */
export function fuzzParameters(runs: number): fc.Parameters<unknown> {
  return { numRuns: Math.ceil(runs * FUZZ_SCALE), seed: FUZZ_SEED };
}

/** A small generator of chance (mulberry32): the same seed gives the same numbers, 0 to 1. */
export function chance(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
