/**
 * What a process has used, as Linux tells it.
 *
 * @module
 */

/** CPU time and memory of a process with all of its threads. */
export interface ProcessFigures {
  /** User and system time since its start, in seconds. */
  readonly cpuSeconds: number;
  /** Resident memory in bytes. */
  readonly rssBytes: number;
}

/** The unit of times in /proc: 1/100 s on every Linux that Deno runs on. */
const CLOCK_TICKS_PER_S = 100;
const PAGE_BYTES = 4096;

/** Returns the figures of a running process; throws when there is none with this id. */
export async function processFigures(pid: number): Promise<ProcessFigures> {
  // Deno wants every permission to read /proc itself; cat needs but one.
  const { success, stdout } = await new Deno.Command("cat", {
    args: [`/proc/${pid}/stat`],
    stderr: "null",
  }).output();
  if (!success) throw new Error(`no process ${pid}`);
  const stat = new TextDecoder().decode(stdout);
  // The name in parentheses may hold spaces; then field 3 follows (man 5 proc).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  return {
    cpuSeconds: (field(14) + field(15)) / CLOCK_TICKS_PER_S,
    rssBytes: field(24) * PAGE_BYTES,
  };
}
