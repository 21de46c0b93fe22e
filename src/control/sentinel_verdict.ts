/**
 * What sentinels together say of a group's master. Only most of all sentinels decide: one that is cut
 * off, or was never told of a failover, changes nothing.
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
  /** Most of them name one master, and none that answers knows of a newer one. */
  | { readonly kind: "agreed"; readonly master: SentinelMaster; readonly votes: number }
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
  if (votes >= needed) return { kind: "agreed", master: newest, votes };
  const said = answers.flatMap(({ sentinel, master }) =>
    master === undefined ? [] : [`${sentinel} says ${master.addr} (epoch ${master.configEpoch})`]
  );
  return { kind: "split", text: said.join(", ") };
}
