/**
 * How many descriptors the process can still open. The system's figures are below `/proc`, which only
 * programs may read that are allowed everything: so it is tried.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";

/** Most descriptors that are counted. */
const COUNTED_MAX = 100_000;

/** Counts the descriptors that can be opened now, by opening them; stops at `most`. */
export function countFreeDescriptors(most: number): number {
  const opened: number[] = [];
  try {
    // Most of the time goes into the first pass 256, 512, … 16 384: the system then moves its table.
    while (opened.length < Math.min(most, COUNTED_MAX)) opened.push(openSync("/dev/null", "r"));
    return most; // above what is counted nothing is doubted
  } catch (error) {
    return isOutOfDescriptors(error) ? opened.length : most;
  } finally {
    for (const file of opened) closeSync(file);
  }
}

/** What takes one descriptor. */
export interface Reserve {
  close(): void;
}

/** Opens what takes one descriptor; `undefined` when there is none left. */
export function openReserve(): Reserve | undefined {
  try {
    return Deno.openSync("/dev/null");
  } catch {
    return undefined;
  }
}

/** Whether a call failed because the process, or the system, may open nothing more. */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EMFILE" || code === "ENFILE";
}
