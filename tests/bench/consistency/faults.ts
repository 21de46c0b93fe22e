/**
 * What is killed in the middle of migrations and brought back, or upgraded: one row for each kind.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { until } from "../../support/deadline.ts";
import type { Cluster } from "./cluster.ts";
import type { Moves } from "./moves.ts";
import type { Dice } from "./operations.ts";

/** Who hears of faults, and what they are done to. */
export interface FaultsHost {
  readonly cluster: Cluster;
  readonly moves: Moves;
  tell(text: string): void;
}

/** Kills something, and brings it back after `downMs` milliseconds. */
type Strike = (host: FaultsHost, dice: Dice, downMs: number) => Promise<void>;

/** Least and most time that something is away, in milliseconds. */
const DOWN_MS = [200, 2_000] as const;
/**
 * Least and most time after a migration is seen under way, in milliseconds: for one strike in a few
 * long enough for what was struck before to get somewhere.
 */
const AFTER_MS: Readonly<Record<"soon" | "late", readonly [number, number]>> = {
  soon: [0, 500],
  late: [2_000, 8_000],
};
const LATE_SHARE = 0.25;
/** Longest time until everything is as before, in milliseconds. */
const WELL_MS = 90_000;
/** How often something else is struck at the same time. */
const SECOND_SHARE = 0.2;

const server = (end: "from_group" | "to_group"): Strike => async (host, dice, downMs) => {
  const { cluster, moves } = host;
  const groups = moves.underway.map((view) => view[end]).filter((group) => group !== null);
  const group = dice.one(groups.length > 0 ? groups : [1, 2, 3, 4]);
  const victim = cluster.servers[group - 1]!;
  host.tell(`kill ${end === "from_group" ? "source" : "target"} ${victim.addr} (group ${group})`);
  await victim.kill();
  await delay(downMs);
  await victim.restart();
  host.tell(`${victim.addr} is back`);
};

/** The table. */
const STRIKES: Readonly<Record<string, Strike>> = {
  source: server("from_group"),
  target: server("to_group"),
  proxy: async ({ cluster, tell }, dice, downMs) => {
    const at = dice.below(cluster.proxies.length);
    tell(`kill proxy_${at + 1}`);
    await cluster.proxies[at]!.kill();
    await delay(downMs);
    await cluster.proxies[at]!.restart();
    tell(`proxy_${at + 1} is back`);
  },
  upgrade: async ({ cluster, tell }, dice) => {
    const at = dice.below(cluster.proxies.length);
    tell(`upgrade proxy_${at + 1}`);
    const end = await cluster.proxies[at]!.upgrade();
    if (end.code !== 0) throw new Error(`the process before ended with ${JSON.stringify(end)}`);
    tell(`proxy_${at + 1} is upgraded`);
  },
  dashboard: async ({ cluster, tell }, _dice, downMs) => {
    tell("kill dashboard");
    await cluster.dashboard.kill();
    await delay(downMs);
    await cluster.dashboard.restart();
    tell("the next dashboard leads");
  },
  coordinator: async ({ cluster, tell }, _dice, downMs) => {
    tell("kill coordinator");
    await cluster.coordinator!.kill();
    await delay(downMs);
    await cluster.coordinator!.restart();
    tell("the coordinator is back");
  },
  move: async ({ cluster, tell }) => {
    tell("move the product to another coordinator");
    for (const text of await cluster.moveStore()) tell(`config move: ${text}`);
    tell("the product has moved");
  },
};

/** The kinds of faults there are. */
export const FAULT_KINDS: readonly string[] = Object.keys(STRIKES);

/**
 * Strikes, each kind so often, in an order that chance decides; whatever is struck is brought back, and
 * everything is well, before the next.
 *
 * @param kills How many of each kind so far; counted up.
 * @param over Nothing is begun any more once it is aborted.
 * @throws {Error} When something does not come back.
 */
export async function strikeAll(
  host: FaultsHost,
  dice: Dice,
  kinds: readonly string[],
  count: number,
  kills: Map<string, number>,
  over: AbortSignal,
): Promise<void> {
  const left = kinds.flatMap((kind) => Array.from({ length: count }, () => kind));
  while (left.length > 0 && !over.aborted) {
    const struck = left.splice(dice.below(left.length), 1);
    if (left.length > 0 && dice.happens(SECOND_SHARE)) {
      const at = left.findIndex((kind) => canGoWith(kind, struck[0]!));
      if (at >= 0) struck.push(...left.splice(at, 1));
    }
    await until(() => host.moves.underway.length > 0, WELL_MS);
    await delay(dice.between(...AFTER_MS[dice.happens(LATE_SHARE) ? "late" : "soon"]));
    await Promise.all(struck.map(async (kind) => {
      kills.set(kind, (kills.get(kind) ?? 0) + 1);
      await STRIKES[kind]!(host, dice, dice.between(...DOWN_MS));
    }));
    await until(() => host.cluster.isWell(), WELL_MS);
    host.tell("all is well");
  }
}

/** Two servers may be the same one, and two of a kind, too. */
function canGoWith(kind: string, other: string): boolean {
  const isServer = (name: string) => name === "source" || name === "target";
  return kind !== other && !(isServer(kind) && isServer(other));
}
