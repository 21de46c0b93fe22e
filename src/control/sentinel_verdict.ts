/**
 * What sentinels together say of a group's master. Most of all sentinels must answer; then the newest word
 * counts, as each failover has a config epoch of its own, for which most of them have voted. Only the
 * one that led it has it for sure: the others learn it up to two seconds later.
 *
 * @module
 */

import type { SentinelMaster } from "../redis/sentinel.ts";

/** What one sentinel last answered. */
export interface SentinelAnswer {
  /** The sentinel's address. */
  readonly sentinel: string;
  /** The master as it sees it; undefined: it does not watch the group. */
  readonly master: SentinelMaster | undefined;
}

/** What sentinels say together. */
export type SentinelVerdict =
  /**
   * One master is the newest that any of them names.
   *
   * `isByMost`: whether most of them name it; otherwise the others may not have heard of it yet, and
   * `text` is what each says.
   */
  | {
    readonly kind: "decided";
    readonly master: SentinelMaster;
    readonly votes: number;
    readonly isByMost: boolean;
    readonly text: string;
  }
  /** Too few answer, or too few of those that answer watch the group. */
  | { readonly kind: "few"; readonly text: string }
  /** They name several masters. */
  | { readonly kind: "split"; readonly text: string };

/** How many of `total` sentinels are most of them. */
export function majorityOf(total: number): number {
  return Math.floor(total / 2) + 1;
}

/**
 * What the answers say together.
 *
 * @param total How many sentinels there are, those that do not answer included.
 */
export function verdictOf(answers: readonly SentinelAnswer[], total: number): SentinelVerdict {
  const needed = majorityOf(total);
  const seen = answers.flatMap(({ master }) => master === undefined ? [] : [master]);
  if (seen.length < needed) {
    const text = answers.length < needed
      ? `${answers.length} of ${total} sentinels answer, ${needed} are needed`
      : `${seen.length} of ${total} sentinels watch it, ${needed} are needed`;
    return { kind: "few", text };
  }
  const newest = seen.reduce((a, b) => b.configEpoch > a.configEpoch ? b : a);
  const votes = seen.filter(({ addr }) => addr === newest.addr).length;
  const text = answers.flatMap(({ sentinel, master }) =>
    master === undefined ? [] : [`${sentinel} says ${master.addr} (epoch ${master.configEpoch})`]
  ).join(", ");
  const isByMost = votes >= needed;
  const isAlone = seen.every(({ addr, configEpoch }) =>
    addr === newest.addr || configEpoch < newest.configEpoch
  );
  if (!isByMost && !isAlone) return { kind: "split", text };
  return { kind: "decided", master: newest, votes, isByMost, text };
}
