/**
 * Sentinels that do not answer, as outages.
 *
 * @module
 */

import type { Control } from "./control.ts";
import { majorityOf } from "./sentinel_verdict.ts";
import type { SentinelWatch } from "./sentinel_watch.ts";

/** What is out when too few of them answer. */
const TOO_FEW = { kind: "sentinel_conflict", subject: "sentinels" } as const;

/**
 * Reports which sentinels answer, and whether they are enough to replace a master.
 *
 * @returns How many answer.
 */
export function reportSentinels(
  control: Pick<Control, "outage">,
  watches: readonly SentinelWatch[],
): number {
  let up = 0;
  for (const { addr, masters, problem, downMs } of watches) {
    const about = { kind: "sentinel_down", subject: addr, server: addr } as const;
    if (masters === undefined) {
      const text = `sentinel ${addr} does not answer`;
      control.outage({ ...about, phase: "begin", text, cause: problem, forMs: downMs });
    } else {
      up++;
      control.outage({ ...about, phase: "end", text: `sentinel ${addr} answers again` });
    }
  }
  const needed = majorityOf(watches.length);
  if (up >= needed) {
    control.outage({ ...TOO_FEW, phase: "end", text: "enough sentinels answer" });
  } else {
    control.outage({
      ...TOO_FEW,
      phase: "begin",
      text:
        `${up} of ${watches.length} sentinels answer, ${needed} are needed: no master is replaced`,
      hint: "start the others again, or promote by `codis-proxy config server promote`",
    });
  }
  return up;
}

/**
 * Ends what was reported of a sentinel that is one no longer.
 *
 * @param isLast Whether there are no others.
 */
export function reportRemoved(
  control: Pick<Control, "outage">,
  addr: string,
  isLast: boolean,
): void {
  const text = `sentinel ${addr} was removed`;
  control.outage({ kind: "sentinel_down", phase: "end", subject: addr, server: addr, text });
  if (isLast) control.outage({ ...TOO_FEW, phase: "end", text: "there are no sentinels any more" });
}
