/**
 * Waiting in tests: for something to happen, and never for ever.
 *
 * @module
 */

import { delay } from "@std/async/delay";

/** Longest wait that a test allows, far above what is ever needed. */
export const PATIENCE_MS = 20_000;

/** What `promise` resolves to; rejects when that takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, ms = PATIENCE_MS, what = "it"): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first value of a watch or other iterator that `isWanted`; rejects after `ms`. */
export function firstOf<T>(
  values: AsyncIterableIterator<T>,
  isWanted: (value: T) => boolean,
  ms = PATIENCE_MS,
): Promise<T> {
  const search = async () => {
    for (;;) {
      const { value, done } = await values.next();
      if (done) throw new Error("the values ended before the wanted one");
      if (isWanted(value)) return value;
    }
  };
  return within(search(), ms, "the wanted value");
}

/** Shortest and longest time between two questions of {@linkcode until}, in milliseconds. */
const PAUSE_MS = { least: 10, most: 100 };

/**
 * Asks again and again until the answer is true; rejects after `ms`. It waits twice as long as the answer took: what
 * is waited for needs the machine, too.
 */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  ms = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + ms;
  for (let askedMs = performance.now(); !await isTrue(); askedMs = performance.now()) {
    const nowMs = performance.now();
    if (nowMs > deadline) throw new Error(`it did not become true within ${ms} ms`);
    await delay(Math.min(Math.max(2 * (nowMs - askedMs), PAUSE_MS.least), PAUSE_MS.most));
  }
}

/** Keeps this whole process from doing anything, a proxy in it included. */
export function holdUp(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}
