/**
 * A program that holds one session with a coordinator and does what its standard input says; run by
 * coordinator_process.ts.
 *
 * @module
 */

import { parseConfig } from "../../src/config/load.ts";
import type { Coordinator } from "../../src/coordinator/coordinator.ts";
import { BadVersionError } from "../../src/coordinator/errors.ts";
import { openCoordinator } from "../../src/coordinator/open.ts";

/** Calls that are more than one call of a coordinator. */
const EXTRA_CALLS: Readonly<
  Record<string, (coordinator: Coordinator, ...args: never[]) => Promise<unknown>>
> = { increment, incrementLocked, writeUpTo, createTogether };

/** Adds 1 to a number, `times` times, by compare-and-set. */
async function increment(coordinator: Coordinator, path: string, times: number): Promise<void> {
  for (let done = 0; done < times;) {
    const { data, version } = await coordinator.read(path);
    try {
      await coordinator.write(path, `${Number(data) + 1}`, version);
      done++;
    } catch (error) {
      if (!(error instanceof BadVersionError)) throw error;
    }
  }
}

/** Adds 1 to a number, `times` times, under a lock and without looking at versions. */
async function incrementLocked(
  coordinator: Coordinator,
  path: string,
  times: number,
): Promise<void> {
  for (let done = 0; done < times; done++) {
    const lock = await coordinator.lock("/increment-lock", { data: "", waitMs: 20_000 });
    const { data } = await coordinator.read(path);
    await coordinator.write(path, `${Number(data) + 1}`);
    await lock.release();
  }
}

/** Writes 1, 2 … `last` into an entry. */
async function writeUpTo(coordinator: Coordinator, path: string, last: number): Promise<void> {
  for (let value = 1; value <= last; value++) await coordinator.write(path, `${value}`);
}

/**
 * Makes entries below `path`, all at once, while it lists them, until one fails.
 *
 * @returns The names of those that were made.
 */
async function createTogether(
  coordinator: Coordinator,
  path: string,
  data: string,
): Promise<string[]> {
  const made: string[] = [];
  for (let failed = 0, round = 0; failed === 0; round++) {
    let isBusy = true;
    const creating = Array.from({ length: 60 }, async (_, i) => {
      const name = `${round}-${i}`;
      try {
        await coordinator.create(`${path}/${name}`, data.slice(i));
        made.push(name);
      } catch {
        failed++;
      }
    });
    const all = Promise.all(creating).then(() => isBusy = false);
    while (isBusy) {
      await coordinator.children(path);
      await new Promise((resolve) => setTimeout(resolve));
    }
    await all;
  }
  return made;
}

async function* readLines(): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

async function answer(coordinator: Coordinator, line: string): Promise<unknown> {
  const { call, args } = JSON.parse(line);
  const extra = EXTRA_CALLS[call];
  try {
    if (extra !== undefined) return { value: await extra(coordinator, ...args as never[]) };
    const method = coordinator[call as "read"] as (...args: unknown[]) => Promise<unknown>;
    return { value: await method.apply(coordinator, args) };
  } catch (error) {
    return { error: (error as Error).name, message: (error as Error).message };
  }
}

if (import.meta.main) {
  const coordinator = await openCoordinator(parseConfig(Deno.args[0]!, "test").config);
  console.log(JSON.stringify({ value: "open" }));
  for await (const line of readLines()) {
    console.log(JSON.stringify(await answer(coordinator, line)));
  }
  await coordinator.close();
}
