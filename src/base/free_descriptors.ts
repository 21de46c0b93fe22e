/**
 * How many descriptors the process can still open. The system's figures are below `/proc`, which only
 * programs may read that are allowed everything: so it is tried.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import { delay } from "@std/async/delay";

/** Most descriptors that are counted. */
export const COUNTED_MAX = 100_000;
/** How many more are known after a step of a count that lets others go on: faster than clients connect. */
const STEP = 500;
/** How many are left to others between two steps. */
const LEFT = 250;

/** Counts the descriptors that can be opened now, by opening them; stops at `most`. */
export function countFreeDescriptors(most: number): number {
  const opened: number[] = [];
  try {
    return openMore(opened, most) ? most : opened.length; // above what is counted nothing is doubted
  } finally {
    closeLast(opened, 0);
  }
}

/**
 * As {@linkcode countFreeDescriptors}, in steps between which the process goes on.
 *
 * @param found Called after each step that was not the last, with how many can be opened at least; awaited.
 */
export async function countFreeInSteps(
  most: number,
  found: (free: number) => Promise<void>,
): Promise<number> {
  const opened: number[] = [];
  try {
    for (let known = 0;; known = opened.length) {
      const next = Math.min(most, COUNTED_MAX, known + STEP + LEFT);
      if (!openMore(opened, next)) return opened.length;
      if (next === Math.min(most, COUNTED_MAX)) return most;
      closeLast(opened, next - LEFT);
      await found(opened.length);
      await delay(0);
    }
  } finally {
    closeLast(opened, 0);
  }
}

/**
 * Ends a start that leaves too few: the process would look like one that runs, and hang.
 *
 * @param free How many can be opened.
 * @param least How many it takes at least.
 * @param whatFor What takes them, with its verb, for the message.
 * @param advice What else helps than a higher limit, for the message; `""`: nothing.
 * @throws {Error} When they are too few.
 */
export function checkDescriptors(free: number, least: number, whatFor: string, advice = ""): void {
  if (free >= least) return;
  throw new Error(
    `Too many open files: the start leaves ${free} that can be opened, and ${whatFor} ${least} at least` +
      (advice === "" ? "" : `; ${advice}`),
  );
}

let limitMeetings = 0;

/**
 * How often counting has met the limit: what another thread opened in that moment, less than a millisecond, has
 * failed for no lasting reason.
 */
export function countedToTheLimit(): number {
  return limitMeetings;
}

/** Opens until there are `most`; false when no more can be opened. */
function openMore(opened: number[], most: number): boolean {
  try {
    // Most of the time goes into the first pass 256, 512, … 16 384: the system then moves its table.
    while (opened.length < Math.min(most, COUNTED_MAX)) opened.push(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    if (!isOutOfDescriptors(error)) return true;
    limitMeetings++;
    return false;
  }
}

function closeLast(opened: number[], kept: number): void {
  for (const file of opened.splice(kept)) closeSync(file);
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
